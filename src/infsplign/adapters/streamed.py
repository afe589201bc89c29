"""Computes attention maps in chunks, also in the backward pass: autograd keeps queries and keys, never the whole matrix.

The maps are M = sum_n P[text] W / N, with the probabilities P = softmax(L) of the logits L = scale Q K^T + mask, the weights W of objects
on the text tokens, and N heads. If G is the gradient of M, the gradient of the logits is

    dL = P * (A - sum_text P A)        A = G W^T / N on text tokens, 0 on all others

So a chunk costs its logits, one softmax, and the products with K and Q.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from infsplign.core._namespace import at_least_float32
from infsplign.core.attention import QueryKeyAttention, check_weights
from infsplign.core.chunks import chunks, mask_chunk


@dataclass(frozen=True)
class StreamedAttention(QueryKeyAttention):
    """A `QueryKeyAttention` of torch tensors, whose gradient recomputes each chunk of the probabilities.

    The second matrix product of queries and keys saves memory: joint attention at 1024 pixels would keep gigabytes for each layer.
    """

    def object_maps(self, weights: Tensor) -> Tensor:
        """See `Attention.object_maps`."""
        if self.mask is not None and self.mask.requires_grad:
            return super().object_maps(weights)
        check_weights(weights, self.query.shape[0], self.text_length)
        weights = at_least_float32(weights)
        maps = _Columns.apply(self.query, self.key, weights, self.mask, self.scale, self.text)
        return maps.transpose(1, 2).unflatten(2, self.grid)


class _Columns(torch.autograd.Function):
    """`infsplign.core.chunks.object_columns`, with a gradient to queries and keys."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, weights: Tensor, mask: Tensor | None, scale: float, text: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(query, key, weights, mask)
        ctx.scale, ctx.text = scale, text
        columns = weights.new_zeros(query.shape[0], query.shape[2], text[1] - text[0])
        for _, queries, _, _, share in _shares(query, key, mask, scale, weights.dtype):
            columns[:, queries].add_(share[..., text[0] : text[1]].sum(1))
        return columns @ weights / query.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, weights, mask = ctx.saved_tensors
        wants_query, wants_key = ctx.needs_input_grad[:2]
        text = slice(*ctx.text)
        asked = (gradients[0] @ weights.mT * (ctx.scale / query.shape[1]))[:, None]  # (B, 1, S, T)
        to_query, to_key = (torch.zeros_like(x, dtype=weights.dtype) if w else None for x, w in ((query, wants_query), (key, wants_key)))
        for heads, queries, part, keys, share in _shares(query, key, mask, ctx.scale, weights.dtype):
            wanted = share[..., text] * asked[:, :, queries]
            share *= -wanted.sum(-1, keepdim=True)
            share[..., text].add_(wanted)
            if to_query is not None:
                to_query[:, heads, queries] = share @ keys
            if to_key is not None:
                to_key[:, heads].add_(share.mT @ part)
        return *(g if g is None else g.to(x.dtype) for g, x in zip((to_query, to_key), (query, key), strict=True)), None, None, None, None


def _shares(
    query: Tensor, key: Tensor, mask: Tensor | None, scale: float, dtype: torch.dtype
) -> Iterator[tuple[slice, slice, Tensor, Tensor, Tensor]]:
    """Yields for each chunk its heads, its queries, their `query` and `key` in `dtype`, and the probabilities of all keys, which the caller
    may overwrite."""
    for heads, queries in chunks(query.shape, key.shape[2]):
        part, keys = query[:, heads, queries].to(dtype), key[:, heads].to(dtype)
        logits = (part * scale) @ keys.mT
        added = mask_chunk(mask, heads, queries)
        if added is not None:
            logits += added
        yield heads, queries, part, keys, logits.softmax(-1)
