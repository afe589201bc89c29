"""The steps of one sampling: their timesteps, progress and noise levels."""

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from infsplign.core.update import PREDICTIONS
from infsplign.engine.noise_levels import coefficients, progress

SAME = 0.01
"""A pass is at a timestep of the list if it differs by at most this fraction of the smallest step: types and units round."""


class Place(NamedTuple):
    """The place of a pass of the denoiser in the sampling.

    Attributes:
        timestep: of the pass.
        progress: fraction of the noise that has been removed, in [0, 1); see `infsplign.engine.noise_levels.progress`.
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
        alpha, sigma = (None, None) if self.sigmas is None else coefficients(self._level(value, self.sigmas), self.prediction)
        return Place(value, self._between(value, self._progress), alpha, sigma)

    def begins(self, place: Place) -> bool:
        """Whether a sampling can begin at a place: at a step of the list, or near the first one, a little noisier too (EDM's churn)."""
        steps = list(dict.fromkeys(self.timesteps))
        if place.timestep in steps or len(steps) < 2:
            return True
        step, away = steps[1] - steps[0], place.timestep - steps[0]
        return abs(away) <= (abs(step) if away * step > 0 else max(abs(step), abs(steps[0])))

    def _level(self, timestep: float, sigmas: Sequence[float]) -> float:
        """Interpolates noise levels at a timestep: ratios of noise to signal by their logarithm, as training times go with it."""
        if self.prediction == "flow" or not all(0 < sigma < math.inf for sigma in sigmas):
            return self._between(timestep, sigmas)
        return math.exp(self._between(timestep, [math.log(sigma) for sigma in sigmas]))

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


def _numbers(values: Any, name: str) -> list[float]:
    """The numbers of a list, an array or a tensor of one axis."""
    try:
        found = [float(x) for x in (values.tolist() if hasattr(values, "tolist") else list(values))]
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be a list of numbers, one a step, got {values!r:.100}") from error
    if any(math.isnan(x) for x in found):
        raise ValueError(f"`{name}` must be numbers, got nan")
    return found
