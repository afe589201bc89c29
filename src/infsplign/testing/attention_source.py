"""Does an `AttentionSource` tell the truth about a denoiser? Checks that find what would otherwise be silently wrong images."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from infsplign.core.attention import Attention, AttentionSource
from infsplign.testing.traces_left import marks
from infsplign.trees import map_tensors, rows_of

Inputs = Callable[[int, tuple[int, int]], tuple[Tensor, dict[str, Any]]]
"""(rows, (height, width) of the image in whatever unit) to the denoiser's first argument and its keyword arguments."""


def check_attention_source(
    make_source: Callable[[Any], AttentionSource],
    denoiser: nn.Module,
    inputs: Inputs,
    *,
    text: str | Sequence[str] = "encoder_hidden_states",
    sizes: Sequence[tuple[int, int]] = ((16, 16), (16, 24)),
    dtypes: Sequence[torch.dtype] = (torch.bfloat16, torch.float16),
) -> None:
    """Checks an attention source on a (small, random) denoiser; returns nothing, or raises with what is wrong.

        check_attention_source(MyAdapter, my_transformer, my_inputs)

    The maps must sum to one over all keys, lie on a grid that is turned and shaped as the image is, have the text's tokens in their
    columns, depend on their own row alone, and carry a gradient to the input; the denoiser's output must stay what it was, nothing
    may be left behind on it, also after an exception, and a pass that did not take place must not go unnoticed.

    Args:
        make_source: denoiser to its source, such as the class of your adapter.
        denoiser: in `eval` mode, with weights that are not zero where text enters.
        inputs: makes arguments for the denoiser; drawn anew at each call, none of the text masked.
        text: the keyword argument(s) that hold text embeddings (rows, T, channels), in the order of the text axis.
        sizes: images to try, one of them not square.
        dtypes: half precisions to try, besides the denoiser's own.

    Raises:
        AssertionError: a check has failed; the message says what was seen and what it means.
    """
    names = (text,) if isinstance(text, str) else tuple(text)
    for size in sizes:
        sample, kwargs = inputs(3, size)
        attention = _recorded(make_source, denoiser, sample, kwargs)[1]
        assert attention, "the source recorded no layer"
        for layer in attention:
            _check_sums(layer, len(sample))
        _check_grid(make_source, denoiser, sample, kwargs, size)
        _check_rows(make_source, denoiser, sample, kwargs)
        _check_gradient(make_source, denoiser, sample, kwargs)
        for name in names:
            assert name in kwargs, f"`text` must name keyword arguments that `inputs` returns, got {name!r} and {list(kwargs)}"
        _check_tokens(make_source, denoiser, sample, kwargs, names)
    _check_untouched(make_source, denoiser, *inputs(2, sizes[0]))
    _check_absence(make_source, denoiser, inputs(1, sizes[0])[0])
    for dtype in dtypes:
        half = copy.deepcopy(denoiser).to(dtype)
        sample, kwargs = map_tensors(lambda x, dtype=dtype: x.to(dtype) if x.is_floating_point() else x, inputs(2, sizes[0]))
        for layer in _recorded(make_source, half, sample, kwargs)[1]:
            _check_sums(layer, len(sample))
        _check_gradient(make_source, half, sample, kwargs)


def _recorded(make_source: Any, denoiser: nn.Module, sample: Tensor, kwargs: dict[str, Any]) -> tuple[Tensor, Sequence[Attention], Any]:
    leaf = sample.detach().clone().requires_grad_()
    with torch.enable_grad(), make_source(denoiser).record(leaf, **kwargs) as attention:
        output = denoiser(leaf, **kwargs)
    return leaf, attention, output


def _weights(layer: Attention, rows: int, objects: Tensor) -> Tensor:
    """(T, O) as the weights of all rows."""
    like: Any = layer.like
    return objects.to(like.device, torch.promote_types(like.dtype, torch.float32)).expand(rows, -1, -1)


def _token_maps(layer: Attention, rows: int) -> Tensor:
    """The map of each token: (B, T, H, W)."""
    return layer.object_maps(_weights(layer, rows, torch.eye(layer.text_length)))


def _check_sums(layer: Attention, rows: int) -> None:
    whole = getattr(layer, "probabilities", None)
    whole = whole() if callable(whole) else whole
    if whole is not None:
        sums = whole.detach().sum(-1)
        assert torch.allclose(sums, torch.ones_like(sums), atol=1e-2), (
            f"`{layer.layer}`: probabilities must sum to 1 over ALL keys, got {float(sums.min()):.3f} to {float(sums.max()):.3f}; "
            "take the softmax before you cut out the text"
        )
    maps = _token_maps(layer, rows).detach()
    total = maps.sum(1)
    assert maps.shape[:2] == (rows, layer.text_length) and maps.ndim == 4, (
        f"`{layer.layer}`: maps must have shape (rows, tokens, height, width), got {tuple(maps.shape)}"
    )
    assert bool(torch.isfinite(maps).all()) and float(maps.min()) >= 0 and float(total.max()) <= 1.01, (
        f"`{layer.layer}`: the text's share of the attention must lie in [0, 1], got {float(total.min()):.3f} to {float(total.max()):.3f}"
    )
    assert float(total.mean()) > 1e-3, f"`{layer.layer}`: hardly any attention goes to the text; are these the text's columns?"


def _check_grid(make_source: Any, denoiser: nn.Module, sample: Tensor, kwargs: dict[str, Any], size: tuple[int, int]) -> None:
    leaf, attention, _ = _recorded(make_source, denoiser, sample, kwargs)
    first = attention[0]
    for layer in attention:
        height, width = _token_maps(layer, len(sample)).shape[-2:]
        assert abs(height * size[1] - width * size[0]) < max(size), (
            f"`{layer.layer}`: the grid is {height} x {width} for an image of {size[0]} x {size[1]}; has it been turned, or is a square assumed?"
        )
    mixed = torch.linspace(-1, 1, first.text_length).unsqueeze(-1)  # some weighting of the tokens: all together may be constant
    maps = first.object_maps(_weights(first, len(sample), mixed))[0, 0]
    height, width = maps.shape
    edges = {"top": maps[: height // 4 or 1], "bottom": maps[-(height // 4 or 1) :], "left": maps[:, : width // 4 or 1], "right": maps[:, -(width // 4 or 1) :]}
    centres = {}
    for name, edge in edges.items():
        (gradient,) = torch.autograd.grad(edge.sum(), leaf, retain_graph=True)
        centres[name] = _centre(gradient[0].float().abs(), (height, width))
    for before, after, axis in (("top", "bottom", 0), ("left", "right", 1)):
        moved = centres[after][axis] - centres[before][axis]
        assert moved > 0.02, (
            f"`{first.layer}`: the {after} of the map must depend on the {after} of the image, but what the {before} and the {after} of the "
            f"map depend on lies {moved:+.3f} image sizes apart; is the grid row by row, is the image's part of the queries the right one?"
        )


def _centre(field: Tensor, grid: tuple[int, int]) -> tuple[float, float]:
    """(y, x) of a positive field (C, H, W), or (positions, C) row by row, in image sizes."""
    plane = field.sum(0) if field.ndim == 3 else field.sum(-1).reshape(grid)
    y, x = (torch.linspace(0, 1, n, device=plane.device) for n in plane.shape)
    return float((plane.sum(1) * y).sum() / plane.sum()), float((plane.sum(0) * x).sum() / plane.sum())


def _check_rows(make_source: Any, denoiser: nn.Module, sample: Tensor, kwargs: dict[str, Any]) -> None:
    rows = len(sample)
    together = _recorded(make_source, denoiser, sample, kwargs)[1]
    for row in range(rows):
        one = slice(row, row + 1)
        alone = _recorded(make_source, denoiser, sample[one], rows_of(kwargs, one, rows))[1]
        for layer, single in zip(together, alone, strict=True):
            assert torch.allclose(_token_maps(layer, rows)[row], _token_maps(single, 1)[0], atol=1e-4), (
                f"`{layer.layer}`: the maps of row {row} of {rows} differ from those of the row alone; are rows and heads mixed up?"
            )


def _check_gradient(make_source: Any, denoiser: nn.Module, sample: Tensor, kwargs: dict[str, Any]) -> None:
    leaf, attention, _ = _recorded(make_source, denoiser, sample, kwargs)
    row = len(sample) // 2
    for layer in attention:
        maps = layer.object_maps(_weights(layer, len(sample), torch.linspace(-1, 1, layer.text_length).unsqueeze(-1)))
        assert maps.requires_grad, f"`{layer.layer}`: the maps have no gradient to the sample; was the pass recorded under `no_grad`, or detached?"
        ramp = torch.linspace(-1, 1, maps.shape[-1], device=maps.device)
        (gradient,) = torch.autograd.grad(1e4 * (maps[row] * ramp).sum(), leaf, retain_graph=True)
        others = gradient[torch.arange(len(sample)) != row]
        assert bool(torch.isfinite(gradient).all()), f"`{layer.layer}`: the gradient in {leaf.dtype} is not finite"
        assert float(gradient[row].abs().max()) > 0, f"`{layer.layer}`: no gradient reaches the sample in {leaf.dtype}"
        assert float(others.abs().max()) == 0, f"`{layer.layer}`: the gradient of row {row} reaches other rows of the sample"


def _check_tokens(make_source: Any, denoiser: nn.Module, sample: Tensor, kwargs: dict[str, Any], names: Sequence[str]) -> None:
    before = _recorded(make_source, denoiser, sample, kwargs)[1][0]
    lengths = [kwargs[name].shape[1] for name in names]
    assert before.text_length == sum(lengths), (
        f"`{before.layer}`: the text axis must be as long as {' and '.join(names)} together, {sum(lengths)}, got {before.text_length}"
    )
    offset = 0
    for name, length in zip(names, lengths, strict=True):
        for token in sorted({0, length // 3, length - 1}):
            planted = kwargs[name].clone()
            planted[:, token] = -2 * planted[:, token]
            after = _recorded(make_source, denoiser, sample, kwargs | {name: planted})[1][0]
            a, b = (_token_maps(layer, len(sample)).detach().clamp(min=1e-12).log() for layer in (before, after))
            change = b - a
            change = (change - change.median(1, keepdim=True).values).abs().mean((0, 2, 3))
            changed = int(change.argmax())
            assert changed == offset + token, (
                f"`{before.layer}`: token {token} of `{name}` was changed, and column {changed} of the maps changed most, not "
                f"{offset + token}; where does the text begin among the keys?"
            )
        offset += length


def _check_untouched(make_source: Any, denoiser: nn.Module, sample: Tensor, kwargs: dict[str, Any]) -> None:
    before = marks(denoiser)
    with torch.no_grad():
        plain = denoiser(sample, **kwargs)
        with make_source(denoiser).record(sample, **kwargs):
            recorded = denoiser(sample, **kwargs)
    _compare(plain, recorded)
    assert marks(denoiser) == before, f"left behind after a pass: {before.missing(marks(denoiser))}"
    last = list(denoiser.modules())[-1]
    handle = last.register_forward_hook(_interrupt)
    try:
        during = marks(denoiser)
        try:
            with make_source(denoiser).record(sample, **kwargs):
                denoiser(sample, **kwargs)
        except _Interruption:
            pass
        else:
            raise AssertionError("the source has swallowed an exception of the denoiser")
        assert marks(denoiser) == during, f"left behind after an exception: {during.missing(marks(denoiser))}"
    finally:
        handle.remove()


def _compare(plain: Any, recorded: Any) -> None:
    pairs: tuple[list[Tensor], list[Tensor]] = ([], [])
    for tree, found in zip((plain, recorded), pairs, strict=True):
        map_tensors(found.append, tree)
    assert all(torch.equal(a, b) for a, b in zip(*pairs, strict=True)), "recording has changed the denoiser's output"


def _check_absence(make_source: Any, denoiser: nn.Module, sample: Tensor) -> None:
    try:
        with make_source(denoiser).record(sample) as attention:
            pass
    except Exception:  # whatever the author likes to raise
        return
    raise AssertionError(f"no pass has been run, and the source says nothing and returns {len(attention)} layers: it must raise")


class _Interruption(Exception):
    """Raised in the middle of a pass."""


def _interrupt(*_: Any) -> None:
    raise _Interruption
