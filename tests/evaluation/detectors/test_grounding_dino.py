"""Grounding DINO: the real class with random weights, recorded outputs, and what a label made of words means."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infsplign.evaluation.detectors import load_detector
from infsplign.evaluation.detectors.grounding_dino import called
from tests import tiny_detectors

NAMES = ["teddy bear", "cat"]


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return load_detector("grounding-dino", str(tiny_detectors.grounding_dino(tmp_path_factory.mktemp("dino"))), threshold=0.3)


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def recorded(detector, monkeypatch, boxes, scores):
    """Lets the network answer `boxes` with the scores of the text's tokens: [CLS] teddy bear . cat . [SEP]."""
    logits = torch.full((1, len(boxes), 32), -torch.inf)
    logits[0, :, :7] = torch.logit(torch.tensor(scores))
    outputs = SimpleNamespace(logits=logits, pred_boxes=torch.tensor([boxes]))
    monkeypatch.setattr(detector.loaded, "network", lambda **inputs: outputs)


def test_finds_something_in_each_image(detector):
    images = [noise(60, 40), noise(40, 60, 1), noise(9, 9)]
    found = detector.detect(images, [NAMES, ["star"], []])
    assert found[2] == []
    for detections in found[:2]:
        scores = [d.score for d in detections]
        assert scores == sorted(scores, reverse=True)
        assert all(0.3 < score <= 1 for score in scores)
        assert detections


def test_images_of_one_size_find_in_a_batch_what_they_find_alone(detector):
    images = [noise(48, 48, seed) for seed in range(3)]
    for image, found in zip(images, detector.detect(images, [NAMES] * 3), strict=True):
        alone = detector.detect([image], [NAMES])[0]
        assert [d.name for d in alone] == [d.name for d in found]
        np.testing.assert_allclose([[d.score, *d.box] for d in alone], [[d.score, *d.box] for d in found], rtol=1e-3, atol=1e-3)


def test_recorded_outputs(detector, monkeypatch):
    low = 0.01
    recorded(
        detector, monkeypatch,
        boxes=[[0.5, 0.5, 0.2, 0.4], [0.1, 0.2, 0.2, 0.4], [0.5, 0.5, 1.0, 1.0], [0.9, 0.9, 0.1, 0.1]],
        scores=[
            [low, 0.8, 0.7, low, low, low, low],  # teddy bear
            [low, low, low, low, 0.9, low, low],  # cat
            [low, 0.35, low, low, 0.4, low, low],  # teddy, cat
            [low, 0.29, low, low, 0.2, low, low],  # below the threshold
        ],
    )  # fmt: skip
    found = detector.detect([noise(200, 100)], [NAMES])[0]
    assert [(d.name, d.score, d.box) for d in found] == [
        ("cat", pytest.approx(0.9), pytest.approx((0, 0, 40, 40), abs=1e-4)),
        ("teddy bear", pytest.approx(0.8), pytest.approx((80, 30, 120, 70), abs=1e-4)),
        ("cat", pytest.approx(0.4), pytest.approx((0, 0, 200, 100), abs=1e-4)),
    ]


def test_a_name_with_a_full_stop_is_refused(detector):
    with pytest.raises(ValueError, match="full stop, got 'st. bernard'"):
        detector.detect([noise(9, 9)], [["cat", "st. bernard"]])


def test_settings_name_both_thresholds(detector):
    settings = detector.settings()
    assert (settings["name"], settings["threshold"], settings["text_threshold"]) == ("grounding-dino", 0.3, 0.25)


class TestCalled:
    @pytest.mark.parametrize(
        ("label", "expected"),
        [
            ("teddy bear", "teddy bear"),
            ("bear", "bear"),
            ("teddy", "teddy bear"),
            ("teddy bear bear", "teddy bear, bear"),
            ("Bear  teddy bear", "bear, teddy bear"),
            ("bears", "bears"),
            ("", ""),
            ("[sep]", "[sep]"),
        ],
    )
    def test_a_name_within_another(self, label, expected):
        assert called(label, ["bear", "teddy bear"]) == expected

    def test_spelled_as_it_was_asked_for(self):
        assert called("tv", ["TV", "cat"]) == "TV"

    def test_a_part_of_two_names_is_neither(self):
        assert called("ball", ["baseball", "ballerina"]) == "ball"

    def test_no_names(self):
        assert called("cat", []) == "cat"

    @given(st.lists(st.sampled_from(["cat", "fire hydrant", "teddy bear", "bear", "tv"]), unique=True, min_size=1))
    def test_every_name_means_itself(self, names):
        assert [called(name.upper(), names) for name in names] == names
