"""Reads from a diffusers scheduler what the model predicts and how much noise its timesteps have."""

import math
from typing import Any

import torch
from torch import Tensor

from infsplign.core.update import PREDICTIONS
from infsplign.engine.timeline import Timeline
from infsplign.errors import UnsupportedPipelineError


def check_scheduler(scheduler: Any) -> None:
    """Raises an error for a scheduler unless its model output is noise, v, x_0 or velocity.

    Raises:
        UnsupportedPipelineError: neither a flow-matching scheduler nor one with `alphas_cumprod`. An example is EDM's, whose preconditioned
            output differs from the noise in sign and size.
        ValueError: its `prediction_type` is none of `PREDICTIONS`.
    """
    if prediction_type(scheduler) != "flow" and not hasattr(scheduler, "alphas_cumprod"):
        raise UnsupportedPipelineError(
            "`pipe.scheduler` must be a flow-matching scheduler or have `alphas_cumprod`, which convert a shift of the noise to one of the "
            f"model's output; {type(scheduler).__name__} is neither. Use DDIM, DDPM, PNDM, Euler or DPM-Solver++, where the model allows it"
        )


def prediction_type(scheduler: Any) -> str:
    """Returns what the model is trained to predict, one of `PREDICTIONS`.

    Raises:
        ValueError: it is none of them.
    """
    if any(base.__name__.startswith("FlowMatch") for base in type(scheduler).__mro__):
        return "flow"
    prediction = getattr(scheduler.config, "prediction_type", "epsilon")
    if prediction == "flow_prediction":
        return "flow"
    if prediction not in PREDICTIONS:
        names = "epsilon, v_prediction, sample, flow_prediction"  # as schedulers call them
        raise ValueError(f"`scheduler.config.prediction_type` must be one of {names}, got {prediction!r}")
    return prediction


def sigmas_of(scheduler: Any, timesteps: list[float]) -> list[float]:
    """Returns the noise level of each of a scheduler's timesteps, in the form that `Timeline` takes.

    Flow-matching schedulers list their noise levels; their timesteps may have any unit (CogView4's are not 1000 sigma). So do schedulers of
    the Karras kind, one a step: with log-linear levels or continuous timesteps, `log(sigma) / 4`, the training times tell nothing of them.
    The others have `alphas_cumprod` at training times; a fractional timestep takes the nearest one.
    """
    listed = getattr(scheduler, "sigmas", None)
    one_a_step = listed is not None and scheduler.order == 1 and len(timesteps) == len(scheduler.timesteps) < len(listed)
    if prediction_type(scheduler) == "flow" or one_a_step:
        return [float(sigma) for sigma in scheduler.sigmas.tolist()][: len(timesteps)]
    signals = scheduler.alphas_cumprod.tolist()
    return [_ratio(signals[min(max(round(t), 0), len(signals) - 1)]) for t in timesteps]


def timeline_of(scheduler: Any, first: int = 0) -> Timeline:
    """Makes the timeline of a scheduler's steps from number `first` on, because image-to-image begins in the middle.

    Raises:
        UnsupportedPipelineError: the noise rises, as in an inversion.
    """
    timesteps = scheduler.timesteps
    levels = sigmas_of(scheduler, [float(t) for t in timesteps.tolist()])
    rising = levels[0] < levels[-1] if prediction_type(scheduler) == "flow" else timesteps[0] < timesteps[-1]
    if rising:
        raise UnsupportedPipelineError(
            f"{type(scheduler).__name__} adds noise step by step, as for an inversion, where guidance would push the opposite way; put "
            "only the sampling into the `guide` block"
        )
    return Timeline(timesteps[first:], levels[first:], prediction_type(scheduler))


def input_factor(scheduler: Any, timestep: Any, like: Tensor) -> Tensor:
    """Returns the factor from the latents to the denoiser's input: `1 / sqrt(sigma^2 + 1)` for Karras schedulers, else 1.

    Args:
        scheduler: a diffusers scheduler, before its `step` at `timestep`.
        timestep: as passed to its `step`.
        like: a tensor with the dtype and device of the factor.
    """
    one = torch.ones((), dtype=like.dtype, device=like.device)
    scale = getattr(scheduler, "scale_model_input", None)  # flow matching has none
    return one if scale is None else scale(one, timestep)


def first_step(scheduler: Any, timestep: Any) -> int:
    """Returns the number of the first step of a call, from the timestep of its denoiser's first pass.

    Pipelines tell the scheduler (`set_begin_index`), or pass the scheduler's own timesteps to the denoiser; for flow matching they may be
    in other units.
    """
    begin = getattr(scheduler, "begin_index", None)
    if begin is not None:
        return int(begin)
    known = [float(t) for t in torch.as_tensor(scheduler.timesteps).tolist()]
    value = None if timestep is None else float(torch.as_tensor(timestep).flatten()[0])
    return known.index(value) if value in known else 0


def same_timesteps(a: Any, b: Any) -> bool:
    """Whether two lists of timesteps are equal. Copies are equal too: pipelines of several views exchange their scheduler's state."""
    return a is b or (len(a) == len(b) and torch.equal(torch.as_tensor(a), torch.as_tensor(b)))


def _ratio(signal: float) -> float:
    return math.inf if signal <= 0 else math.sqrt((1.0 - signal) / signal)
