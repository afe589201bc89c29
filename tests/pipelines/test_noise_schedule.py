"""Signal and noise coefficients of diffusers schedulers."""

import math

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from infsplign.engine.noise_levels import coefficients
from infsplign.pipelines.noise_schedule import first_step, prediction_type, sigmas_of, timeline_of


@pytest.mark.parametrize("kind", [DDIMScheduler, EulerDiscreteScheduler])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_noise_levels_are_those_of_the_training_noise(kind, prediction):
    scheduler = kind(prediction_type=prediction)
    assert prediction_type(scheduler) == prediction
    for timestep, ratio in zip((0, 500, 998.7), sigmas_of(scheduler, [0, 500, 998.7]), strict=True):
        alpha, sigma = coefficients(ratio, prediction)
        assert alpha**2 + sigma**2 == pytest.approx(1)
        assert alpha**2 == pytest.approx(float(scheduler.alphas_cumprod[round(timestep)]), rel=1e-6)


KARRAS_KIND = {
    "log-linear": (EulerDiscreteScheduler, {"interpolation_type": "log_linear"}),
    "continuous": (EulerDiscreteScheduler, {"timestep_type": "continuous"}),
    "Karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "even": (UniPCMultistepScheduler, {}),
}


@pytest.mark.parametrize("name", KARRAS_KIND)
def test_noise_levels_are_those_that_the_scheduler_computes_with(name):
    """Whatever its timesteps are: where they do not tell, a shift of v would be several times too small or too large."""
    kind, options = KARRAS_KIND[name]
    scheduler = kind(prediction_type="v_prediction", **options)
    scheduler.set_timesteps(6)
    x, v = torch.randn(2, 1, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for place in map(timeline_of(scheduler).of, range(5)):  # the sixth is at the edge of the schedule, where some schedulers clamp it
        index = scheduler.timesteps.tolist().index(place.timestep)
        scheduler._step_index = index
        if kind is EulerDiscreteScheduler:  # its latents are x / alpha
            scheduler.scale_model_input(x, scheduler.timesteps[index])
            clean = scheduler.step(v, scheduler.timesteps[index], x / place.alpha).pred_original_sample
        else:
            clean = scheduler.convert_model_output(v, sample=x)
        assert torch.allclose(clean.double(), place.alpha * x - place.sigma * v, rtol=1e-4, atol=1e-4)


def test_flow_matching_lists_its_levels():
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(4)
    timeline = timeline_of(scheduler, 1)
    assert timeline.prediction == "flow"
    assert timeline.sigmas == pytest.approx(scheduler.sigmas[1:4].tolist())
    assert timeline.timesteps == pytest.approx(scheduler.timesteps[1:].tolist())


def test_a_schedule_of_zero_terminal_signal_ends_in_pure_noise():
    scheduler = DDIMScheduler(rescale_betas_zero_snr=True)
    (ratio,) = sigmas_of(scheduler, [999])
    assert math.isinf(ratio) or ratio > 1e3
    assert coefficients(math.inf, "v_prediction") == (0.0, 1.0)


def test_a_call_begins_where_its_denoiser_does():
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(10)
    assert first_step(scheduler, scheduler.timesteps[4]) == 4
    assert first_step(scheduler, None) == first_step(scheduler, 0.5) == 0  # in units that are not the scheduler's
    euler = EulerDiscreteScheduler()
    euler.set_timesteps(10)
    euler.set_begin_index(3)
    assert first_step(euler, 0.5) == 3


def test_an_unknown_parametrisation_is_refused():
    scheduler = DDIMScheduler()
    scheduler.register_to_config(prediction_type="score")
    with pytest.raises(ValueError, match="prediction_type.*'score'"):
        prediction_type(scheduler)
