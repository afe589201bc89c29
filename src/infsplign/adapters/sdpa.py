"""Runs the denoiser's own call of `scaled_dot_product_attention` so that it also returns the log-sum-exp of its logits.

It calls the operator that torch has chosen, so the result is the same to the bit. The backward pass of the denoiser's attention, which is
needed anyway, also computes the gradient of the log-sum-exp.
"""

from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

from infsplign.adapters.fused import attention, kernel_for
from infsplign.adapters.kernels import KERNELS
from infsplign.engine.checkpointing import in_checkpoint


class SdpaCall(NamedTuple):
    """The arguments of a call of `scaled_dot_product_attention`.

    Attributes:
        query, key, value: (B, N, S, D), (B, N, K, D) and (B, N, K, D); `value` is None if it is not known.
        scale: factor of the logits.
        mask: booleans, True where attended, or numbers that are added to the logits; that of a causal call too.
        plain: whether the call has no dropout, no causal mask and no grouped heads.
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
        """Makes it from the arguments of the call."""
        factor = query.shape[-1] ** -0.5 if scale is None else float(scale)
        if is_causal:
            attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
        return cls(query, key, value, factor, attn_mask, not (dropout_p or is_causal or enable_gqa))


def with_log_sum_exp(call: SdpaCall) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Returns the call's result (B, N, S, D) and the log-sum-exp (B, N, S) of its logits; (None, None) if the call must run unchanged.

    Calls that run unchanged:
        with a mask: large negative numbers at all keys of a query leave the log-sum-exp no digits.
        for which torch has chosen no fused operator.
        under autocast.
        in checkpointed blocks: their recomputation is not watched, and must save the same tensors.
    """
    query, key, value, scale, mask, plain = call
    if value is None or mask is not None or not plain or query.device.type not in KERNELS:
        return None, None
    if query.ndim != 4 or key.shape != value.shape or query[:, :, 0].shape != key[:, :, 0].shape:
        return None, None
    if in_checkpoint.get() or _autocast(query.device.type):
        return None, None
    kernel = kernel_for(query, masked=False, chosen=_chosen(call))
    return (None, None) if kernel is None else attention(query, key, value, scale, kernel)


def _autocast(device: str) -> bool:
    return device != "meta" and torch.is_autocast_enabled(device)


def _chosen(call: SdpaCall) -> int | None:
    """Returns the value of the `SDPBackend` that torch chooses; None on the meta device, where torch always chooses the unfused one."""
    if call.query.device.type == "meta":
        return None
    try:
        choose: Any = torch._fused_sdp_choice
        return choose(call.query, call.key, call.value, None, 0.0, False, scale=call.scale)
    except (AttributeError, TypeError, RuntimeError):  # private to torch, it may be gone or changed
        return SDPBackend.ERROR.value
