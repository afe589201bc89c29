"""Checks rows whose texts have different lengths: the end of a shorter text is masked."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from infsplign.engine.pytree import map_tensors, rows_of
from infsplign.testing.plain import check_plain
from infsplign.testing.trial import Trial, token_maps

PACKED = (
    "The model packs the text and the image of each row one behind the other, so that their places depend on the row's own length: cut "
    "each row by its own length, as 'Texts of different length' in docs/writing-an-adapter.md shows, or guide one prompt a call"
)
SOFTMAX = "masked tokens take part in the softmax of these maps: add the mask to the logits, as `QueryKeyAttention(mask=)` does"


def check_ragged(trial: Trial, names: Sequence[str], masks: Sequence[str] | None, *, plain: bool = True) -> None:
    """Checks that a row has the same maps alone and beside longer texts, and that masked tokens do not change the maps.

    Args:
        trial: a pass of three rows whose texts are not masked.
        names: the keyword arguments that hold texts, (rows, T, channels).
        masks: the keyword arguments that mask them, (rows, T), in the same order; found when None. Without masks nothing is checked.
        plain: compare the maps of the first text's tokens with the attention of their modules.

    Raises:
        AssertionError: a check has failed.
    """
    for mask in masks or ():
        assert mask in trial.kwargs, f"`mask` must name keyword arguments of `inputs`, got {mask!r} and {', '.join(trial.kwargs)}"
    for name, mask in zip(names, found_masks(trial, names) if masks is None else masks, strict=False):
        length = trial.kwargs[name].shape[1]
        lengths = (length, max(2, length // 2), max(1, length // 3))
        _check_rows(_masked(trial, mask, lengths), lengths)
        _check_masked_tokens(_masked(trial, mask, lengths), name, lengths)
        if plain and name == names[0]:
            check_plain(_masked(trial, mask, lengths), lengths)


def found_masks(trial: Trial, names: Sequence[str]) -> list[str]:
    """Returns the names of the arguments that mask the texts, among those of `inputs` or else of the denoiser's `forward`."""
    shapes = [(name, tuple(trial.kwargs[name].shape[:2])) for name in names]
    given = [key for key, x in trial.kwargs.items() if "mask" in key and isinstance(x, Tensor)]
    found = []
    for _, shape in shapes:
        fitting = [key for key in given if tuple(trial.kwargs[key].shape) == shape and key not in found]
        if not fitting:
            break
        found.append(fitting[0])
    if found or given:
        return found
    taken = inspect.signature(trial.denoiser.forward).parameters
    return [key for key in taken if "mask" in key and "padding" not in key and any(word in key for word in ("encoder", "text", "cap"))][:1]


def _masked(trial: Trial, mask: str, lengths: Sequence[int]) -> Trial:
    """Returns the trial with each text masked after its length.

    Raises:
        AssertionError: `inputs` gives no mask, and the denoiser does not run with one of booleans.
    """
    whole = trial.kwargs.get(mask)
    made = whole is None
    if whole is None:
        whole = torch.ones(len(lengths), lengths[0], dtype=torch.bool, device=trial.sample.device)
    cut = whole.clone()
    for row, length in enumerate(lengths):
        cut[row, length:] = _masking(whole)
    masked = trial._replace(kwargs=trial.kwargs | {mask: cut})
    if made:
        try:
            masked.attention()
        except Exception as error:
            raise AssertionError(
                f"`inputs` must give `{mask}`, which the denoiser takes, so that rows with texts of different length can be tried (given "
                f"as booleans, it raised {type(error).__name__}: {error}); pass `mask=()` if the model never gets one"
            ) from error
    return masked


def _masking(whole: Tensor) -> Any:
    """Returns the value that masks a token, from a mask that masks none."""
    value = whole.flatten()[0].item()
    if whole.dtype == torch.bool:
        return not value
    return 0 if value else -10000  # zeros are added to the logits


def _check_rows(trial: Trial, lengths: Sequence[int]) -> None:
    rows, together = len(lengths), trial.attention()
    for row, length in enumerate(lengths):
        one = slice(row, row + 1)
        alone = trial._replace(sample=trial.sample[one], kwargs=rows_of(trial.kwargs, one, rows)).attention()
        for layer, single in zip(together, alone, strict=True):
            columns = min(length, layer.text_length, single.text_length)
            a, b = token_maps(layer, rows)[row, :columns], token_maps(single, 1)[0, :columns]
            same = columns == length and a.shape == b.shape and torch.allclose(a, b, atol=1e-4)
            assert same, (
                f"`{layer.layer}`: the maps of row {row}, whose text has {length} of {lengths[0]} tokens and is masked behind them, are "
                f"others when a longer text runs beside it. {PACKED}"
            )


def _check_masked_tokens(trial: Trial, name: str, lengths: Sequence[int]) -> None:
    """Checks that other embeddings at masked tokens do not change the maps, if they do not change the denoiser's output."""
    text = trial.kwargs[name].clone()
    for row, length in enumerate(lengths):
        text[row, length:] = -2 * text[row, length:]
    other = trial._replace(kwargs=trial.kwargs | {name: text})
    outputs: list[list[Tensor]] = [[], []]
    with torch.no_grad():
        for one, output in zip((trial, other), outputs, strict=True):
            map_tensors(output.append, one.denoiser(one.sample, **one.kwargs))
    if not all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*outputs, strict=True)):
        return  # this denoiser reads masked tokens
    for old, new in zip(trial.attention(), other.attention(), strict=True):
        for row, length in enumerate(lengths):
            a, b = (token_maps(layer, len(lengths))[row, :length] for layer in (old, new))
            places = float(((a - b).abs() > 1e-4).any(0).double().mean())  # a mask left out is felt everywhere, a shifted image at its end
            where = f"`{old.layer}`: row {row}, whose text has {length} of {lengths[0]} tokens and is masked behind them"
            assert places == 0 or places > 0.5, f"{where}: some places of its maps are those of masked tokens. {PACKED}"
            assert places == 0, f"{where}: {SOFTMAX}"
