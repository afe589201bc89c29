"""Computes object maps from the log-sum-exp of the logits: the softmax of a few text tokens, without the softmax of all keys.

Let L_s = logsumexp_j(scale q_s.k_j + mask_sj) over all keys j. Then a text token t has the probability

    P_st = exp(scale q_s.k_t + mask_st - L_s).

Only the columns of tokens that belong to an object are computed. The maps are M = sum_n P W / N, with the weights W of objects on tokens
and N heads. If G is the gradient of M, the logits of these tokens have the gradient U = P * (G W^T / N), and L has the gradient -sum_t U.

If possible, L comes from the denoiser's own call of fused attention, at hardly any cost (`infsplign.adapters.sdpa`). Otherwise L comes
from a second call if the matrix is large, and `StreamedAttention` computes the maps if it is small.
"""

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
from infsplign.core.chunks import CHUNK


class ObjectTokens:
    """Finds the text tokens that belong to any object, once for each tensor of weights, because reading them waits for the device."""

    def __init__(self) -> None:
        self._read: Any = WeakTensorKeyDictionary()

    def __call__(self, weights: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Returns the tokens whose `weights` (B, T, O) are not all zero, and their weights in float32 or better.

        Tokens are positions on the key axis, where the text begins at `first`. The meta device has no values, so one token for each
        object is assumed there.
        """
        version = None if weights.is_inference() else weights._version  # a tensor that was changed is read again
        known = self._read.get(weights)
        if known is None or version is None or known[0] != (version, first):
            if weights.device.type == "meta":
                tokens = torch.empty(min(weights.shape[1:]), dtype=torch.long, device="meta")
            else:
                tokens = (weights != 0).any(-1).any(0).nonzero()[:, 0]
            known = self._read[weights] = (version, first), (tokens + first, at_least_float32(weights).index_select(1, tokens))
        return known[1]


@dataclass(frozen=True)
class ColumnAttention(StreamedAttention):
    """A `StreamedAttention` that computes the softmax only for tokens of objects, if a fused kernel gives the log-sum-exp.

    Autograd keeps queries, keys and the columns of these tokens.

    Attributes:
        lse: (B, N, S), the log-sum-exp of the logits, with a graph; None if it is not known yet.
        object_tokens: finds the tokens; shared by the layers and steps of a recorder.
    """

    lse: Tensor | None = None
    object_tokens: ObjectTokens = field(default_factory=ObjectTokens, compare=False, repr=False)

    def object_maps(self, weights: Tensor) -> Tensor:
        """See `Attention.object_maps`."""
        kernel = self._kernel() if self.lse is None else None
        if self.lse is None and kernel is None:
            return super().object_maps(weights)
        check_weights(weights, self.query.shape[0], self.text_length)
        mask = None if self.mask is None else _shifted(self.mask, self.query.dtype, self.key.shape[2])
        lse = log_sum_exp(self.query, self.key, mask, self.scale, kernel) if kernel is not None else self.lse
        tokens, weights = self.object_tokens(weights, self.text[0])
        maps = _Columns.apply(self.query, self.key, lse, weights, mask, tokens, self.scale)
        return maps.transpose(1, 2).unflatten(2, self.grid)

    def of_rows(self, rows: slice) -> Self:
        """See `QueryKeyAttention.of_rows`."""
        cut = super().of_rows(rows)
        return cut if self.lse is None else replace(cut, lse=self.lse[rows])

    def _kernel(self) -> Kernel | None:
        """Returns the fused kernel that computes the log-sum-exp; None if the maps are computed in chunks.

        Small matrices are computed as one chunk, which takes four matrix products with its gradient; a call of a kernel takes seven.
        """
        batch, heads, queries, _ = self.query.shape
        small = batch * heads * queries * self.key.shape[2] <= CHUNK
        if small or self.query.shape[:2] != self.key.shape[:2] or (self.mask is not None and self.mask.requires_grad):
            return None
        return kernel_for(self.query, masked=self.mask is not None)


def _shifted(mask: Tensor, dtype: torch.dtype, keys: int) -> Tensor:
    """Returns a mask of four axes whose largest value for each query is 0. The softmax is the same, and the log-sum-exp loses no digits
    if the mask has large negative numbers at all keys."""
    full = mask.reshape((1,) * (4 - mask.ndim) + tuple(mask.shape))
    return (full - full.amax(-1, keepdim=True)).to(dtype).expand(*full.shape[:-1], keys)


class _Columns(torch.autograd.Function):
    """`sum_n exp(scale * query @ key[tokens]^T + mask - lse) @ weights / N`, (B, S, O), with a gradient to queries, keys and `lse`."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, lse: Tensor, weights: Tensor, mask: Tensor | None, tokens: Tensor, scale: float
    ) -> Tensor:
        part, text = _together(query, weights), _together(key.index_select(2, tokens), weights)
        share = torch.baddbmm(_together(lse[..., None], weights), part, text.mT, beta=-1, alpha=scale).unflatten(0, query.shape[:2])
        if mask is not None:
            share += mask.index_select(3, tokens)
        share.exp_()  # (B, N, S, tokens)
        ctx.save_for_backward(query, key, text, weights, tokens, share)
        ctx.scale, ctx.lse_dtype = scale, lse.dtype
        return share.mean(1) @ weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, text, weights, tokens, share = ctx.saved_tensors
        shape, to_maps = query.shape[:2], gradients[0]
        asked = _product(to_maps, weights.mT.expand(len(to_maps), -1, -1), -1 / shape[1])
        wanted = (share * asked[:, None]).flatten(0, 1)  # of the logits, times -1
        to_query = _product(wanted, text, -ctx.scale).unflatten(0, shape).to(query.dtype)
        to_text = _product(wanted.mT, _together(query, weights), -ctx.scale).unflatten(0, shape).to(key.dtype)
        to_lse = wanted.sum(-1).unflatten(0, shape).to(ctx.lse_dtype)
        return to_query, torch.zeros_like(key).index_copy_(2, tokens, to_text), to_lse, None, None, None, None


def _together(x: Tensor, like: Tensor) -> Tensor:
    """Joins the axes of batch and heads, and converts to the type of `like`."""
    return x.flatten(0, 1).to(like.dtype)


def _product(a: Tensor, b: Tensor, factor: float) -> Tensor:
    """`factor * a @ b`, of three axes, as one operator."""
    return torch.baddbmm(a.new_empty(1, 1, 1), a, b, beta=0, alpha=factor)  # times 0, so never read
