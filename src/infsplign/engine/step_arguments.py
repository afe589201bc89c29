"""The arguments of `Steps`: the timeline of its sampling, and what its calls are given."""

import inspect
import warnings
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
    if not given:
        tell_of_window(timeline, config)
        _tell_of_strange_times(timeline)
    return timeline


def tell_of_window(timeline: Timeline, config: GuidanceConfig) -> None:
    """Warns of a window without a step."""
    progress = [timeline.of(i).progress for i in range(len(timeline))]
    if config.start < config.stop and not any(config.start <= place < config.stop for place in progress):
        places = ", ".join(f"{place:.2f}" for place in progress[:6]) + ", ..." * (len(progress) > 6)
        told = f"nothing will be guided: no step lies between `start` {config.start:g} and `stop` {config.stop:g}, they are at {places}"
        warnings.warn(told, stacklevel=4)


def _tell_of_strange_times(timeline: Timeline) -> None:
    """Warns of noise levels and timesteps that are taken for each other."""
    first, last = timeline.timesteps[0], timeline.timesteps[-1]
    if timeline.prediction == "flow":
        return
    if first < last and timeline.sigmas is None:
        warnings.warn(
            f"`timesteps` rise, {first:g} to {last:g}, as in an inversion, where guidance would push the opposite way; if only the model's "
            "times rise, give `sigmas` too", stacklevel=4,
        )  # fmt: skip
    if 1.5 < first < 200 and 0 < last < 1:  # training times end at 0 or 1, or are parts of 1
        warnings.warn(
            f"`timesteps` look like noise levels, {first:g} to {last:g}, so that guidance would stop early; give "
            "`infsplign.timesteps_of(sigmas, alphas_cumprod)`, also where the denoiser takes the levels themselves", stacklevel=4,
        )  # fmt: skip
    if timeline.sigmas and first > 800 and timeline.sigmas[0] < 1:
        warnings.warn(
            f"`sigmas` must be ratios of noise to signal, `((1 - alphas_cumprod[t]) / alphas_cumprod[t]) ** 0.5`, and the first one, "
            f"{timeline.sigmas[0]:g} at timestep {first:g}, is below 1; is it `(1 - alphas_cumprod[t]) ** 0.5`?", stacklevel=4,
        )  # fmt: skip


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
