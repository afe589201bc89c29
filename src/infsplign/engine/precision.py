"""The types that a pass computes in, and tensors that cannot take part in autograd."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from infsplign.core.attention import Attention


def without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """Switches autocast off, which would take the losses' matrix products in half precision."""
    device = x.device.type
    on = device != "meta" and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()


def in_float16(sample: Tensor, attention: Sequence[Attention]) -> bool:
    """Whether the denoiser computes in float16, also where it is given float32: under autocast, or with a cast of its own."""
    device = sample.device.type
    if device != "meta" and torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
        return True
    return any(x.dtype == torch.float16 for x in (sample, *(layer.like for layer in attention)))


def usable(x: Tensor) -> Tensor:
    """Copies a tensor made under inference mode, because only the copy can take part in autograd."""
    return x.clone() if x.is_inference() else x
