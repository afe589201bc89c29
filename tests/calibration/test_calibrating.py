"""`calibrate` on a pipeline of random weights: it goes through, goes on after it was killed, and its preset is read."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import infsplign
from infsplign.adapters import backbone_for
from infsplign.calibration import Calibration, Judge, Sampling
from infsplign.calibration.calibrating import checked_bounds, checked_prompts, levels
from infsplign.calibration.layers import text_layers
from infsplign.calibration.running import seed_for
from infsplign.calibration.sampling import UNGUIDED, WatchingSampler
from infsplign.detection import Detection
from infsplign.engine.config_file import to_json
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.running.run_folder import SettingsError
from infsplign.shipped import load
from tests import tiny

PROMPTS = ["a cat to the left of a dog", "a star above a moon", "a circle below a heart"]
SAMPLING = Sampling(steps=3, batch=2)


class Everywhere:
    """A detector that finds the first object on the left of the second."""

    def settings(self):
        return {"name": "everywhere"}

    def detect(self, images, names):
        return [[Detection(name, 0.9, (10.0 * k, 0.0, 10.0 * k + 9, 9.0)) for k, name in enumerate(asked)] for asked in names]


@pytest.fixture(scope="module")
def pipe():
    return tiny.sd()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("calibration")


@pytest.fixture(scope="module")
def found(pipe, folder) -> Calibration:
    return infsplign.calibrate(pipe, PROMPTS, out=folder, images=1, bounds=(0.2, 0.05), sampling=SAMPLING)


def test_random_weights_go_through(found):
    assert len(found.readings.layers) == 10
    assert found.chosen == ()  # maps of random weights hardly differ from each other
    assert found.config.layers is None
    assert found.config.max_shift in (0.05, 0.2)
    assert list(found.bounds) == [0.05, 0.2]
    assert all(0.0 <= score.score <= 1.0 for score in found.bounds.values())
    assert found.cost > 1.0


@pytest.mark.parametrize(("spread", "told"), [(0.5, False), (1.0, True)])
def test_a_layer_in_which_an_object_is_nowhere_is_named(found, spread, told):
    scores = replace(found.scores, spread=np.full(len(found.readings.layers), spread))
    line = f"mind: in {found.readings.layers[3]} the map of one of the objects is spread"
    assert any(text.startswith(line) for text in replace(found, chosen=(3,), scores=scores).summary()) == told


def test_the_preset_is_read_and_has_its_evidence(found, tmp_path):
    written = found.write(tmp_path / "new" / "preset.json", model="tiny")
    assert to_json(infsplign.GuidanceConfig.load(written[0])) == to_json(found.config)
    content = json.loads(written[0].read_text("utf-8"))
    assert content["model"] == "tiny"
    layers = content["calibration"]["layers"]
    assert [layer["name"] for layer in layers] == list(found.readings.layers)
    assert all(len(layer["agreement"]) == 3 for layer in layers)
    assert [entry["max_shift"] for entry in content["calibration"]["bounds"]] == [0.05, 0.2]
    assert Image.open(written[1]).size[0] > 500
    table = written[2].read_text("utf-8")
    assert all(name in table for name in found.readings.layers)
    assert f"bound {found.config.max_shift:g}" in table


@pytest.mark.parametrize("name", ["preset.md", "preset.png", "preset"])
def test_a_preset_that_its_plot_or_table_would_replace_is_refused(found, tmp_path, name):
    with pytest.raises(ValueError, match=f"`path` must be the name of a JSON file, such as preset.json, got .*{name}"):
        found.write(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_second_call_goes_on_where_the_first_was(pipe, folder, found, monkeypatch):
    def forbidden(*_, **__):
        pytest.fail("an image was made again")

    monkeypatch.setattr("infsplign.calibration.sampling.WatchingSampler.__call__", forbidden)
    again = infsplign.calibrate(pipe, PROMPTS, out=folder, images=1, bounds=(0.05, 0.2), sampling=SAMPLING)
    assert again.evidence() == found.evidence()


def test_an_image_that_was_lost_is_made_again(pipe, folder, found):
    lost = folder / "attention" / "unguided" / "line-0001_00.trace.json"
    whole = lost.read_text()
    lost.write_text(whole[:100])
    assert infsplign.calibrate(pipe, PROMPTS, out=folder, images=1, bounds=(0.05, 0.2), sampling=SAMPLING).evidence() == found.evidence()
    assert lost.read_text() == whole


def test_other_settings_are_refused(pipe, folder, found):
    with pytest.raises(SettingsError, match="steps"):
        infsplign.calibrate(pipe, PROMPTS, out=folder, images=1, sampling=Sampling(steps=4, batch=2))


def test_a_single_bound_is_taken_and_a_detector_is_asked(pipe, folder, tmp_path):
    found = infsplign.calibrate(pipe, PROMPTS, out=folder, images=1, bounds=[0.1], sampling=SAMPLING)
    assert (found.bounds, found.config.max_shift) == ({}, 0.1)
    prompts = checked_prompts(PROMPTS[:1])
    judged = infsplign.calibrate(pipe, prompts, out=tmp_path, images=1, bounds=[0.05, 0.1], judge=Judge(Everywhere(), prompts, least=0.5),
                                 sampling=Sampling(steps=2))  # fmt: skip
    assert {score.strict for score in judged.bounds.values()} == {1.0}
    assert judged.evidence()["judged_by"] == {"name": "everywhere"}


def test_a_detector_that_judges_nothing_is_not_named(pipe, folder):
    prompts = checked_prompts(PROMPTS)
    judge = Judge(Everywhere(), prompts, least=0.5)
    found = infsplign.calibrate(pipe, prompts, out=folder, images=1, bounds=[0.1], judge=judge, sampling=SAMPLING)
    assert found.evidence()["judged_by"] is None


@pytest.mark.parametrize("bounds", [[0.1], [0.05, 0.1]])
def test_prompts_that_fail_are_told(pipe, bounds):
    far = f"a {'shiny ' * 80}cat to the left of a dog"
    found = infsplign.calibrate(pipe, [*PROMPTS, far], images=1, bounds=bounds, sampling=SAMPLING)
    assert found.readings.unity.shape[2] == len(PROMPTS)
    assert list(found.evidence()["left_out"]) == [far]
    assert any(line.startswith("left out: 1 of 4 prompts, of which an image failed: 'a shiny") for line in found.summary())


def test_arguments():
    assert checked_prompts(None) == checked_prompts(None)
    assert checked_bounds([0.2, 0.1, 0.2]) == [0.1, 0.2]
    assert levels(["a"]) == {"coarse": ("a",)}
    assert levels(["a", "b", "c"]) == {"coarse": ("a", "b"), "middle": ("c",)}
    assert checked_prompts(text for text in PROMPTS) == checked_prompts(np.array(PROMPTS)) == checked_prompts(PROMPTS)
    for prompts in ([], "a cat left of a dog"):
        with pytest.raises(ValueError, match="`prompts` must be a list"):
            checked_prompts(prompts)
    for bounds in ([], [0.0], [0.1, float("inf")], 0.1, "0.1", [None]):
        with pytest.raises(ValueError, match="`bounds`|`max_shift`"):
            checked_bounds(bounds)


def test_seeds_depend_on_the_prompt_alone():
    first, second = checked_prompts(PROMPTS)[:2]
    assert seed_for(first, 0) == seed_for(checked_prompts(PROMPTS[:1])[0], 0)
    assert len({seed_for(prompt, index) for prompt in (first, second) for index in range(3)}) == 6


def test_what_cannot_be_sampled_is_told_before_the_work(pipe):
    """Arguments that the sampler gives itself, a prompt without a pair, whoever made it, and a judge of other prompts."""
    for call, told in (({"num_inference_steps": 4}, "'num_inference_steps'; give `steps`"), ({"latents": 0}, "'latents'; they are drawn")):
        with pytest.raises(ValueError, match=told):
            infsplign.calibrate(pipe, PROMPTS, sampling=Sampling(call=call))
    alone = BenchmarkPrompt("alone", "a cat at the top", "cat", "top", "")
    with pytest.raises(ValueError, match="two objects.*'a cat at the top'"):
        infsplign.calibrate(pipe, [alone])
    with pytest.raises(ValueError, match="`judge` must be made for the prompts.*'line-0000'"):
        infsplign.calibrate(pipe, PROMPTS, judge=Judge(Everywhere(), checked_prompts(PROMPTS[1:]), least=0.5))


def test_bounds_that_differ_in_their_last_digits_have_their_own_images(pipe, tmp_path):
    bounds = [0.12345671, 0.12345672]
    infsplign.calibrate(pipe, PROMPTS[:1], out=tmp_path, images=1, bounds=bounds, sampling=Sampling(steps=1))
    assert sorted(path.name for path in (tmp_path / "bounds").glob("*/*") if path.is_dir()) == [f"bound-{bound}" for bound in bounds]


def test_more_prompts_go_on_where_other_options_are_chosen_by_them(pipe, tmp_path, monkeypatch):
    options = {"out": tmp_path, "images": 1, "bounds": (0.05, 0.1), "sampling": Sampling(steps=2)}
    infsplign.calibrate(pipe, PROMPTS[:1], **options)
    monkeypatch.setattr("infsplign.calibration.calibrating.choose_window", lambda *_: (0.6, 0.7))
    found = infsplign.calibrate(pipe, PROMPTS[:2], **options)
    assert found.config.stop == 0.7
    assert list(found.bounds) == [0.05, 0.1]


def test_a_negative_prompt_is_that_of_every_image_of_a_batch(pipe):
    sampling = Sampling(steps=2, batch=2, call={"negative_prompt": "blurry"})
    assert infsplign.calibrate(pipe, PROMPTS, images=1, bounds=[0.1], sampling=sampling).prompts == 3


def test_what_is_seen_of_an_image_does_not_depend_on_the_relations_of_others(pipe):
    """Rows with fewer relations are padded by a gap of 0, and an image holds by the least gap of its own."""
    texts = [PROMPTS[0], "a star above a moon and a heart to the left of the moon"]
    both, alone = (calibrated_gaps(pipe, some) for some in (texts, texts[:1]))
    assert [len(gap) for gap in both] == [1, 2]
    assert both[0] == pytest.approx(alone[0], abs=1e-4)


def calibrated_gaps(pipe, texts):
    """The gaps of each image in the last step, by the first layer."""
    backbone = backbone_for(pipe)
    sampler = WatchingSampler(pipe, text_layers(pipe, backbone), backbone=backbone, steps=2)
    sampler(texts, list(range(len(texts))), UNGUIDED)
    return [trace[-1]["layers"][0]["gap"] for trace in sampler.traces]


def test_a_unet_without_the_layers_of_its_family_is_calibrated():
    found = infsplign.calibrate(load("pictures-xl"), PROMPTS[:1], images=1, bounds=(0.1,), sampling=Sampling(steps=3))
    assert len(found.readings.layers) == 8
    assert found.config.max_shift == 0.1
