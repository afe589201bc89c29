"""Noise levels and training times of a sampling."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

UNIFORM = 0.1
"""Timesteps are evenly spaced if none differs by more than this fraction of a step; training times are rounded to integers."""


def progress(times: Sequence[float]) -> list[float]:
    """Computes the fraction of the noise that has been removed before each step: 0 at the first step, below 1 at the last.

    Evenly spaced times give `i / n`. Other times give `(t_0 - t_i) / (t_0 - t_n)`, where `t_n` is one step after the last. So the same
    progress means the same part of the noise under every spacing. Equal times, which second-order schedulers list twice, count as one
    step.

    Args:
        times: training times, or for flow matching noise levels, in the order of sampling.

    >>> progress([900.0, 600.0, 300.0])
    [0.0, 0.3333333333333333, 0.6666666666666666]
    >>> [round(p, 3) for p in progress([900.0, 800.0, 400.0, 100.0])]
    [0.0, 0.091, 0.455, 0.727]
    """
    steps = list(dict.fromkeys(times))
    count = len(steps)
    gap = (steps[0] - steps[-1]) / (count - 1) if count > 1 else 0.0
    tolerance = max(UNIFORM * abs(gap), 1.0 if all(float(t).is_integer() for t in steps) else 0.0)
    if count < 3 or all(abs(steps[0] - i * gap - t) <= tolerance for i, t in enumerate(steps)):
        place = {t: i / count for i, t in enumerate(steps)}
    else:
        whole = steps[0] - steps[-1] + abs(steps[-2] - steps[-1])
        below = math.nextafter(1.0, 0.0)
        place = {t: min(max((steps[0] - t) / whole, 0.0), below) if whole > 0 else i / count for i, t in enumerate(steps)}
    return [place[t] for t in times]


def coefficients(sigma: float, prediction: str) -> tuple[float, float]:
    """Computes (alpha, sigma) of `x_t = alpha x_0 + sigma eps` at a noise level.

    >>> coefficients(0.25, "flow")
    (0.75, 0.25)
    >>> coefficients(0.75, "epsilon")
    (0.8, 0.6000000000000001)
    """
    if prediction == "flow":
        return max(0.0, 1.0 - sigma), sigma  # a scheduler's first level may be rounded to more than 1
    if math.isinf(sigma):  # zero terminal signal-to-noise ratio
        return 0.0, 1.0
    alpha = 1.0 / math.hypot(1.0, sigma)
    return alpha, alpha * sigma


def timesteps_of(sigmas: Any, alphas_cumprod: Any) -> Tensor:
    """Computes training times from noise levels, for samplers without timesteps: linear in `log sigma`, as in k-diffusion.

    Args:
        sigmas: (n,), ratios of noise to signal, > 0; tensor, array or list.
        alphas_cumprod: (T,), of the model's training schedule: falling from nearly 1.

    Returns:
        (n,), fractional timesteps in [0, T - 1], in float32 or better; levels beyond the schedule's get its first or last.

    Raises:
        ValueError: `alphas_cumprod` do not fall, as those of another order and `betas` do not.

    >>> timesteps_of(torch.tensor([1.0]), torch.tensor([0.9, 0.5, 0.1])).tolist()
    [1.0]
    """
    sigmas, alphas_cumprod = torch.as_tensor(sigmas), torch.as_tensor(alphas_cumprod)
    signal = alphas_cumprod.double()
    levels = (((1.0 - signal) / signal) ** 0.5).log()
    if not levels[0] < levels[-1]:
        ends = f"{float(alphas_cumprod[0]):g} to {float(alphas_cumprod[-1]):g}"
        raise ValueError(f"`alphas_cumprod` must fall from nearly 1 to nearly 0, got {ends}; are they `betas`, or turned around?")
    wanted = sigmas.double().log().clamp(levels[0], levels[-1])
    after = torch.searchsorted(levels, wanted).clamp(1, len(levels) - 1)
    low, high = levels[after - 1], levels[after]
    return (after - 1 + (wanted - low) / (high - low)).to(torch.promote_types(sigmas.dtype, torch.float32))


def check_levels(sigmas: Sequence[float], prediction: str) -> None:
    """Raises ValueError unless noise levels can be those of a sampling: in range, and no higher at its end than at its beginning."""
    most = 1.0 if prediction == "flow" else math.inf
    if wrong := [s for s in sigmas if not 0 <= s <= most]:
        wanted = 'lie in [0, 1] for "flow"; divide timesteps by 1000' if prediction == "flow" else "be >= 0"
        raise ValueError(f"`sigmas` must {wanted}, got {wrong[0]:g}")
    if sigmas[0] < sigmas[-1]:
        raise ValueError(
            f"`sigmas` must fall from the first step to the last, got {sigmas[0]:g} to {sigmas[-1]:g}; they are levels of the noise, in "
            "the order of `timesteps`"
        )
