"""Attention whose maps are made from the log-sum-exp of the logits: the softmax of a few text tokens, without that of all keys.

With L_s = logsumexp_j(scale q_s.k_j + mask_sj) over all keys j, a text token t has the probability P_st = exp(scale q_s.k_t + mask_st - L_s).
Only the columns of tokens that belong to an object are computed. With the weights W of objects on tokens, N heads, and G the gradient of
the maps M = sum_n P W / N, the logits of these tokens have the gradient U = P * (G W^T / N), and L has -sum_t U.

L comes from the model's own call of fused attention where that can be, at no cost (`infsplign.adapters.fused`); else from a call of our own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.weak import WeakTensorKeyDictionary

from infsplign.adapters.fused import kernel_for, log_sum_exp
from infsplign.adapters.kernels import Kernel
from infsplign.adapters.streamed import StreamedAttention
from infsplign.core._namespace import at_least_float32
from infsplign.core.attention import check_weights
from infsplign.core.pieces import part_of, pieces


class AskedTokens:
    """Which text tokens any object has. To read this waits for the device, so it is read once for each tensor of weights."""

    def __init__(self) -> None:
        self._read: Any = WeakTensorKeyDictionary()

    def __call__(self, weights: Tensor) -> Tensor:
        """The positions on the text axis whose `weights` (B, T, O) are not all zero.

        On the meta device, where there are no values, one token for each object is assumed.
        """
        if weights.device.type == "meta":
            return torch.empty(min(weights.shape[1:]), dtype=torch.long, device="meta")
        version = None if weights.is_inference() else weights._version  # a tensor that was changed is read again
        known = self._read.get(weights)
        if known is None or version is None or known[0] != version:
            known = self._read[weights] = version, (weights != 0).any(-1).any(0).nonzero()[:, 0]
        return known[1]


@dataclass(frozen=True)
class ColumnAttention(StreamedAttention):
    """A `StreamedAttention` that takes the softmax of the asked tokens alone, where a fused kernel gives the log-sum-exp.

    Attributes:
        lse: (B, N, S), the log-sum-exp of the logits, with a graph; None where it is to be computed.
        asked: finds the tokens; shared by the layers and steps of a recorder.
    """

    lse: Tensor | None = None
    asked: AskedTokens = field(default_factory=AskedTokens, compare=False, repr=False)

    def object_maps(self, weights: Tensor) -> Tensor:
        """See `Attention.object_maps`."""
        kernel = self._kernel() if self.lse is None else None
        if self.lse is None and kernel is None:
            return super().object_maps(weights)
        check_weights(weights, self.query.shape[0], self.text_length)
        mask = None if self.mask is None else _shifted(self.mask, self.query.dtype, self.key.shape[2])
        lse = log_sum_exp(self.query, self.key, mask, self.scale, kernel) if kernel is not None else self.lse
        tokens = self.asked(weights)
        weights = at_least_float32(weights).index_select(1, tokens)
        maps = _Columns.apply(self.query, self.key, lse, weights, mask, tokens + self.text[0], self.scale)
        return maps.transpose(1, 2).unflatten(2, self.grid)

    def of_rows(self, rows: slice) -> Self:
        """See `QueryKeyAttention.of_rows`."""
        cut = super().of_rows(rows)
        return cut if self.lse is None else replace(cut, lse=self.lse[rows])

    def _kernel(self) -> Kernel | None:
        """The fused kernel that the log-sum-exp is made with; None where the maps are made in pieces."""
        if self.query.shape[:2] != self.key.shape[:2] or (self.mask is not None and self.mask.requires_grad):
            return None
        return kernel_for(self.query, masked=self.mask is not None)


def _shifted(mask: Tensor, dtype: torch.dtype, keys: int) -> Tensor:
    """A mask of four axes whose largest value for each query is 0: the same softmax, and no digits are lost where all keys have large
    negative numbers."""
    full = mask.reshape((1,) * (4 - mask.ndim) + tuple(mask.shape))
    return (full - full.amax(-1, keepdim=True)).to(dtype).expand(*full.shape[:-1], keys)


class _Columns(torch.autograd.Function):
    """`sum_n exp(scale * query @ key[tokens]^T + mask - lse) @ weights / N`, (B, S, O), with a gradient to queries, keys and `lse`."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, lse: Tensor, weights: Tensor, mask: Tensor | None, tokens: Tensor, scale: float
    ) -> Tensor:
        ctx.save_for_backward(query, key, lse, weights, mask, tokens)
        ctx.scale = scale
        columns = weights.new_zeros(query.shape[0], query.shape[2], len(tokens))
        for _, queries, _, _, share in _shares(query, key, lse, mask, tokens, scale, weights.dtype):
            columns[:, queries].add_(share.sum(1))
        return columns @ weights / query.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, lse, weights, mask, tokens = ctx.saved_tensors
        asked = (gradients[0] @ weights.mT / query.shape[1])[:, None]  # (B, 1, S, T)
        to_query, to_lse = torch.empty_like(query), torch.empty_like(lse)
        to_text = weights.new_zeros(*key.shape[:2], len(tokens), key.shape[3])
        for heads, queries, part, keys, share in _shares(query, key, lse, mask, tokens, ctx.scale, weights.dtype):
            share *= asked[:, :, queries]
            to_lse[:, heads, queries] = -share.sum(-1)
            to_query[:, heads, queries] = share @ keys
            to_text[:, heads].add_(share.mT @ part, alpha=ctx.scale)
        to_key = torch.zeros_like(key).index_copy_(2, tokens, to_text.to(key.dtype)) if ctx.needs_input_grad[1] else None
        return to_query, to_key, to_lse, None, None, None, None


def _shares(
    query: Tensor, key: Tensor, lse: Tensor, mask: Tensor | None, tokens: Tensor, scale: float, dtype: torch.dtype
) -> Iterator[tuple[slice, slice, Tensor, Tensor, Tensor]]:
    """For each piece its heads, queries, `query` of these, `key` of the tokens times `scale`, and probabilities: the caller's to change."""
    key = key.index_select(2, tokens).to(dtype) * scale
    mask = None if mask is None else mask.index_select(3, tokens)
    for heads, queries in pieces(query.shape, max(1, len(tokens))):
        part, keys = query[:, heads, queries].to(dtype), key[:, heads]
        share = part @ keys.mT
        added = part_of(mask, heads, queries)
        if added is not None:
            share += added
        share -= lse[:, heads, queries, None]
        yield heads, queries, part, keys, share.exp_()
