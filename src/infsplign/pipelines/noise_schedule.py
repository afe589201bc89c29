"""What a diffusers scheduler expects from the model, and its signal and noise coefficients."""

from typing import Any

import torch
from torch import Tensor

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


def parametrisation(scheduler: Any, timestep: Any) -> tuple[str, Tensor | float, Tensor | float]:
    """Returns (prediction, alpha, sigma) at `timestep`, with `x_t = alpha x_0 + sigma eps`.

    For "epsilon" these are 1 and 0 at every step: the factor of the shift is 1 whatever the coefficients.

    Raises:
        ValueError: the scheduler's `prediction_type` is none of `PREDICTIONS`.
    """
    prediction = prediction_type(scheduler)
    return (prediction, 1.0, 0.0) if prediction == "epsilon" else (prediction, *coefficients(scheduler, timestep))


def coefficients(scheduler: Any, timestep: Any) -> tuple[Tensor, Tensor]:
    """Returns alpha and sigma at `timestep`, with `x_t = alpha x_0 + sigma eps`: numbers on the timestep's device, not waited for.

    Args:
        scheduler: a diffusers scheduler, before its `step` at `timestep`.
        timestep: as given to its `step`; fractional timesteps take the nearest coefficients.
    """
    timestep = torch.as_tensor(timestep)
    if prediction_type(scheduler) == "flow":  # timesteps may be anything (CogView4's are not 1000 sigma); the noise levels are listed
        sigma = _flow_sigma(scheduler, timestep)
        return 1.0 - sigma, sigma
    signals = scheduler.alphas_cumprod.to(timestep.device, non_blocking=True)
    nearest = timestep.double().round().long().clamp(0, len(signals) - 1)
    signal = signals.index_select(0, nearest.reshape(1))[0]
    return signal.sqrt(), (1.0 - signal).sqrt()


def _flow_sigma(scheduler: Any, timestep: Tensor) -> Tensor:
    """The noise level of the coming step, whose number schedulers find out in their first `step`."""
    for index in (scheduler.step_index, scheduler.begin_index):
        if index is not None:
            return scheduler.sigmas[int(index)]
    match = scheduler.timesteps.to(timestep.device, non_blocking=True) == timestep
    number = match.cumsum(0)
    place = (match & (number == number[-1].clamp(max=2))).int().argmax()  # of equal timesteps the second, as `index_for_timestep` has it
    return scheduler.sigmas.to(timestep.device, non_blocking=True).index_select(0, place.reshape(1))[0]
