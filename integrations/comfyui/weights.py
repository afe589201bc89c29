"""Weights that a gradient can pass: ComfyUI loads models under `torch.inference_mode()`, and such tensors cannot be saved for backward."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def usable_weights(module: nn.Module) -> Iterator[None]:
    """While the context is open, parameters of `module` are normal tensors without gradient that share the memory of the original ones.

    The original objects are restored on exit. Parameters of other types than `Tensor` and `Parameter` (quantised weights of other nodes)
    stay: their layers make a normal tensor of them in each pass.
    """
    replaced: list[tuple[dict[str, Any], str, Tensor]] = []
    try:
        for part in module.modules():
            own: dict[str, Any] = part._parameters
            for name, parameter in own.items():
                if parameter is not None and type(parameter) in (Tensor, nn.Parameter):
                    replaced.append((own, name, parameter))
                    own[name] = nn.Parameter(shared(parameter), requires_grad=False)
        yield
    finally:
        for own, name, parameter in replaced:
            own[name] = parameter


def shared(x: Tensor) -> Tensor:
    """Returns a normal tensor, also for one made under inference mode, that shares the memory of `x`."""
    with torch.inference_mode(False):
        if not x.is_inference():
            return x.detach()
        return torch.empty(0, dtype=x.dtype, device=x.device).set_(x.untyped_storage(), x.storage_offset(), x.size(), x.stride())
