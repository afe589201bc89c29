"""Forbids what makes the host wait for the device, so that it is found on a machine without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
FORBIDDEN = {
    aten._local_scalar_dense: "a value is read (`item`, `tolist`, `bool`, `float`)",
    aten.nonzero: "a shape depends on values",
    aten.masked_select: "a shape depends on values",
    aten._unique2: "a shape depends on values",
    aten.unique_dim: "a shape depends on values",
    aten.equal: "two tensors are compared on the host",
    aten.lift_fresh: "a tensor is made from numbers of the host, and copied over",
}


READS = (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.cpu, torch.Tensor.__array__)
"""Methods that read a tensor of the CPU without an operator."""


@contextmanager
def no_sync() -> Iterator[None]:
    """Forbids it inside the context."""
    with _Operators(), _Methods():
        yield


class _Methods(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READS:
            raise AssertionError(f"{func.__name__}: a value is read")
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):
    """Raises where an operator waits for the device, or copies to it from pageable memory."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._overloadpacket in FORBIDDEN:
            raise AssertionError(f"{func}: {FORBIDDEN[func._overloadpacket]}")
        if func._overloadpacket is aten.index and any(i is not None and i.dtype == torch.bool for i in args[1]):
            raise AssertionError(f"{func}: a boolean index has a shape that depends on values")
        return func(*args, **kwargs)
