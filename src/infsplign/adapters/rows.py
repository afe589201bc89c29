"""Finds the conditional rows of the denoiser's batch from the arguments of its call, for any pipeline."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from infsplign.engine.rows import Rows


class Batch(NamedTuple):
    """The denoiser's arguments in the first pass of a call, and the prompts of the call.

    Attributes:
        sample: (rows, ...), the denoiser's input.
        text: (rows, T, channels), its text embeddings; None if it has none.
        prompts: number of prompts; the number of conditional rows is a multiple of it.
        distinct: whether all prompts differ.
        negative: whether a negative prompt was encoded; None if this is not known.
    """

    sample: Tensor
    text: Tensor | None = None
    prompts: int = 1
    distinct: bool = True
    negative: bool | None = None


Conditional = Callable[[Batch], slice]
"""Function from a batch to its conditional rows."""


def doubled_batch(batch: Batch) -> slice:
    """Returns the conditional rows of a batch `[uncond; cond]`, or of a batch without classifier-free guidance.

    Both halves of a doubled batch have the same latents and different texts. If the texts are equal too, the batch counts as doubled only
    if a negative prompt was encoded.
    """
    rows = len(batch.sample)
    return slice(rows // 2, rows) if _doubled(batch) else slice(0, rows)


def _doubled(batch: Batch) -> bool:
    half, odd = divmod(len(batch.sample), 2)
    if odd or not torch.equal(batch.sample[:half], batch.sample[half:]):
        return False
    if half % batch.prompts:  # no half fits the prompts; if all latents are equal, the rows are those of the prompts, not doubled
        return not torch.equal(batch.sample[:1].expand_as(batch.sample), batch.sample) and not _texts_of_groups(batch)
    if batch.text is None:
        return batch.negative is not False
    first, second = batch.text[:half], batch.text[half:]
    if torch.equal(first, second):
        return bool(batch.negative)
    each = half // batch.prompts
    # the latents of several prompts may be equal without classifier-free guidance; then half the rows of a prompt are `each`, and the last
    # two such groups are of one prompt
    return batch.prompts == 1 or not batch.distinct or not torch.equal(second[-2 * each : -each], second[-each:])


def _texts_of_groups(batch: Batch) -> bool:
    """Whether the rows are several images of each prompt, by their texts: the halves of a doubled batch are of different ones. Only where
    no negative prompt was encoded, whose rows may be those of a prompt that is not there."""
    each, left = divmod(len(batch.sample), batch.prompts)
    if left or each < 2 or batch.text is None or batch.negative is not False:
        return False
    groups = batch.text.unflatten(0, (batch.prompts, each))
    return torch.equal(groups[:, :1].expand_as(groups), groups)


def first_call(batch: Batch) -> slice:
    """Returns all rows, for pipelines whose first call of the denoiser in a step is conditional, with or without a second call."""
    return slice(0, len(batch.sample))


def text_of(kwargs: Any, rows: int) -> Tensor | None:
    """Returns the text embeddings (rows, T, channels) of a denoiser's call; None if it has none, or not one a row."""
    text = kwargs.get("encoder_hidden_states")
    return text if isinstance(text, Tensor) and len(text) == rows else None


def rows_of_call(denoiser: Any, family: Conditional, batch: Batch) -> Rows:
    """Returns the rows of the first call of a step.

    Args:
        denoiser: its processors show whether perturbed-attention guidance is on.
        family: the family's rule, one of the functions above.
        batch: the denoiser's arguments.

    Raises:
        ValueError: the number of rows does not fit.
    """
    processors = {type(processor).__name__ for processor in getattr(denoiser, "attn_processors", {}).values()}
    perturbed = [name for name in processors if name.startswith("PAG")]
    if perturbed:  # these processors cut the batch into [uncond;] cond; perturbed
        doubled = any(name.startswith("PAGCFG") for name in perturbed)
        return Rows(_part(len(batch.sample), int(doubled), 2 + int(doubled)), together=True)
    return Rows(family(batch), together=_has_own_code(denoiser))


WRAPPED = ("_hf_hook", "_diffusers_hook", "_orig_mod")
"""Attributes of modules whose `forward` accelerate, diffusers and `torch.compile` have replaced; these treat each row by itself."""


def _has_own_code(denoiser: Any) -> bool:
    """Whether attention runs code that is not of diffusers' models, as in self-attention guidance, prompt-to-prompt and MasaCtrl: it may
    part the batch into halves itself, or store the attention of all of it."""
    processors = getattr(denoiser, "attn_processors", {}).values()
    if any(not type(processor).__module__.startswith(("diffusers.models.", "infsplign.")) for processor in processors):
        return True
    modules = [module for module in denoiser.modules() if module is not denoiser] if isinstance(denoiser, nn.Module) else []
    if any("forward" in vars(module) and not any(hasattr(module, name) for name in WRAPPED) for module in modules):
        return True
    hooks = [hook for module in modules for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values())]
    return any(not str(getattr(hook, "__module__", "")).startswith(("infsplign.", "torch.", "accelerate.", "diffusers.")) for hook in hooks)


def _part(rows: int, number: int, parts: int) -> slice:
    each, left = divmod(rows, parts)
    if left:
        what = "two equal parts `[cond; perturbed]`" if parts == 2 else "three equal parts `[uncond; cond; perturbed]`"
        raise ValueError(f"the denoiser's batch must hold {what} under perturbed-attention guidance, got {rows} rows")
    return slice(number * each, (number + 1) * each)
