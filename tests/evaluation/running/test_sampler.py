"""What guidance did, kept for each image of a batch by itself."""

import json

import pytest

from infsplign.core.terms import excite
from infsplign.evaluation.running.sampler import PipelineSampler, split_trace
from infsplign.pipelines.guide import guide
from infsplign.shipped import PRESETS, load

CONFIG = PRESETS["shapes"].config
TEXTS = ("a star above a fish", "a moon to the left of a heart")
CONFIGS = {
    "paused": CONFIG,
    "reused": CONFIG.with_(every=2, reuse=True),
    "repeated": CONFIG.with_(repeats=2, repeats_until=1.0, stop=1.0),
    "never guided": CONFIG.with_(stop=0.0),
    "a term more": CONFIG.with_(terms=(excite(1.0),), patience=None, max_shift=None),
}


@pytest.fixture(scope="module")
def pipe():
    pipe = load("shapes")
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("name", CONFIGS)
def test_each_image_gets_its_own_numbers(pipe, name):
    with guide(pipe, list(TEXTS), config=CONFIGS[name]) as guidance:
        pipe(list(TEXTS), num_inference_steps=4, output_type="latent")
    whole = [step.to_dict() for step in guidance.trace]
    for row, steps in enumerate(split_trace(guidance.trace, len(TEXTS))):
        assert json.loads(json.dumps(steps)) == steps
        for step, of_all in zip(steps, whole, strict=True):
            assert step.keys() == of_all.keys()
            for key in ("step", "timestep", "guided", "watched", "reused", "weight"):
                assert step[key] == of_all[key]
            for key in ("loss", "centroid", "variance", "gradient_norm", "shift", "bounded", "holds", "actions"):
                assert step[key] == (None if of_all[key] is None else of_all[key][row])
            assert step["terms"] == (of_all["terms"] and {term: values[row] for term, values in of_all["terms"].items()})
            assert step["repeated"] == [values[row] for values in of_all["repeated"]]


def test_the_sampler_keeps_them_only_when_asked(pipe):
    for keep in (True, False):
        sampler = PipelineSampler(pipe, steps=2, guidance_scale=5.0, keep_traces=keep)
        sampler(TEXTS, [0, 1], CONFIG)
        assert [len(trace) for trace in sampler.traces] == ([2, 2] if keep else [])
        sampler(TEXTS, [0, 1], None)
        assert sampler.traces == []


def test_a_shift_that_was_set_is_a_setting():
    """`set_shift` leaves the scheduler's configuration as it was, and a run would go on with other images."""
    pipe = load("shapes-sd3")
    before = PipelineSampler(pipe).settings()
    pipe.scheduler.set_shift(8.0)
    after = PipelineSampler(pipe).settings()
    assert (before["scheduler"]["shift"], after["scheduler"]["shift"]) == (pipe.scheduler.config.shift, 8.0)
    assert before | {"scheduler": after["scheduler"]} == after
