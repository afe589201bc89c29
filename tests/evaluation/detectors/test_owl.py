"""OWL-ViT and OWLv2: real classes with random weights, loaded from disk, and recorded outputs with boxes known by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from infsplign.detection import Detection
from infsplign.evaluation.detectors import load_detector
from infsplign.evaluation.detectors.pretrained import DetectorError
from tests import tiny_detectors

KINDS = ("owlvit", "owlv2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: str(tiny_detectors.owl(tmp_path_factory.mktemp(kind), kind)) for kind in KINDS}


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def logit(score):
    return float(np.log(score / (1 - score)))


@pytest.mark.parametrize("kind", KINDS)
class TestRandomModels:
    def test_boxes_and_scores_are_those_of_the_network(self, kind, folders):
        detector, image, names = load_detector(kind, folders[kind], threshold=0.0), noise(60, 40), ["circle", "star"]
        inputs = detector.loaded.processor(images=[image], text=[[f"a photo of a {name}" for name in names]], return_tensors="pt")
        with torch.no_grad():
            outputs = detector.loaded.network(**inputs)
        logits, best = outputs.logits[0].max(-1)
        scores = logits.sigmoid()  # of the best alone, as the processor does it: among others a score may be rounded differently
        side = torch.tensor([60, 40] if kind == "owlvit" else [60, 60])  # OWLv2 sees the image padded to a square
        centre, half = outputs.pred_boxes[0, :, :2] * side, outputs.pred_boxes[0, :, 2:] * side / 2
        order = sorted(range(len(scores)), key=lambda number: -scores[number].item())
        found = detector.detect([image], [names])[0]
        assert [d.name for d in found] == [names[best[number]] for number in order]
        assert [d.score for d in found] == [scores[number].item() for number in order]
        np.testing.assert_allclose([d.box for d in found], torch.cat([centre - half, centre + half], 1)[order], atol=1e-3)

    def test_images_in_a_batch_find_what_they_find_alone(self, kind, folders):
        detector = load_detector(kind, folders[kind], threshold=0.0)
        images = [noise(60, 40), noise(32, 32, 1), noise(20, 50, 2), noise(9, 9)]
        names = [["star", "moon"], ["star"], ["moon", "heart"], []]
        together = detector.detect(images, names)
        for image, asked, found in zip(images, names, together, strict=True):
            alone = detector.detect([image], [asked])[0]
            assert sorted(d.name for d in found) == sorted(d.name for d in alone)
            np.testing.assert_allclose(sorted(d.score for d in found), sorted(d.score for d in alone), atol=1e-5)
        assert together[3] == []
        assert {d.name for d in together[1]} == {"star"}  # no box goes to a query that pads

    def test_only_scores_above_the_threshold(self, kind, folders):
        image, names = noise(60, 40), ["circle", "star"]
        every = load_detector(kind, folders[kind], threshold=0.0).detect([image], [names])[0]
        middle = sorted(d.score for d in every)[len(every) // 2]
        kept = load_detector(kind, folders[kind], threshold=middle).detect([image], [names])[0]
        assert kept == [d for d in every if d.score > middle]
        assert 0 < len(kept) < len(every)

    def test_settings_name_all_that_decides(self, kind, folders):
        settings = load_detector(kind, folders[kind], threshold=0.1).settings()
        assert (settings["name"], settings["model"], settings["threshold"]) == (kind, folders[kind], 0.1)
        assert settings["query"] == "a photo of a {}"
        assert settings["images"].endswith("Pil")
        assert len(settings["weights"]) == 64

    def test_another_kind_is_refused(self, kind, folders):
        other = KINDS[1 - KINDS.index(kind)]
        with pytest.raises(DetectorError, match=f"it is of type '{other}', and '{kind}' was asked for"):
            load_detector(kind, folders[other], threshold=0.1)


@pytest.mark.parametrize(("make", "kind"), [(tiny_detectors.owl, "owlvit"), (tiny_detectors.grounding_dino, "grounding-dino")])
def test_settings_follow_how_images_are_prepared(make, kind, tmp_path):
    """Detections that were kept with other means or sizes are none of this detector."""
    make(tmp_path)
    before = load_detector(kind, str(tmp_path), threshold=0.1).settings()
    assert load_detector(kind, str(tmp_path), threshold=0.1).settings() == before
    options = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(options | {"image_mean": [0.1, 0.1, 0.1]}))
    assert load_detector(kind, str(tmp_path), threshold=0.1).settings()["weights"] != before["weights"]



def test_other_weights_have_other_settings(tmp_path):
    folders = [tiny_detectors.owl(tmp_path / str(seed), seed=seed) for seed in (0, 1)]
    weights = {load_detector("owlvit", str(folder), threshold=0.1).settings()["weights"] for folder in folders}
    assert len(weights) == 2


def test_missing_weights_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tiny_detectors.owl(tmp_path)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "box_head" in name)
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DetectorError, match=f"1 of its weights are missing, such as '{name}'"):
        load_detector("owlvit", str(folder), threshold=0.1)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DetectorError, match="the detector '.*nothing' could not be loaded"):
        load_detector("owlvit", str(tmp_path / "nothing"), threshold=0.1)


def test_recorded_outputs(folders):
    """Two images of 200 x 100: boxes as (centre x, centre y, width, height) in parts of the sides, scores by hand."""
    detector = load_detector("owlvit", folders["owlvit"], threshold=0.1)
    logits = [[[0.2, 0.9], [0.6, 0.05]], [[0.0999, 0.05], [0.08, 0.3]]]
    boxes = [[[0.5, 0.5, 0.2, 0.4], [0.1, 0.2, 0.2, 0.4]], [[0.5, 0.5, 1, 1], [0.0, 0.5, 0.1, 0.2]]]
    outputs = SimpleNamespace(
        logits=torch.tensor([[[logit(score) for score in box] for box in image] for image in logits], dtype=torch.float64),
        pred_boxes=torch.tensor(boxes, dtype=torch.float64),
    )
    detector.loaded.network = lambda **inputs: outputs
    first, second = detector.detect([noise(200, 100)] * 2, [["circle", "star"]] * 2)
    assert [(d.name, d.score, d.box) for d in first] == [
        ("star", pytest.approx(0.9), pytest.approx((80, 30, 120, 70))),
        ("circle", pytest.approx(0.6), pytest.approx((0, 0, 40, 40))),
    ]
    assert second == [Detection("star", pytest.approx(0.3), pytest.approx((-10, 40, 10, 60)))]  # beyond the left side, and kept
