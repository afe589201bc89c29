"""Attention whose maps are made a piece at a time, in the gradient too: what autograd keeps is queries and keys, never the matrix."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from infsplign.core.attention import QueryKeyAttention
from infsplign.core.pieces import head_sum, object_columns, part_of, pieces


@dataclass(frozen=True)
class StreamedAttention(QueryKeyAttention):
    """A `QueryKeyAttention` of torch tensors. Its gradient computes each piece of the probabilities again.

    For that the matrix product of queries and keys is run twice; without it, joint attention at 1024 pixels would keep gigabytes a layer.
    """

    def object_maps(self, weights: Tensor) -> Tensor:
        """See `Attention.object_maps`."""
        if self.mask is not None and self.mask.requires_grad:
            return super().object_maps(weights)
        maps = _Columns.apply(self.query, self.key, weights, self.mask, self.scale, self.text)
        return maps.transpose(1, 2).unflatten(2, self.grid)


class _Columns(torch.autograd.Function):
    """`object_columns`, with a gradient to queries and keys."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, weights: Tensor, mask: Tensor | None, scale: float, text: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(query, key, weights, mask)
        ctx.options = {"scale": scale, "text": text}
        return object_columns(query, key, weights, mask=mask, **ctx.options)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, weights, mask = ctx.saved_tensors
        wanted = [n for n in (0, 1) if ctx.needs_input_grad[n]]
        found: list[Tensor | None] = [torch.zeros_like(x, dtype=weights.dtype) if n in wanted else None for n, x in enumerate((query, key))]
        upstream = gradients[0] / query.shape[1]
        for heads, queries in pieces(query.shape, key.shape[2]):
            places = ((slice(None), heads, queries), (slice(None), heads))
            parts = [x[place].detach().to(weights.dtype) for x, place in zip((query, key), places, strict=True)]
            leaves = [parts[n].requires_grad_() for n in wanted]
            with torch.enable_grad():
                columns = head_sum(parts[0], parts[1], weights, mask=part_of(mask, heads, queries), **ctx.options)
            for n, gradient in zip(wanted, torch.autograd.grad(columns, leaves, upstream[:, queries]), strict=True):
                found[n][places[n]] += gradient  # type: ignore[index]
        return *(g if g is None else g.to(x.dtype) for g, x in zip(found, (query, key), strict=True)), None, None, None, None
