"""Sampling in a thread of its own: what it tells, and how it ends early."""

from threading import Event

import numpy as np
import pytest
import torch

from infsplign.app.workshop import Workshop
from infsplign.generation.options import GenerateOptions
from infsplign.shipped import load
from tests.app.conftest import PROMPT


def told(workshop, options, stop=None):
    return list(workshop.make(options, stop or Event()))


def test_both_samplings_tell_each_step_and_their_previews(news):
    steps = [(one.method, one.step, one.steps) for one in news if one.method]
    assert steps == [(method, step, 4) for method in ("unguided", "guided") for step in (1, 2, 3, 4, 4)]
    with_image = [(one.method, one.step) for one in news if one.image is not None]
    assert with_image == [(method, step) for method in ("unguided", "guided") for step in (1, 2, 3, 4)]
    assert [one.text for one in news if one.text] == ["loading the model shapes", "judging the images", "done"]


def test_the_images_are_those_of_the_command(result):
    """The pipeline alone gives the same unguided image: watching changes nothing."""
    pipe = load("shapes")
    pipe.set_progress_bar_config(disable=True)
    image = pipe(PROMPT, num_inference_steps=4, guidance_scale=5.0, generator=torch.Generator("cpu").manual_seed(0)).images[0]
    assert (np.asarray(image) == np.asarray(result.images["unguided"])).all()
    assert (np.asarray(image) != np.asarray(result.images["guided"])).any()


def test_the_record_is_that_of_generate(result):
    assert result.record["objects"] == ["heart", "diamond"]
    assert [step["guided"] for step in result.record["images"][0]["trace"]] == [True, True, False, False]
    assert set(result.record["token_indices"]) == {"heart", "diamond"}
    assert set(result.record["verdict"]["relations"]) == {"heart right of diamond"}


def test_strength_0_does_not_guide(workshop):
    latest = told(workshop, GenerateOptions(PROMPT, model="shapes", steps=2, strength=0.0))[-1].result
    assert (np.asarray(latest.images["unguided"]) == np.asarray(latest.images["guided"])).all()
    assert (latest.attention, latest.curves) == (None, None)


def test_strength_is_the_bound_of_the_shift(workshop):
    for strength in (0.02, 0.3):
        latest = told(workshop, GenerateOptions(PROMPT, model="shapes", steps=2, strength=strength))[-1].result
        assert latest.record["config"]["max_shift"] == strength
        assert 0 < latest.record["images"][0]["trace"][0]["shift"][0] <= strength * 1.001


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (GenerateOptions("a heart lefft of a star"), "'lefft' is not understood"),
        (GenerateOptions(PROMPT, model="shapes", strength=float("nan")), "`--strength` must be a finite number"),
        (GenerateOptions(PROMPT, model="shapes", height=20), "multiple of 8"),
        (GenerateOptions(PROMPT, model="no/such/model"), "there is no model folder"),
    ],
)
def test_bad_input_is_told_and_not_raised(workshop, options, words):
    latest = told(workshop, options)[-1]
    assert words in latest.failure
    assert latest.result is None


def test_faults_of_the_program_are_told_and_their_traceback_is_printed(capsys):
    def load(*_, **__):
        raise KeyError("a fault")

    latest = told(Workshop(load=load), GenerateOptions(PROMPT, model="shapes"))[-1]
    assert "a fault of the program" in latest.failure
    assert "Traceback" in capsys.readouterr().err


def test_stop_ends_the_sampling_after_the_step_and_the_next_one_works(workshop):
    stop, found = Event(), []
    for one in workshop.make(GenerateOptions(PROMPT, model="shapes", steps=50), stop):
        found.append(one)
        if one.step == 2:
            stop.set()
    assert found[-1].failure == "Stopped."
    assert max(one.step for one in found) < 10
    assert told(workshop, GenerateOptions(PROMPT, model="shapes", steps=1, strength=0.0))[-1].result is not None


def test_leaving_the_page_stops_the_sampling(workshop):
    stop = Event()
    making = workshop.make(GenerateOptions(PROMPT, model="shapes", steps=50), stop)
    next(making)
    making.close()
    assert stop.is_set()


def test_only_the_latest_model_is_kept():
    loaded = []

    def load(model, **options):
        loaded.append((model, options))
        raise ValueError("no weights here")

    made = Workshop(GenerateOptions(device="cpu", dtype="fp32"), load=load)
    for model in ("shapes", "shapes", "shapes-sd3"):
        assert told(made, GenerateOptions(PROMPT, model=model))[-1].failure == "no weights here"
    assert [model for model, _ in loaded] == ["shapes", "shapes", "shapes-sd3"]
    assert loaded[0][1] == {"device": "cpu", "dtype": "fp32", "offload": None}
