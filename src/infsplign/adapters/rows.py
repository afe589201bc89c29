"""Which rows of the denoiser's batch are conditional."""

from typing import Any, NamedTuple

import torch
from torch import Tensor


def doubled_batch(pipe: Any, sample: Tensor, _negative: bool | None) -> slice:
    """Conditional rows of a batch `[uncond; cond]`, or of one without classifier-free guidance."""
    return _part(len(sample), 1, 2) if pipe.do_classifier_free_guidance else slice(0, len(sample))


def equal_halves(_pipe: Any, sample: Tensor, negative: bool | None) -> slice:
    """As `doubled_batch`, for pipelines that do not tell: by whether a negative prompt was encoded, else by equal halves."""
    half = len(sample) // 2
    doubled = negative if negative is not None else len(sample) % 2 == 0 and torch.equal(sample[:half], sample[half:])
    return _part(len(sample), 1, 2) if doubled else slice(0, len(sample))


def first_call(_pipe: Any, sample: Tensor, _negative: bool | None) -> slice:
    """Conditional rows of pipelines that call the denoiser twice, or once: the first call of a step is all conditional."""
    return slice(0, len(sample))


class Rows(NamedTuple):
    """Conditional rows, and whether the others must run along in the same pass."""

    conditional: slice
    together: bool = False


def rows_of_call(pipe: Any, family: Any, sample: Tensor, negative: bool | None) -> Rows:
    """The rows of the first call of a step, by what the pipeline does besides its family's habits.

    Args:
        pipe: the pipeline.
        family: the family's own rule, one of the functions above.
        sample: the denoiser's input.
        negative: whether a negative prompt was encoded; None where it is not known.

    Raises:
        ValueError: the number of rows does not fit.
    """
    if any(base.__name__ == "ModularPipeline" for base in type(pipe).__mro__):  # one call a condition, the conditional one first
        return Rows(first_call(pipe, sample, negative))
    if getattr(pipe, "do_perturbed_attention_guidance", False):  # its processors cut the batch into [uncond;] cond; perturbed
        doubled = pipe.do_classifier_free_guidance
        return Rows(_part(len(sample), int(doubled), 2 + int(doubled)), together=True)
    return Rows(family(pipe, sample, negative))


def _part(rows: int, number: int, parts: int) -> slice:
    each, left = divmod(rows, parts)
    if left:
        what = "`[uncond; cond]` halves" if parts == 2 else "three equal parts `[uncond; cond; perturbed]`"
        raise ValueError(f"the denoiser's batch must hold {what} under the pipeline's guidance, got {rows} rows")
    return slice(number * each, (number + 1) * each)
