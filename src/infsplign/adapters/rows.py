"""Which rows of the denoiser's batch are conditional: read from what the denoiser is called with, whatever pipeline calls it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from infsplign.engine.rows import Rows

Conditional = Callable[[Tensor, Tensor | None, bool | None], slice]
"""(the denoiser's input, its text embeddings, whether a negative prompt was encoded) to the slice of conditional rows."""


def doubled_batch(sample: Tensor, text: Tensor | None, negative: bool | None = None) -> slice:
    """Conditional rows of a batch `[uncond; cond]`, or of one without classifier-free guidance.

    Both halves of a doubled batch are the same latents with different texts. Where the texts are the same too, it counts whether a negative
    prompt was encoded.
    """
    half, odd = divmod(len(sample), 2)
    if odd or not torch.equal(sample[:half], sample[half:]):
        return slice(0, len(sample))
    if text is not None and len(text) == len(sample):
        doubled = not torch.equal(text[:half], text[half:]) or bool(negative)
    else:
        doubled = negative is not False
    return slice(half, len(sample)) if doubled else slice(0, len(sample))


def first_call(sample: Tensor, _text: Tensor | None = None, _negative: bool | None = None) -> slice:
    """Conditional rows of pipelines that call the denoiser twice, or once: the first call of a step is all conditional."""
    return slice(0, len(sample))


def text_of(kwargs: Any) -> Tensor | None:
    """The text embeddings that a denoiser is called with."""
    text = kwargs.get("encoder_hidden_states")
    return text if isinstance(text, Tensor) else None


def rows_of_call(denoiser: Any, family: Conditional, sample: Tensor, text: Tensor | None, negative: bool | None = None) -> Rows:
    """The rows of the first call of a step.

    Args:
        denoiser: its processors tell of perturbed-attention guidance.
        family: the family's own rule, one of the functions above.
        sample, text: what the denoiser is called with.
        negative: whether a negative prompt was encoded; None where it is not known.

    Raises:
        ValueError: the number of rows does not fit.
    """
    processors = {type(processor).__name__ for processor in getattr(denoiser, "attn_processors", {}).values()}
    perturbed = [name for name in processors if name.startswith("PAG")]
    if perturbed:  # these processors cut the batch into [uncond;] cond; perturbed
        doubled = any(name.startswith("PAGCFG") for name in perturbed)
        return Rows(_part(len(sample), int(doubled), 2 + int(doubled)), together=True)
    return Rows(family(sample, text, negative))


def _part(rows: int, number: int, parts: int) -> slice:
    each, left = divmod(rows, parts)
    if left:
        what = "two equal parts `[cond; perturbed]`" if parts == 2 else "three equal parts `[uncond; cond; perturbed]`"
        raise ValueError(f"the denoiser's batch must hold {what} under perturbed-attention guidance, got {rows} rows")
    return slice(number * each, (number + 1) * each)
