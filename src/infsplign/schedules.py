"""What a diffusers scheduler expects from the model, and its signal and noise coefficients."""

from typing import Any

import torch

from infsplign.core.update import PREDICTIONS
from infsplign.errors import UnsupportedPipelineError


def check_scheduler(scheduler: Any) -> None:
    """Refuses schedulers whose model output is not known to mean noise, v or x_0.

    Raises:
        UnsupportedPipelineError: a scheduler without `alphas_cumprod`, such as EDM's, whose preconditioned output has another sign
            and size than the noise.
        ValueError: its `prediction_type` is none of `PREDICTIONS`.
    """
    if not hasattr(scheduler, "alphas_cumprod"):
        raise UnsupportedPipelineError(
            "`pipe.scheduler` must have `alphas_cumprod`, by which a shift of the noise is said in the model's terms; "
            f"{type(scheduler).__name__} has none. Use DDIM, DDPM, PNDM, Euler or DPM-Solver++, where the model allows it"
        )
    prediction_type(scheduler)


def prediction_type(scheduler: Any) -> str:
    """What the model is trained to predict.

    Raises:
        ValueError: it is none of `PREDICTIONS`.
    """
    prediction = getattr(scheduler.config, "prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise ValueError(f"`scheduler.config.prediction_type` must be one of {', '.join(PREDICTIONS)}, got {prediction!r}")
    return prediction


def parametrisation(scheduler: Any, timestep: Any) -> tuple[str, float, float]:
    """Returns (prediction, alpha, sigma) at `timestep`, with `x_t = alpha x_0 + sigma eps`.

    Args:
        scheduler: a diffusers scheduler.
        timestep: as given to its `step`; fractional timesteps take the nearest coefficients.

    Raises:
        ValueError: the scheduler's `prediction_type` is none of `PREDICTIONS`.
    """
    prediction = prediction_type(scheduler)
    if prediction == "epsilon":
        return prediction, 1.0, 0.0  # the factor is 1 whatever the coefficients
    t = int(torch.as_tensor(timestep).round().clamp(0, len(scheduler.alphas_cumprod) - 1))
    signal = float(scheduler.alphas_cumprod[t])
    return prediction, signal**0.5, (1 - signal) ** 0.5
