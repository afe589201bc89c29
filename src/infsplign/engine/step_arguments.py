"""The arguments of `Steps`: the timeline of its sampling, and what its calls are given."""

import inspect
from typing import Any

import torch
from torch import Tensor

from infsplign.engine.config import GuidanceConfig
from infsplign.engine.noise_levels import check_levels
from infsplign.engine.timeline import Timeline


def timeline_for(timesteps: Any, sigmas: Any, prediction: str, config: GuidanceConfig) -> Timeline:
    """Makes the timeline of a sampling from the arguments of `Steps`.

    Raises:
        ValueError: see `Steps`.
    """
    given = isinstance(timesteps, Timeline)
    if given and (sigmas is not None or prediction not in ("epsilon", timesteps.prediction)):
        raise ValueError("`sigmas` and `prediction` must be left out where `timesteps` is a `Timeline`, which has its own")
    timeline = timesteps if given else Timeline(timesteps, sigmas, prediction)
    prediction = timeline.prediction
    if sigmas is not None and timeline.further > 1:
        count, came = len(timeline), len(timeline) + timeline.further
        raise ValueError(f"`sigmas` must hold one level a timestep, got {came} for {count} timesteps; leave out those of other steps")
    if sigmas is not None and timeline.sigmas is not None:
        check_levels(timeline.sigmas, prediction)
    if timeline.sigmas is None and (config.repeats > 1 or (prediction != "epsilon" and config.update != "direct")):
        why = "`repeats` move the latents by them" if prediction == "epsilon" else f"a shift of the noise becomes one of {prediction!r}"
        raise ValueError(f"`sigmas` must be given, one a timestep: {why}")
    return timeline


def takes_timestep_by_name(denoiser: Any) -> bool:
    """Whether the denoiser has an argument `timestep` that is not the second one."""
    module = getattr(denoiser, "_orig_mod", denoiser)  # what `torch.compile` wrapped
    try:
        names = list(inspect.signature(getattr(module, "forward", module)).parameters)
    except (TypeError, ValueError):  # a function without a signature
        return False
    return "timestep" in names[2:]


def factor_of(factor: Any, like: Tensor) -> Tensor | float:
    """One factor, or one a row, in the shape that multiplies `like` (B, ...) row by row.

    Raises:
        ValueError: as many factors as neither one nor the rows.
    """
    if isinstance(factor, int | float):
        return factor
    factors = torch.as_tensor(factor, dtype=like.dtype, device=like.device)
    if factors.numel() not in (1, len(like)):
        raise ValueError(f"`input_factor` must be one number, or one for each of the {len(like)} rows, got {factors.numel()}")
    return factors.reshape(-1, *[1] * (like.ndim - 1))
