"""`check_attention_source`: finds mistakes of an adapter that would otherwise only show as wrong images."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from infsplign.core.attention import Attention, AttentionSource
from infsplign.engine.pytree import map_tensors, rows_of
from infsplign.testing.module_state import module_state
from infsplign.testing.plain import check_plain, check_slope
from infsplign.testing.ragged import check_ragged
from infsplign.testing.trial import KeyCounts, Trial, band_negated, change, token_maps

Inputs = Callable[[int, tuple[int, int]], tuple[Tensor, dict[str, Any]]]
"""(rows, (height, width) of the image in whatever unit) to the denoiser's first argument and its keyword arguments."""


def check_attention_source(
    make_source: Callable[[Any], AttentionSource],
    denoiser: nn.Module,
    inputs: Inputs,
    *,
    text: str | Sequence[str] = "encoder_hidden_states",
    mask: str | Sequence[str] | None = None,
    sizes: Sequence[tuple[int, int]] = ((16, 16), (16, 24)),
    dtypes: Sequence[torch.dtype] = (torch.bfloat16, torch.float16),
    plain: bool = True,
) -> None:
    """Checks an attention source on a (small, random) denoiser; returns nothing, or raises with what is wrong.

        check_attention_source(MyAdapter, my_transformer, my_inputs)

    The maps must sum to one over all keys, lie on a grid that is turned and shaped as the image is, have the text's tokens in their
    columns, depend on their own row alone, be the attention that their module computes, and carry their whole gradient to the input; the
    denoiser's output must stay what it was, nothing may be left behind on it, on its classes or in `torch.nn.functional`, also after an
    exception or an interrupt; a pass that did not take place, or an earlier one, must not be taken for this.

    Args:
        make_source: denoiser to its source, such as the class of your adapter.
        denoiser: in `eval` mode, with weights that are not zero where text enters.
        inputs: makes arguments for the denoiser; drawn anew at each call, none of the text masked.
        text: the keyword argument(s) that hold text embeddings (rows, T, channels), in the order of the text axis.
        mask: the keyword argument(s) that mask them, (rows, T); found by their names when None, `()` if the model is never given one.
            With them, rows with texts of different length are tried.
        sizes: images to try, one of them not square.
        dtypes: half precisions to try, besides the denoiser's own.
        plain: compare the maps with the attention that each layer's module computes by `scaled_dot_product_attention`, averaged over heads.
            Give False for a source that changes them on purpose, such as by choosing heads.

    Raises:
        AssertionError: a check has failed; the message says what was found and what it means.
    """
    names = (text,) if isinstance(text, str) else tuple(text)
    masks = (mask,) if isinstance(mask, str) else mask
    _check_untouched(Trial(make_source, denoiser, *inputs(2, sizes[0])))  # first, while nothing can have been left behind yet
    _check_every_pass(Trial(make_source, denoiser, *inputs(1, sizes[0])))
    for size in sizes:
        trial = Trial(make_source, denoiser, *inputs(3, size))
        for name in names:
            assert name in trial.kwargs, f"`text` must name keyword arguments of `inputs`, got {name!r} and {', '.join(trial.kwargs)}"
        _check_sums(trial)
        _check_rows(trial)
        _check_gradient(trial)
        _check_tokens(trial, names)
        _check_grid(trial, size)
        check_ragged(trial, names, masks, plain=plain)
        if plain:
            check_plain(trial)
    for dtype in dtypes:
        sample, kwargs = map_tensors(lambda x, dtype=dtype: x.to(dtype) if x.is_floating_point() else x, inputs(2, sizes[0]))
        trial = Trial(make_source, copy.deepcopy(denoiser).to(dtype), sample, kwargs)
        _check_sums(trial)
        _check_gradient(trial)
    check_slope(Trial(make_source, denoiser, *inputs(2, sizes[0])))


def _check_sums(trial: Trial) -> None:
    rows, dtype = len(trial.sample), trial.sample.dtype
    with torch.no_grad(), KeyCounts() as seen:  # of a pass of its own: a source may answer the calls that it watches
        trial.denoiser(trial.sample, **trial.kwargs)
    for layer in trial.attention():
        name, maps = layer.layer, token_maps(layer, rows).detach()
        assert maps.shape[:-2] == (rows, layer.text_length), f"`{name}`: maps must be (rows, tokens, H, W), got {tuple(maps.shape)}"
        assert bool(torch.isfinite(maps).all()), f"`{name}`: the maps in {dtype} are not finite; take the softmax in float32"
        whole: Any = getattr(layer, "probabilities", None)
        if whole is not None:
            whole = whole() if callable(whole) else whole
            sums, keys = whole.detach().sum(-1), whole.shape[-1]
            # the text's part of joint attention; where the denoiser's own keys were not seen, it may be
            part, joint = keys == layer.text_length and keys not in seen.counts, keys + maps[0, 0].numel() in seen.counts
            right = float(sums.max()) < (0.9999 if joint else 1.01) if part else torch.allclose(sums, torch.ones_like(sums), atol=1e-2)
            assert right, (
                f"`{name}`: probabilities must sum to 1 over ALL keys{', to less over the text alone' if part else ''}, got "
                f"{float(sums.min()):.3f} to {float(sums.max()):.3f}; take the softmax before you cut out the text"
            )
        share, least, most = maps.sum(1), float(maps.min()), float(maps.sum(1).max())
        assert 0 <= least <= most <= 1.01, f"`{name}`: the text's share of the attention must lie in [0, 1], got {least:.3f} to {most:.3f}"
        assert float(share.mean()) > 1e-3, f"`{name}`: hardly any attention goes to the text; are these the text's columns?"


def _check_gradient(trial: Trial) -> None:
    leaf, row, dtype = trial.sample.detach().clone().requires_grad_(), len(trial.sample) // 2, trial.sample.dtype
    for layer in trial._replace(sample=leaf).attention():
        name, maps = layer.layer, token_maps(layer, len(leaf))
        assert maps.requires_grad, f"`{name}`: the maps in {dtype} have no gradient to the sample; detached, or recorded under `no_grad`?"
        (gradient,) = torch.autograd.grad(1e4 * (maps[row] * torch.randn_like(maps[row])).sum(), leaf, retain_graph=True)
        others = gradient[torch.arange(len(leaf)) != row]
        assert bool(torch.isfinite(gradient).all()), f"`{name}`: the gradient in {dtype} is not finite"
        assert float(gradient[row].abs().max()) > 0, f"`{name}`: no gradient reaches the sample in {dtype}"
        assert float(others.abs().max()) == 0, f"`{name}`: the gradient of row {row} reaches other rows of the sample"


def _check_rows(trial: Trial) -> None:
    rows = len(trial.sample)
    together = trial.attention()
    for row in range(rows):
        one = slice(row, row + 1)
        alone = trial._replace(sample=trial.sample[one], kwargs=rows_of(trial.kwargs, one, rows)).attention()
        for layer, single in zip(together, alone, strict=True):
            assert torch.allclose(token_maps(layer, rows)[row], token_maps(single, 1)[0], atol=1e-4), (
                f"`{layer.layer}`: the maps of row {row} of {rows} differ from those of the row alone; are rows and heads mixed up?"
            )


def _check_tokens(trial: Trial, names: Sequence[str]) -> None:
    layers = trial.attention()
    lengths = [trial.kwargs[name].shape[1] for name in names]
    for number, before in enumerate(layers):
        extra = before.text_length - sum(lengths)
        first = _columns(trial, layers, names[0], 0)[number] if extra > 0 else 0
        assert extra <= 0, (
            f"`{before.layer}`: the text axis has {before.text_length} columns for the {sum(lengths)} tokens of {' and '.join(names)}, the "
            f"first of which is column {first}: the denoiser adds {extra} tokens of its own (registers). Leave their columns out, with "
            f"`AttentionRecorder(added=({first}, {extra - first}))` or in your `record`: `token_indices` count the text's tokens alone"
        )
        assert extra == 0, (
            f"`{before.layer}`: the text axis must be as long as {' and '.join(names)} together, {sum(lengths)}, got {before.text_length}"
        )
    for number, (name, length) in enumerate(zip(names, lengths, strict=True)):
        for token in sorted({0, length // 3, length - 1}):
            column = sum(lengths[:number]) + token
            for before, changed in zip(layers, _columns(trial, layers, name, token), strict=True):
                assert changed == column, (
                    f"`{before.layer}`: token {token} of `{name}` was changed, and column {changed} of the maps changed most, not {column} "
                    "(tokens that the model adds to the text are no columns); where does the text begin among the keys?"
                )


def _columns(trial: Trial, layers: Sequence[Attention], name: str, token: int) -> list[int]:
    """The column of each layer's maps that changes most when a token does."""
    planted = trial.kwargs[name].clone()
    planted[:, token] = -2 * planted[:, token]
    after = trial._replace(kwargs=trial.kwargs | {name: planted}).attention()
    pairs = zip(layers, after, strict=True)
    return [int(change(old, new, len(trial.sample)).mean((0, 2, 3)).argmax()) for old, new in pairs]


def _check_grid(trial: Trial, size: tuple[int, int]) -> None:
    attention, rows = trial.attention(), len(trial.sample)
    grids = [token_maps(layer, rows).shape[-2:] for layer in attention]
    for layer, (height, width) in zip(attention, grids, strict=True):
        assert abs(height * size[1] - width * size[0]) < max(size), (
            f"`{layer.layer}`: the grid is {height} x {width} for an image of {size[0]} x {size[1]}; turned, or is a square assumed?"
        )

    def changes(sample: Tensor) -> list[tuple[str, Tensor]]:
        """Where the maps of each layer change when the denoiser gets `sample`: its name, (H, W)."""
        pairs = zip(attention, trial._replace(sample=sample).attention(), strict=True)
        return [(old.layer, change(old, new, rows).sum((0, 1)).clamp(min=1e-12)) for old, new in pairs]

    for name, moved in changes(-trial.sample):
        least = float(moved.min() / moved.median())
        assert least > 0.12, f"`{name}`: a place of the map hardly depends on the image ({least:.3f} of the median); are these its queries?"
    for axis, way in enumerate(("top to the bottom", "left to the right")):
        start, end = (changes(band_negated(trial.sample, grids[0], axis, last=last)) for last in (False, True))
        for (name, a), (_, b) in zip(start, end, strict=True):
            contrast = (b - a) / (b + a)
            y, x = (torch.linspace(-1, 1, n, device=a.device) for n in a.shape)
            slopes = float(contrast.mean(1) @ y / (y @ y)), float(contrast.mean(0) @ x / (x @ x))
            assert slopes[axis] > abs(slopes[1 - axis]), (
                f"`{name}`: from the {way} of the image, what changes in the map moves by {slopes[0]:+.2f} downwards and {slopes[1]:+.2f} "
                "to the right; is the grid row by row?"
            )


def _check_untouched(trial: Trial) -> None:
    make_source, denoiser, sample, kwargs = trial
    before, run = module_state(denoiser), []

    with torch.no_grad(), register_module_forward_hook(lambda module, _args, _output: run.append(module)):
        denoiser(sample, **kwargs)
    for enabled in (False, True):
        plain, recorded = [], []
        with torch.set_grad_enabled(enabled):
            map_tensors(plain.append, denoiser(sample, **kwargs))
            with make_source(denoiser).record(sample, **kwargs):
                map_tensors(recorded.append, denoiser(sample, **kwargs))
        # with gradients to rounding: a kernel that also returns the log-sum-exp may take the place of the denoiser's own
        same = _to_rounding if enabled else torch.equal
        assert all(same(a, b) for a, b in zip(plain, recorded, strict=True)), "recording has changed the denoiser's output"
    assert module_state(denoiser) == before, f"left behind after a pass: {before.missing(module_state(denoiser))}"
    # torch skips the hooks that end a module's pass when it is interrupted by anything but an `Exception`
    for kind in (InterruptedError, KeyboardInterrupt):
        for module in dict.fromkeys((run[0], run[len(run) // 2], run[-1], *_inside(trial))):
            _check_interrupted(trial, module, kind)


def _to_rounding(a: Tensor, b: Tensor) -> bool:
    if not a.is_floating_point():
        return torch.equal(a, b)
    return bool((a - b).abs().max() <= max(1e-4, 4 * torch.finfo(a.dtype).eps) * a.abs().max())


def _inside(trial: Trial) -> list[nn.Module]:
    """A module inside each tapped one, where the layers' names are those of modules."""
    modules = dict(trial.denoiser.named_modules())
    tapped = [modules[layer.layer] for layer in trial.attention() if layer.layer in modules]
    return [next(iter(module.children()), module) for module in tapped]


def _check_interrupted(trial: Trial, module: nn.Module, kind: type[BaseException]) -> None:
    def interrupt(*_: Any) -> None:
        raise kind

    with module.register_forward_pre_hook(interrupt):
        during = module_state(trial.denoiser)
        try:
            with trial.make_source(trial.denoiser).record(trial.sample, **trial.kwargs):
                trial.denoiser(trial.sample, **trial.kwargs)
        except kind:
            what = "an exception" if issubclass(kind, Exception) else f"an interrupt ({kind.__name__})"
            left = during.missing(module_state(trial.denoiser))
            assert not left, f"left behind after {what}: {left}"
        else:
            raise AssertionError("the source has swallowed an exception of the denoiser")


def _check_every_pass(trial: Trial) -> None:
    """One source serves all steps of a sampling: it must return the maps of the latest pass, and raise when there was none."""
    source = trial.make_source(trial.denoiser)
    for sample in (trial.sample, -trial.sample):
        try:
            with source.record(sample, **trial.kwargs) as attention:
                pass
        except Exception:  # whatever the author likes to raise
            pass
        else:
            raise AssertionError(f"no pass has been run, and the source says nothing and returns {len(attention)} layers: it must raise")
        old, new = ([token_maps(x, 1) for x in trial._replace(sample=sample).attention(s)] for s in (source, None))
        equal = [torch.equal(a, b) for a, b in zip(old, new, strict=False)]
        assert equal == [True] * max(len(old), len(new)), "a used source must give what a new one gives; does it keep maps of old passes?"
