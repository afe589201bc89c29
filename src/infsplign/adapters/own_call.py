"""The denoiser's own call of attention, made so that it also returns the log-sum-exp of its logits.

Torch chooses among fused operators and ours is the one that it has chosen, so the result is the same to the bit. What differs is the
gradient's way: that of the log-sum-exp is computed in the pass that the denoiser's own gradient needs anyway.
"""

from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from infsplign.adapters.fused import attention, kernel_for
from infsplign.recomputation import runs_again


class Operands(NamedTuple):
    """What a call of `scaled_dot_product_attention` is given.

    Attributes:
        query, key, value: (B, N, S, D), (B, N, K, D) twice; no value where it is not known.
        scale: factor of the logits.
        mask: boolean or additive.
        plain: no dropout, no causal mask, no grouped heads.
    """

    query: Tensor
    key: Tensor
    value: Tensor | None
    scale: float
    mask: Tensor | None = None
    plain: bool = True

    @classmethod
    def of(
        cls, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
        *, scale: float | None = None, enable_gqa: bool = False,
    ) -> Self:  # fmt: skip
        """From the arguments of the call."""
        factor = query.shape[-1] ** -0.5 if scale is None else float(scale)
        return cls(query, key, value, factor, attn_mask, not (dropout_p or is_causal or enable_gqa))


def with_log_sum_exp(call: Operands) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """The call's result and the log-sum-exp of its logits; (None, None) where the call must be left as it is.

    Left as they are: calls with a mask (where all keys of a query are masked by large negative numbers, nothing is left of the
    log-sum-exp), for which torch has chosen no fused operator, under autocast, and in blocks that will be run again for their gradient.
    """
    query, key, value, scale, mask, plain = call
    like = value is not None and query.ndim == 4 and key.shape == value.shape and query[:, :, 0].shape == key[:, :, 0].shape
    if not (plain and like and mask is None) or runs_again.get() or _autocast(query):
        return None, None
    kernel = kernel_for(query, masked=False, chosen=_chosen(call))
    return (None, None) if kernel is None else attention(query, key, value, scale, kernel)


def _autocast(x: Tensor) -> bool:
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)


def _chosen(call: Operands) -> int | None:
    """The number of torch's choice; None on the meta device, for which it would be the unfused one."""
    if call.query.device.type == "meta":
        return None
    choose: Any = torch._fused_sdp_choice
    return choose(call.query, call.key, call.value, None, 0.0, False, scale=call.scale)
