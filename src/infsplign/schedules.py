"""What a diffusers scheduler expects from the model, and its signal and noise coefficients."""

from typing import Any

import torch

from infsplign.core.update import PREDICTIONS
from infsplign.errors import UnsupportedPipelineError


def check_scheduler(scheduler: Any) -> None:
    """Refuses schedulers whose model output is not known to mean noise, v, x_0 or velocity.

    Raises:
        UnsupportedPipelineError: neither a flow-matching scheduler nor one with `alphas_cumprod`: EDM's, whose preconditioned output
            has another sign and size than the noise.
        ValueError: its `prediction_type` is none of `PREDICTIONS`.
    """
    if prediction_type(scheduler) != "flow" and not hasattr(scheduler, "alphas_cumprod"):
        raise UnsupportedPipelineError(
            "`pipe.scheduler` must be a flow-matching one or have `alphas_cumprod`, by which a shift of the noise is said in the model's "
            f"terms; {type(scheduler).__name__} is neither. Use DDIM, DDPM, PNDM, Euler or DPM-Solver++, where the model allows it"
        )


def prediction_type(scheduler: Any) -> str:
    """What the model is trained to predict, one of `PREDICTIONS`.

    Raises:
        ValueError: it is none of them.
    """
    if any(base.__name__.startswith("FlowMatch") for base in type(scheduler).__mro__):
        return "flow"
    prediction = getattr(scheduler.config, "prediction_type", "epsilon")
    if prediction == "flow_prediction":
        return "flow"
    if prediction not in PREDICTIONS:
        names = ", ".join(("epsilon", "v_prediction", "sample", "flow_prediction"))
        raise ValueError(f"`scheduler.config.prediction_type` must be one of {names}, got {prediction!r}")
    return prediction


def parametrisation(scheduler: Any, timestep: Any) -> tuple[str, float, float]:
    """Returns (prediction, alpha, sigma) at `timestep`, with `x_t = alpha x_0 + sigma eps`.

    Args:
        scheduler: a diffusers scheduler, before its `step` at `timestep`.
        timestep: as given to its `step`; fractional timesteps take the nearest coefficients.

    Raises:
        ValueError: the scheduler's `prediction_type` is none of `PREDICTIONS`.
    """
    prediction = prediction_type(scheduler)
    if prediction == "epsilon":
        return prediction, 1.0, 0.0  # the factor is 1 whatever the coefficients
    if prediction == "flow":  # timesteps may be anything (CogView4's are not 1000 sigma); the noise levels are listed
        sigma = float(scheduler.sigmas[_index(scheduler, timestep)])
        return prediction, 1.0 - sigma, sigma
    t = int(torch.as_tensor(timestep).round().clamp(0, len(scheduler.alphas_cumprod) - 1))
    signal = float(scheduler.alphas_cumprod[t])
    return prediction, signal**0.5, (1 - signal) ** 0.5


def _index(scheduler: Any, timestep: Any) -> int:
    """Number of the coming step: schedulers find it out in their first `step`."""
    for index in (scheduler.step_index, scheduler.begin_index):
        if index is not None:
            return int(index)
    return int(scheduler.index_for_timestep(timestep))
