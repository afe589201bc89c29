"""The steps of one sampling: their timesteps, progress and noise levels."""

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from infsplign.core.update import PREDICTIONS

SAME = 0.01
"""A pass is at a timestep of the list if it differs by at most this fraction of the smallest step: types and units round."""
UNIFORM = 0.1
"""Timesteps are evenly spaced if none differs by more than this fraction of a step; training times are rounded to integers."""


class Place(NamedTuple):
    """The place of a pass of the denoiser in the sampling.

    Attributes:
        timestep: of the pass.
        progress: fraction of the noise that has been removed, in [0, 1); see `progress`.
        alpha, sigma: `x_t = alpha x_0 + sigma eps`; None if the noise levels are not known.
        last: whether this is the last step.
    """

    timestep: float
    progress: float
    alpha: float | None = None
    sigma: float | None = None
    last: bool = False


class Timeline:
    """The steps of one sampling.

    Args:
        timesteps: of the steps, in order, as passed to the denoiser. They are read once, which waits for a GPU once.
        sigmas: noise level of each; in [0, 1] for "flow" (`x_t = (1 - sigma) x_0 + sigma eps`), otherwise the ratio of noise to signal,
            as in k-diffusion and diffusers' Euler (`sigma / alpha`). None if they are not needed.
        prediction: what the model predicts, one of `infsplign.core.update.PREDICTIONS`.

    Attributes:
        further: number of `sigmas` after those of the timesteps. One is the end of the sampling, as diffusers' schedulers list it.

    Raises:
        ValueError: no timestep, one that is not a number, an unknown `prediction`, or not one sigma a timestep.
        TypeError: not lists of numbers.
    """

    def __init__(self, timesteps: Any, sigmas: Any = None, prediction: str = "epsilon") -> None:
        if prediction not in PREDICTIONS:
            raise ValueError(f"`prediction` must be one of {', '.join(PREDICTIONS)}, got {prediction!r}")
        self.prediction, self._given = prediction, timesteps
        self.timesteps = _numbers(timesteps, "timesteps")
        levels = None if sigmas is None else _numbers(sigmas, "sigmas")
        self.further = 0 if levels is None else len(levels) - len(self.timesteps)
        self.sigmas = None if levels is None else levels[: len(self.timesteps)]
        if not self.timesteps:
            raise ValueError("`timesteps` must hold at least one timestep, got none")
        if self.sigmas is not None and len(self.sigmas) != len(self.timesteps):
            raise ValueError(f"`sigmas` must hold one level a timestep, got {len(self.sigmas)} for {len(self.timesteps)} timesteps")
        if prediction == "flow" and self.sigmas and self.timesteps[0] < self.timesteps[-1] and self.sigmas[0] > self.sigmas[-1]:
            told = "guidance would push the opposite way: give and take the model's output with the other sign"
            warnings.warn(f"`timesteps` rise from noise to image; if the velocity does too (image minus noise), {told}", stacklevel=2)
        self._progress = progress(self.sigmas if prediction == "flow" and self.sigmas else self.timesteps)
        steps = [abs(b - a) for a, b in itertools.pairwise(self.timesteps) if a != b]
        self._tolerance = SAME * min(steps, default=0.0)

    def __len__(self) -> int:
        return len(self.timesteps)

    def of(self, index: int) -> Place:
        """Returns the place of step `index`."""
        alpha, sigma = (None, None) if self.sigmas is None else coefficients(self.sigmas[index], self.prediction)
        return Place(self.timesteps[index], self._progress[index], alpha, sigma, index + 1 >= len(self))

    def at(self, timestep: Any) -> Place:
        """Returns the place of a pass at `timestep`, which may lie between two steps, as in second-order samplers.

        Raises:
            ValueError: it is not one number, or its rows are at different timesteps.
            TypeError: it is no number at all.
        """
        value = _one_number(timestep) if self._index(timestep) is None else self.value(timestep)
        assert value is not None  # it is one of `timesteps`
        nearest = min(range(len(self)), key=lambda i: abs(self.timesteps[i] - value))
        if abs(self.timesteps[nearest] - value) <= self._tolerance:
            return self.of(nearest)._replace(last=self.timesteps[nearest] == self.timesteps[-1])  # Heun's list ends with one timestep twice
        alpha, sigma = (None, None) if self.sigmas is None else coefficients(self._between(value, self.sigmas), self.prediction)
        return Place(value, self._between(value, self._progress), alpha, sigma)

    def begins(self, place: Place) -> bool:
        """Whether a sampling can begin at a place: at a step of the list, or near the first one, a little noisier too (EDM's churn)."""
        steps = list(dict.fromkeys(self.timesteps))
        if place.timestep in steps or len(steps) < 2:
            return True
        step, away = steps[1] - steps[0], place.timestep - steps[0]
        return abs(away) <= (abs(step) if away * step > 0 else max(abs(step), abs(steps[0])))

    def _between(self, timestep: float, values: Sequence[float]) -> float:
        """Interpolates `values`, one for each step, linearly at a timestep; constant before the first step and after the last."""
        order = np.argsort(self.timesteps, kind="stable")
        return float(np.interp(timestep, np.asarray(self.timesteps)[order], np.asarray(values)[order]))

    def value(self, timestep: Any) -> float | None:
        """Returns a timestep as a number, if it is on the host or one of `timesteps`; None if reading it would wait for a device."""
        if not isinstance(timestep, Tensor):
            return float(timestep)
        index = self._index(timestep)
        if index is not None:
            return self.timesteps[index]
        return float(timestep.flatten()[0]) if timestep.device.type == "cpu" else None

    def _index(self, timestep: Any) -> int | None:
        """Returns the number of the step that a timestep is an element of; None if it is none of `timesteps`, or a copy of one.

        What shares their memory may also lie before, after or between them, where `timesteps` are a part of a longer tensor."""
        given = self._given
        if not (isinstance(timestep, Tensor) and isinstance(given, Tensor) and given.ndim == 1 and _shares(timestep, given)):
            return None
        index, between = divmod(int(timestep.storage_offset() - given.storage_offset()), max(1, int(given.stride(0))))
        return index if not between and 0 <= index < len(self) else None


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


def _one_number(timestep: Any) -> float:
    """The number of a timestep, which may be given once a row: rows at different timesteps would have one window and one shift."""
    try:
        found = set(timestep.flatten().tolist() if hasattr(timestep, "flatten") else [float(timestep)])
    except (TypeError, ValueError) as error:
        raise TypeError(f"`timestep` must be a number, as in `timesteps`, got {timestep!r:.100}") from error
    if len(found) != 1:
        told = f"{len(found)} different ones: rows at different timesteps must be sampled apart" if found else "none"
        raise ValueError(f"`timestep` must be one number for all rows of `sample`, got {told}")
    return float(found.pop())


def _shares(x: Tensor, whole: Tensor) -> bool:
    """Whether `x` is an element of `whole`, or an expanded view of one."""
    if x.numel() > 1 and any(x.stride()):
        return False
    same = x.device == whole.device and x.dtype == whole.dtype
    return same and x.device.type != "meta" and x.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()


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


def _numbers(values: Any, name: str) -> list[float]:
    """The numbers of a list, an array or a tensor of one axis."""
    try:
        found = [float(x) for x in (values.tolist() if hasattr(values, "tolist") else list(values))]
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be a list of numbers, one a step, got {values!r:.100}") from error
    if any(math.isnan(x) for x in found):
        raise ValueError(f"`{name}` must be numbers, got nan")
    return found
