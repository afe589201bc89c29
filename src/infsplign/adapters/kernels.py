"""Torch's fused attention operators, which also return the log-sum-exp of the logits, and their backward passes, behind one signature.

They are private to torch and may change: use them through `infsplign.adapters.fused`, which tries each before it is used. Those of CUDA
are written from torch's schemas; no GPU was there to run them.
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
        name: for people.
        backend: what torch calls it where it chooses among them.
        forward: (query, key, value, mask, scale) to the result, the log-sum-exp as the operator gives it, and what else its backward
            pass wants.
        backward: (dO, query, key, value, mask, O, log-sum-exp, what else, scale) to the gradients of queries, keys and values.
        dtypes: that the operator takes.
        masks: whether it takes a mask.
        aligned, widest: head sizes must be a multiple of the first and at most the second.
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
        """Whether the operator is made for such queries."""
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
    """A mask as CUDA's kernels read it: of full size, its rows beginning at multiples of 16 numbers."""
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
"""Device types to their kernels, the one to be preferred first."""
