"""Compares the maps of a source with the attention that its modules compute, and their gradients with differences."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from infsplign.testing.trial import Trial, token_maps

CLOSE = 1e-3
"""Largest difference of two maps that are the same, as a part of their largest value."""
STEPS, DIRECTIONS, SLOPE = (1e-2, 1e-3, 1e-4), 8, 0.02
"""Of central differences: steps in the value of the sample, the smaller ones for a denoiser with kinks; number of random directions;
largest relative error of the slopes along them."""


def check_plain(trial: Trial, lengths: Sequence[int] | None = None) -> None:
    """Checks that the maps of a layer are the attention that its module computes by `scaled_dot_product_attention`.

    A layer is left out whose name is no module's, whose module does not call that function, or calls it with other positions than the
    grid's, as where frames are averaged or the module splits its queries.

    Args:
        trial: a pass.
        lengths: for each row, number of tokens that are not masked, from the first on; all when None. Rows are then compared one by one,
            since a model may pack them.

    Raises:
        AssertionError: the maps are none of the module's.
    """
    layers, rows = trial.attention(), len(trial.sample)
    modules = dict(trial.denoiser.named_modules())
    with torch.no_grad(), Calls(rows) as calls:
        named = [name for layer in layers if (name := layer.layer) in modules]
        hooks = [modules[name].register_forward_pre_hook(calls.entering(name)) for name in named]
        hooks += [modules[name].register_forward_hook(calls.leaving) for name in named]
        try:
            trial.denoiser(trial.sample, **trial.kwargs)
        finally:
            for hook in hooks:
                hook.remove()
    for layer in layers:
        maps = token_maps(layer, rows).detach().flatten(2).mT.cpu().double()  # (B, S, T); not every device has float64
        fitting = [p for p in calls.found.get(layer.layer, ()) if _fits(p, maps)]
        near = max(CLOSE, 4 * torch.finfo(trial.sample.dtype).eps) * float(maps.max())
        whole = [(slice(rows), maps.shape[-1])]
        parts = whole if lengths is None else [(slice(row, row + 1), length) for row, length in enumerate(lengths)]
        found = [any(_is_part(p[row], maps[row, :, :length], near) for p in fitting) for row, length in parts]
        assert not fitting or all(found), (
            f"`{layer.layer}`: the maps are not the attention that the module computes by `scaled_dot_product_attention`, averaged over "
            "heads; are these its queries, keys, scale and mask, in its order? Give `plain=False` if the source changes it on purpose"
        )


def check_slope(trial: Trial) -> None:
    """Checks that the gradient of the maps with respect to the sample equals central differences along random directions.

    A denoiser in half precision is left out, whose differences are those of rounding.

    Raises:
        AssertionError: it does not.
    """
    leaf, rows = trial.sample.detach().clone().requires_grad_(), len(trial.sample)
    if torch.finfo(leaf.dtype).bits < 32:
        return
    own = torch.Generator().manual_seed(0)

    def drawn(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=own, dtype=torch.float64)

    def values(sample: Tensor) -> list[Tensor]:
        return [token_maps(layer, rows).cpu().double() for layer in trial._replace(sample=sample).attention()]

    def differences(step: float) -> Tensor:
        ends = [[[x.detach() for x in values(leaf.detach() + h * way.to(leaf))] for h in (step, -step)] for way in ways]
        return torch.tensor([[float(((high[i] - low[i]) * w).sum()) / (2 * step) for high, low in ends] for i, w in enumerate(weights)])

    maps, ways = values(leaf), [drawn(leaf) for _ in range(DIRECTIONS)]
    weights = [drawn(x) for x in maps]
    gradients = [torch.autograd.grad((x * w).sum(), leaf, retain_graph=True)[0].cpu().double() for x, w in zip(maps, weights, strict=True)]
    told = torch.tensor([[float((gradient * way).sum()) for way in ways] for gradient in gradients])  # (layers, directions)
    errors = []
    for step in STEPS:
        true = differences(step)  # (layers, directions)
        errors.append((told - true).norm(dim=1) / true.norm(dim=1))
        if bool((errors[-1] < SLOPE).all()):
            return
    for layer, error in zip(trial.attention(), torch.stack(errors).amin(0).tolist(), strict=True):
        assert error < SLOPE, (
            f"`{layer.layer}`: the gradient of the maps differs from central differences by {error:.0%}; is a part of the graph from the "
            "sample to queries and keys detached?"
        )


class Calls(TorchFunctionMode):
    """Records the probabilities (B, Q, K) of each call of `scaled_dot_product_attention` inside named modules, averaged over heads."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.inside: list[str] = []
        self.found: dict[str, list[Tensor]] = {}

    def entering(self, name: str) -> Any:
        return lambda *_: self.inside.append(name)

    def leaving(self, *_: Any) -> None:
        self.inside.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention and self.inside:
            found = _probabilities(self.rows, *args, **(kwargs or {}))
            if found is not None:
                self.found.setdefault(self.inside[-1], []).append(found)
        return func(*args, **(kwargs or {}))


def _probabilities(
    rows: int, query: Tensor, key: Tensor, value: Any = None, attn_mask: Any = None, *more: Any, scale: Any = None, **options: Any
) -> Tensor | None:
    """The attention of a call averaged over heads, (B, Q, K); None if it is causal, or its axes are not (B, heads, positions, channels)."""
    if query.ndim != 4 or len(query) != rows or options.get("is_causal") or any(more[1:]):
        return None
    query, key = query.cpu().double(), key.cpu().double()
    if key.shape[1] != query.shape[1]:
        key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
    logits = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None:
        attn_mask = attn_mask.cpu()
        logits = logits.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else logits + attn_mask
    return logits.softmax(-1).mean(1)


def _fits(p: Tensor, maps: Tensor) -> bool:
    """Whether the queries of a call are the positions of the maps, or these and those of the text in joint attention."""
    (queries, keys), (positions, tokens) = p.shape[1:], maps.shape[1:]
    joint = queries == keys and positions < queries < 2 * positions + tokens
    return bool(torch.isfinite(p).all()) and keys >= tokens and (queries == positions or joint)


def _is_part(p: Tensor, maps: Tensor, near: float) -> bool:
    """Whether the maps (B, S, T) are columns of p (B, Q, K), at S successive queries that are not those of the columns."""
    positions = maps.shape[1]
    windows = p[0].unfold(0, positions, 1)  # (Q - S + 1, K, S)
    starts = ((windows - maps[0, :, 0]).abs().amax(-1) <= near).any(-1).nonzero().flatten().tolist()
    parts = [slice(first, first + positions) for first in starts]
    return any(_columns_are(p[:, part], maps, near, part if p.shape[1] > positions else slice(0)) for part in parts)


def _columns_are(p: Tensor, maps: Tensor, near: float, image: slice) -> bool:
    masked = p.amax((0, 1)) == 0  # (K,)
    masked[image] = True
    for token in maps.unbind(-1):
        apart = (p - token[..., None]).abs().amax((0, 1))  # (K,)
        if not bool((apart[~masked] <= near).any()):
            return False
    return True
