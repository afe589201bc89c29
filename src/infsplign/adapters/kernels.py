"""Torch's fused attention operators and their backward passes, behind one signature. They also return the log-sum-exp of the logits.

The operators are private to torch and may change. Use them through `infsplign.adapters.fused`, which checks each one before its first
use. The CUDA operators follow torch's schemas; they have not been run on a GPU yet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend

aten = torch.ops.aten
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Kernel:
    """One fused operator and its backward pass.

    Attributes:
        name: shown by `infsplign.describe`.
        backend: torch's own name of the operator.
        forward: (query, key, value, mask, scale) to the result, the log-sum-exp in the operator's own shape, and a tuple of further
            values that `backward` needs.
        backward: (dO, query, key, value, mask, O, log-sum-exp, further values, scale) to the gradients of queries, keys and values.
        dtypes: types that the operator takes.
        masks: whether it takes a mask.
        aligned, widest: head sizes must be a multiple of `aligned` and at most `widest`.
    """

    name: str
    backend: SDPBackend
    forward: Callable[..., tuple[Tensor, Tensor, tuple[Any, ...]]]
    backward: Callable[..., Any]
    dtypes: tuple[torch.dtype, ...]
    masks: bool = True
    aligned: int = 1
    widest: int = 1024

    def takes(self, query: Tensor, *, masked: bool) -> bool:
        """Tells whether the operator takes queries of this type and head size (B, N, S, D)."""
        size = query.shape[-1]
        return query.dtype in self.dtypes and (self.masks or not masked) and size % self.aligned == 0 and size <= self.widest


def _cpu(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    return *aten._scaled_dot_product_flash_attention_for_cpu(query, key, value, attn_mask=mask, scale=scale), ()


def _cpu_back(d_out: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, out: Tensor, lse: Tensor, _rest: Any,
              scale: float) -> Any:  # fmt: skip
    backward = aten._scaled_dot_product_flash_attention_for_cpu_backward
    return backward(d_out, query, key, value, out, lse, 0.0, False, attn_mask=mask, scale=scale)


def _flash(query: Tensor, key: Tensor, value: Tensor, _mask: None, scale: float) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    out, lse, *rest = aten._scaled_dot_product_flash_attention(query, key, value, scale=scale)
    return out, lse, tuple(rest[:6])


def _flash_back(d_out: Tensor, query: Tensor, key: Tensor, value: Tensor, _mask: None, out: Tensor, lse: Tensor, rest: Any,
                scale: float) -> Any:  # fmt: skip
    *lengths, seed, offset = rest  # cumulative and longest numbers of queries and keys
    backward = aten._scaled_dot_product_flash_attention_backward
    return backward(d_out, query, key, value, out, lse, *lengths, 0.0, False, seed, offset, scale=scale)


def _bias(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """Expands a mask to (B, N, S, K) with strides that are multiples of 16 numbers, as CUDA's kernels require."""
    if mask is None:
        return None
    keys = key.shape[2]
    mask = mask.expand(*mask.shape[:-1], keys)
    return F.pad(mask, (0, -keys % 16))[..., :keys].expand(*query.shape[:3], keys)


def _efficient(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    out, lse, *rest = aten._scaled_dot_product_efficient_attention(query, key, value, _bias(mask, query, key), True, scale=scale)
    return out, lse, tuple(rest)


def _efficient_back(d_out: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, out: Tensor, lse: Tensor, rest: Any,
                    scale: float) -> Any:  # fmt: skip
    backward = aten._scaled_dot_product_efficient_attention_backward
    wanted = [True, True, True, False]  # of queries, keys, values, mask
    return backward(d_out, query, key, value, _bias(mask, query, key), out, lse, *rest, 0.0, wanted, scale=scale)[:3]


def _cudnn(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    out, lse, *rest = aten._scaled_dot_product_cudnn_attention(query, key, value, _bias(mask, query, key), True, scale=scale)
    return out, lse, tuple(rest[:6])


def _cudnn_back(d_out: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, out: Tensor, lse: Tensor, rest: Any,
                scale: float) -> Any:  # fmt: skip
    *lengths, seed, offset = rest
    backward = aten._scaled_dot_product_cudnn_attention_backward
    return backward(d_out, query, key, value, out, lse, seed, offset, _bias(mask, query, key), *lengths, 0.0, False, scale=scale)


CPU = Kernel("flash on the CPU", SDPBackend.FLASH_ATTENTION, _cpu, _cpu_back, (torch.float64, torch.float32, *HALF))
KERNELS: dict[str, tuple[Kernel, ...]] = {
    "cpu": (CPU,),
    "meta": (CPU,),
    "cuda": (
        Kernel("flash", SDPBackend.FLASH_ATTENTION, _flash, _flash_back, HALF, masks=False, aligned=8, widest=256),
        Kernel("efficient", SDPBackend.EFFICIENT_ATTENTION, _efficient, _efficient_back, (torch.float32, *HALF), aligned=8),
        Kernel("cuDNN", SDPBackend.CUDNN_ATTENTION, _cudnn, _cudnn_back, HALF, aligned=8, widest=128),
    ),
}
"""Device type to its kernels; the first that fits is used."""
