"""Finds the conditional rows of the denoiser's batch from the arguments of its call, for any pipeline."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infsplign.engine.rows import Rows


class Batch(NamedTuple):
    """What the denoiser is called with in the first pass of a call.

    Attributes:
        sample: (rows, ...), its input.
        text: its text embeddings, one a row; None where it has none.
        prompts: how many prompts there are; the conditional rows are a multiple of it.
        distinct: whether all of them differ.
        negative: whether a negative prompt was encoded; None where it is not known.
    """

    sample: Tensor
    text: Tensor | None = None
    prompts: int = 1
    distinct: bool = True
    negative: bool | None = None


Conditional = Callable[[Batch], slice]
"""Which rows of the batch are conditional."""


def doubled_batch(batch: Batch) -> slice:
    """Conditional rows of a batch `[uncond; cond]`, or of one without classifier-free guidance.

    Both halves of a doubled batch are the same latents, with different texts. Where the texts are the same too, it counts whether a
    negative prompt was encoded.
    """
    rows = len(batch.sample)
    return slice(rows // 2, rows) if _doubled(batch) else slice(0, rows)


def _doubled(batch: Batch) -> bool:
    half, odd = divmod(len(batch.sample), 2)
    if odd or not torch.equal(batch.sample[:half], batch.sample[half:]):
        return False
    if half % batch.prompts:  # too many or too few prompts, unless all latents are equal: then these are the prompts' rows, undoubled
        return not torch.equal(batch.sample[:1].expand_as(batch.sample), batch.sample)
    if batch.text is None:
        return batch.negative is not False
    first, second = batch.text[:half], batch.text[half:]
    if torch.equal(first, second):
        return bool(batch.negative)
    each = half // batch.prompts
    # equal latents for several prompts without guidance: each half is then of other prompts
    return batch.prompts == 1 or not batch.distinct or not torch.equal(second[:each], second[-each:])


def first_call(batch: Batch) -> slice:
    """Conditional rows of pipelines that call the denoiser twice, or once: the first call of a step is all conditional."""
    return slice(0, len(batch.sample))


def text_of(kwargs: Any) -> Tensor | None:
    """The text embeddings that a denoiser is called with."""
    text = kwargs.get("encoder_hidden_states")
    return text if isinstance(text, Tensor) else None


def rows_of_call(denoiser: Any, family: Conditional, batch: Batch) -> Rows:
    """The rows of the first call of a step.

    Args:
        denoiser: its processors tell of perturbed-attention guidance.
        family: the family's own rule, one of the functions above.
        batch: what the denoiser is called with.

    Raises:
        ValueError: the number of rows does not fit.
    """
    processors = {type(processor).__name__ for processor in getattr(denoiser, "attn_processors", {}).values()}
    perturbed = [name for name in processors if name.startswith("PAG")]
    if perturbed:  # these processors cut the batch into [uncond;] cond; perturbed
        doubled = any(name.startswith("PAGCFG") for name in perturbed)
        return Rows(_part(len(batch.sample), int(doubled), 2 + int(doubled)), together=True)
    # self-attention guidance reads the attention that its processors have stored of all rows
    return Rows(family(batch), together="CrossAttnStoreProcessor" in processors)


def _part(rows: int, number: int, parts: int) -> slice:
    each, left = divmod(rows, parts)
    if left:
        what = "two equal parts `[cond; perturbed]`" if parts == 2 else "three equal parts `[uncond; cond; perturbed]`"
        raise ValueError(f"the denoiser's batch must hold {what} under perturbed-attention guidance, got {rows} rows")
    return slice(number * each, (number + 1) * each)
