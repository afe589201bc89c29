"""Checks of a guided step. Their values are copied to the host while the device works, and are read one step later."""

import math
import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infsplign.core.losses import LossReport
from infsplign.engine.config import RECOMMENDED, WIDEST
from infsplign.engine.host_copy import HostCopy
from infsplign.errors import NonFiniteGradientError


class Shifted(NamedTuple):
    """A shifted step that has not been checked yet, and the data for its error message.

    Attributes:
        number, timestep: of the step.
        finite: whether the shifted output is finite.
        zero: (B,), whether the gradient of each row was exactly zero; None if this is not an error.
        output, gradient, latents, report: of the step.
        scale: of the options.
        alpha: coefficient of the signal at the step, if known.
        looked_at: (B, O), whether any position attends to each object; None if this is not asked.
        objects: names of the objects of each row.
        size: largest root mean square of the rows' shifts, in terms of the noise prediction; None if the options bound it, or it was told.
    """

    number: int
    timestep: float
    finite: HostCopy
    zero: HostCopy | None
    output: Tensor
    gradient: Tensor
    latents: Tensor | None
    report: LossReport | None
    scale: float
    alpha: float | None = None
    looked_at: HostCopy | None = None
    objects: tuple[tuple[str, ...], ...] = ()
    size: HostCopy | None = None


def check_tensor(value: object, name: str) -> None:
    """Raises TypeError unless `value` is a tensor of real numbers."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return
    came = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
    hint = "; take the tensor out of it, such as its `sample`" if isinstance(value, tuple) or hasattr(value, "to_tuple") else ""
    raise TypeError(f"`{name}` must be a tensor of real numbers, got {came}{hint}")


def check(step: Shifted) -> bool:
    """Checks a step after its end. Returns whether it warned of the shift's size.

    Raises:
        NonFiniteGradientError: something in it was not finite.
        ValueError: its gradient was exactly zero in every row, and its loss was not.
    """
    if not step.finite.read():
        what, remedy = _cause(step)
        kept = "" if step.latents is None else "; the latents before it are in `error.latents`"
        message = f"{what} not finite at step {step.number} (timestep {step.timestep:g}){kept}. {remedy}"
        raise NonFiniteGradientError(message, step=step.number, latents=step.latents)
    if unseen := _unseen(step):
        warnings.warn(
            f"the attention to {' and '.join(map(repr, unseen))} is exactly 0 at step {step.number}, the first guided one, so that nothing "
            "moves it. Are its `token_indices` masked, or not of the text?",
            stacklevel=2,
        )
    zero = [] if step.zero is None else step.zero.read()
    if any(zero) and not all(zero):
        _tell_of_some(step, zero)
    if zero and all(zero):
        if step.report is not None and step.report.terms and bool((step.report.total == 0).all()):
            warnings.warn(_satisfied(step), stacklevel=2)  # a margin or a limit of a term that holds already asks for nothing
        else:
            raise ValueError(_zero_gradient(step))
    size = 0.0 if step.size is None else step.size.read()
    if size > WIDEST:
        warnings.warn(
            f"the shift at step {step.number} is larger than the noise, {size:.3g} of its standard deviations, which usually destroys "
            f"the picture. Set `max_shift` in `GuidanceConfig` (`RECOMMENDED` has {RECOMMENDED.max_shift:g}), or lower `scale` "
            f"({step.scale:g})",
            stacklevel=3,
        )
    return size > WIDEST


def _tell_of_some(step: Shifted, zero: list[bool]) -> None:
    """Warns of rows without a gradient, unless their loss is zero too."""
    totals = [1.0] * len(zero) if step.report is None else step.report.total.tolist()
    rows = [str(row) for row, (none, total) in enumerate(zip(zero, totals, strict=True)) if none and total != 0]
    if rows:
        warnings.warn(
            f"the gradient of the loss is exactly zero in row {' and '.join(rows)} of {len(zero)} (from 0) at step {step.number}, the "
            f"first guided one, so nothing guides it. {_terms_of(step)}. Check that each depends on the maps of every row",
            stacklevel=3,
        )


def _unseen(step: Shifted) -> list[str]:
    """The objects that no position of their row attends to."""
    rows = [] if step.looked_at is None else step.looked_at.read()
    pairs = (pair for names, row in zip(step.objects, rows, strict=False) for pair in zip(names, row, strict=False))
    return list(dict.fromkeys(name for name, there in pairs if not there))


def _satisfied(step: Shifted) -> str:
    return (
        f"the loss and its gradient are exactly zero in every row at step {step.number}, the first guided one, so nothing is shifted there"
        f". {_terms_of(step)}. If the scene does not hold yet, check that each depends on the maps, its weight and its levels"
    )


def _zero_gradient(step: Shifted) -> str:
    return (
        f"the gradient of the loss is exactly zero in every row at step {step.number}, the first guided one, so nothing would be guided. "
        f"{_terms_of(step)}. A term must depend on the maps by differentiable functions; check its weight and its levels"
    )


def _terms_of(step: Shifted) -> str:
    return f"Its terms: {', '.join(repr(name) for name in (step.report.terms if step.report is not None else ())) or 'none'}"


def _cause(step: Shifted) -> tuple[str, str]:
    """Returns what is not finite, and the remedy."""
    half = "Run the denoiser in float32 or bfloat16"
    if step.latents is not None and not _finite(step.latents):
        return "the latents are", (
            "The scheduler's step before made them so. With zero terminal signal-to-noise ratio (`rescale_betas_zero_snr`) it divides by "
            "zero at the first timestep unless the model predicts v: set that option to False, or use a model of v-prediction"
        )
    if not _finite(step.output):
        return "the model's own output is", half
    if step.report is not None:
        if not _finite(step.report.centroid):
            return "the attention of the tapped layers is", half
        for name, values in step.report.terms.items():
            if not _finite(values):
                return (
                    f"the loss term {name!r} is",
                    "The maps that it reads are finite: look for a division by zero, a logarithm or a root in it",
                )
    if not _finite(step.gradient):
        if step.report is not None and _finite(step.report.total):
            names = ", ".join(repr(name) for name in step.report.terms)
            return "the gradient of the loss is", (
                f"Its value is finite: look for a root or a logarithm whose slope is infinite in a term of yours ({names}). If it "
                f"overflows in half precision: {half[0].lower()}{half[1:]}, or guide fewer steps"
            )
        return "the gradient of the loss is", f"{half}, or guide fewer steps"
    if step.alpha is not None and (step.alpha == 0 or math.isnan(step.alpha)):
        return "the shift is", f"alpha is {step.alpha:g} at this timestep (zero terminal signal-to-noise ratio): lower `max_gain`"
    return f"the output shifted by scale {step.scale:g} is", "Lower `scale`"


def _finite(x: Any) -> bool:
    return bool(torch.isfinite(x).all())
