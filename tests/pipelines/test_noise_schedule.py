"""Signal and noise coefficients of diffusers schedulers."""

import math

import pytest
from diffusers import DDIMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler

from infsplign.engine.timeline import coefficients
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
