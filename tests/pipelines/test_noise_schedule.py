"""Signal and noise coefficients of diffusers schedulers."""

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

from infsplign.pipelines.noise_schedule import parametrisation


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
