"""Configuration, nested arguments, attribute replacement, schedules: the small parts under the engine."""

from collections import namedtuple

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from hypothesis import given
from hypothesis import strategies as st

from infsplign import GuidanceConfig
from infsplign.engine.patching import replaced_attribute
from infsplign.engine.pytree import concatenate, map_tensors, rows_of
from infsplign.pipelines.noise_schedule import parametrisation


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scale", -1.0),
        ("scale", float("nan")),
        ("alpha", float("inf")),
        ("presence", -0.1),
        ("margin", 1.5),
        ("margin", -0.1),
        ("start", -0.1),
        ("stop", 1.1),
        ("update", "raw"),
        ("max_gain", 0.0),
    ],
)
def test_options_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"`{field}`.*{value}|`{field}`"):
        GuidanceConfig(**{field: value})


def test_an_empty_window_before_its_start_is_refused():
    with pytest.raises(ValueError, match="`start` and `stop`"):
        GuidanceConfig(start=0.6, stop=0.5)


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1))
def test_the_window_guides_one_run_of_steps(steps, a, b):
    config = GuidanceConfig(start=min(a, b), stop=max(a, b))
    guided = [step for step in range(steps) if config.guides(step, steps)]
    assert guided == list(range(guided[0], guided[-1] + 1)) if guided else True
    assert abs(len(guided) - steps * (config.stop - config.start)) <= 1
    assert not any(config.with_(scale=0.0).guides(step, steps) for step in range(steps))


Pair = namedtuple("Pair", "left right")
TREE = {"a": torch.arange(4), "b": [torch.ones(4, 2), None, "text"], "c": (torch.tensor(3), torch.ones(1, 4)), "d": Pair(torch.zeros(4), 5)}


def test_rows_are_taken_of_batched_tensors_only():
    half = rows_of(TREE, slice(2, 4), 4)
    assert half["a"].tolist() == [2, 3]
    assert half["b"][0].shape == (2, 2)
    assert half["b"][1:] == [None, "text"]
    assert half["c"][0].item() == 3
    assert half["c"][1].shape == (1, 4)
    assert isinstance(half["d"], Pair)
    assert half["d"].left.shape == (2,)


def test_outputs_are_joined_in_their_own_type():
    parts = [UNet2DConditionOutput(sample=torch.full((2, 1), float(i))) for i in range(2)]
    joined = concatenate(parts)
    assert isinstance(joined, UNet2DConditionOutput)
    assert joined.sample.flatten().tolist() == [0, 0, 1, 1]
    assert isinstance(map_tensors(torch.Tensor.detach, joined), UNet2DConditionOutput)
    assert concatenate([(torch.zeros(1), None), (torch.ones(1), None)])[0].tolist() == [0, 1]


def test_a_replaced_attribute_comes_back_as_it_was():
    class Owner:
        def method(self):
            return 1

    owner = Owner()
    with replaced_attribute(owner, "method", lambda: 2):
        assert owner.method() == 2
    assert vars(owner) == {}
    mine = owner.method = lambda: 3
    with pytest.raises(KeyError), replaced_attribute(owner, "method", lambda: 2):
        raise KeyError
    assert owner.method is mine


@pytest.mark.parametrize("kind", [DDIMScheduler, EulerDiscreteScheduler])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_coefficients_are_those_of_the_training_noise(kind, prediction):
    scheduler = kind(prediction_type=prediction)
    for timestep in (0, torch.tensor(500), 998.7):
        name, alpha, sigma = parametrisation(scheduler, timestep)
        assert name == prediction
        assert alpha**2 + sigma**2 == pytest.approx(1)
    if prediction != "epsilon":
        signal = float(scheduler.alphas_cumprod[500])
        assert parametrisation(scheduler, 500)[1:] == pytest.approx((signal**0.5, (1 - signal) ** 0.5))


def test_an_unknown_parametrisation_is_refused():
    scheduler = DDIMScheduler()
    scheduler.register_to_config(prediction_type="score")
    with pytest.raises(ValueError, match="prediction_type.*'score'"):
        parametrisation(scheduler, 0)
