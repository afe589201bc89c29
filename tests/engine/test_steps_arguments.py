"""What `Steps` and `Guidance` are given wrongly is refused by name."""

import warnings

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

from infsplign import Guidance, GuidanceConfig, Steps, guide
from infsplign.adapters import backbone_for
from infsplign.engine.timeline import Timeline
from tests import tiny
from tests.engine.test_steps import SCENE, TIMES, Source, made, run

LEVELS = [3.0, 2.0, 1.0, 0.5, 0.2]


@pytest.mark.parametrize(
    ("sigmas", "prediction", "told"),
    [
        (LEVELS[::-1], "v_prediction", "must fall from the first step to the last, got 0.2 to 3"),
        ([-s for s in LEVELS], "epsilon", "`sigmas` must be >= 0, got -3"),
        ([float("nan")] * 5, "v_prediction", "`sigmas` must be numbers, got nan"),
        (TIMES, "flow", r'must lie in \[0, 1\] for "flow"; divide timesteps by 1000, got 900'),
        ([0.1, 0.3, 0.5, 0.7, 0.9], "flow", "must fall"),
        ([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0], "v_prediction", "must hold one level a timestep, got 7 for 5 timesteps; leave out"),
    ],
)
def test_noise_levels_that_cannot_be_those_of_a_sampling(sigmas, prediction, told):
    with pytest.raises(ValueError, match=told):
        Steps(made()[1], TIMES, sigmas=sigmas, prediction=prediction)


@pytest.mark.parametrize("sigmas", [[*LEVELS, 0.0], [float("inf"), *LEVELS[1:]], np.asarray(LEVELS), [0.5] * 5])
def test_levels_that_can_be(sigmas):
    Steps(made()[1], TIMES, sigmas=sigmas, prediction="v_prediction")


@pytest.mark.parametrize("given", [{"sigmas": LEVELS}, {"prediction": "sample"}, {"sigmas": LEVELS, "prediction": "v_prediction"}])
def test_a_timeline_has_its_own_levels_and_prediction(given):
    timeline = Timeline(TIMES, LEVELS, "v_prediction")
    with pytest.raises(ValueError, match="`sigmas` and `prediction` must be left out where `timesteps` is a `Timeline`"):
        Steps(made()[1], timeline, **given)
    assert Steps(made()[1], timeline, prediction="v_prediction").timeline is timeline


def test_timesteps_in_the_order_opposite_to_that_of_the_sampling():
    """The window would end up at the end of the sampling."""
    steps = Steps(made(stop=0.5)[1], TIMES.flip(0))
    with pytest.raises(ValueError, match="in the order of the sampling: it began at the last of them, 900, and went on at 700; turn them"):
        run(steps)
    rising = Steps(made(stop=0.5)[1], TIMES.flip(0))  # a model whose times rise
    run(rising, times=TIMES.flip(0))
    assert [step.guided for step in rising.trace] == [True, True, True, False, False]


@pytest.mark.parametrize("timesteps", [TIMES[None], 4, "ab", [float("nan")]])
def test_timesteps_are_a_list_of_numbers(timesteps):
    with pytest.raises((TypeError, ValueError), match="`timesteps` must be"):
        Steps(made()[1], timesteps)


@pytest.mark.parametrize("scenes", [None, "a cat left of a dog", [], ["a cat left of a dog"], [[2], [8]]])
def test_a_prompt_is_no_scene(scenes):
    model = made()[0]
    with pytest.raises(TypeError, match="`scenes` must be a `Scene`, or a list of at least one, such as `parse_prompt` returns, got"):
        Guidance(model, Source(model), scenes, [[0], [1]])


def test_the_denoiser_is_a_module_and_not_its_pipeline():
    pipe = tiny.sd()
    for denoiser in (pipe, None, lambda sample, *_: sample):
        with pytest.raises(TypeError, match="`denoiser` must be the module that predicts the noise, such as `pipe.unet`"):
            Guidance(denoiser, backbone_for(pipe), SCENE, [[2], [8]])
    assert Guidance(lambda x: x, Source(torch.nn.Identity()), SCENE, [[0], [1]]).module is None


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ((torch.zeros(1),), "tuple; take the tensor out of it, such as its `sample`"),
        (UNet2DConditionOutput(torch.zeros(1)), "UNet2DConditionOutput; take the tensor out of it, such as its `sample`"),
        (np.zeros(1), "ndarray"),
        (torch.zeros(1, dtype=torch.int64), "torch.int64"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_tensor_of_real_numbers_is_refused(value, came):
    _, guidance = made()
    steps = Steps(guidance, TIMES)
    for call, name in ((steps.shifted, "output"), (lambda x: steps(x, TIMES[0]), "sample"), (guidance, "sample")):
        with pytest.raises(TypeError) as error:
            call(value)
        assert str(error.value) == f"`{name}` must be a tensor of real numbers, got {came}"


def test_a_loop_that_begins_after_the_window_is_told():
    """As image-to-image with the whole list of the scheduler: the window would be counted from a step that never runs."""
    steps = Steps(made(stop=0.5)[1], TIMES)
    with pytest.warns(UserWarning, match="nothing will be guided: the first pass, at timestep 300, is 60% of the way through `timesteps`"):
        run(steps, times=TIMES[3:])
    assert not any(step.guided for step in steps.trace)


@pytest.mark.parametrize("first", [0, 2])
def test_a_loop_that_begins_within_the_window_is_not(first):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(Steps(made(stop=0.5, scale=1.0)[1], TIMES), times=TIMES[first:])
        run(Steps(made(start=0.5, stop=0.5)[1], TIMES), times=TIMES[3:])


@pytest.mark.parametrize("make", [lambda: made()[1], lambda: guide(tiny.sd(), "a circle left of a square")])
def test_options_cannot_be_exchanged_afterwards(make):
    """The loss and the layers would stay those of the former ones."""
    made = make()
    with pytest.raises(AttributeError, match="config"):
        made.config = GuidanceConfig()
    getattr(made, "dismiss", lambda: None)()


def test_a_window_without_a_step_is_told():
    with pytest.warns(UserWarning, match=r"no step lies between `start` 0.45 and `stop` 0.55, they are at 0.00, 0.20, 0.40, 0.60, 0.80$"):
        Steps(made(start=0.45, stop=0.55)[1], TIMES)
    with warnings.catch_warnings(action="error"):
        Steps(made(start=0.5, stop=0.5)[1], TIMES)  # asks for none


def test_noise_levels_are_no_timesteps():
    """By them, guidance would stop after a few steps."""
    levels = torch.tensor([14.6, 7.0, 3.0, 1.0, 0.3, 0.03])
    with pytest.warns(UserWarning, match=r"`timesteps` look like noise levels, 14.6 to 0.03, .* give `infsplign.timesteps_of"):
        Steps(made()[1], levels)
    with warnings.catch_warnings(action="error"):
        Steps(made()[1], [99.0, 50.0, 1.0])
        Steps(made()[1], [1.0, 0.5, 0.1])


def test_deviations_of_the_noise_are_no_ratios():
    signal = (1 - torch.linspace(0.001, 0.999, 1000)).cumprod(0).clamp(min=1e-3)
    times = torch.tensor([999, 500, 1])
    with pytest.warns(UserWarning, match=r"`sigmas` must be ratios of noise to signal, .* at timestep 999, is below 1"):
        Steps(made()[1], times, sigmas=(1 - signal[times]) ** 0.5, prediction="v_prediction")
    with warnings.catch_warnings(action="error"):
        Steps(made()[1], times, sigmas=((1 - signal[times]) / signal[times]) ** 0.5, prediction="v_prediction")


def test_a_gradient_through_a_guided_step_is_told():
    """Training through it would get a part of the gradient."""
    steps = Steps(made()[1], TIMES)
    x = torch.randn(1, 2, 5, 6, requires_grad=True)
    with pytest.warns(UserWarning, match=r"`sample` requires a gradient, and the output of a guided step has none"):
        steps(x, TIMES[0])
    with torch.no_grad(), warnings.catch_warnings(action="error"):
        Steps(made()[1], TIMES)(x, TIMES[0])


def test_rising_timesteps_are_told_unless_the_noise_falls():
    with pytest.warns(UserWarning, match="`timesteps` rise, 100 to 900, as in an inversion, where guidance would push the opposite way"):
        Steps(made()[1], TIMES.flip(0))
    with warnings.catch_warnings(action="error"):
        Steps(made()[1], TIMES.flip(0), sigmas=LEVELS, prediction="v_prediction")
