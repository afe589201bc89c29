"""Counts the cost of a pass: floating-point operations, bytes alive, bytes kept for the backward pass. Nothing is timed.

The counts are the same on every machine and on the meta device. Tensors on the meta device have a shape but no memory, so any machine
can count the largest models.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import finalize

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from infsplign.engine.patching import swapped_attribute

aten = torch.ops.aten
FUSED = aten._scaled_dot_product_flash_attention_for_cpu
FORMULAS: dict[Any, Any] = dict(flop_registry) | {
    FUSED: flop_registry[aten._scaled_dot_product_flash_attention],
    aten._scaled_dot_product_flash_attention_for_cpu_backward: flop_registry[aten._scaled_dot_product_flash_attention_backward],
}
"""Operators to their operation counts: torch's table, with the CPU's fused attention added. It counts two matrix products for fused
attention and five for its gradient; the first of the five recomputes the matrix of the forward pass."""
IDLE = {aten._unsafe_view, aten._reshape_alias, aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty, aten.detach}
"""Operators that compute nothing but are not marked as views."""
GRADIENTS = tuple(op for op in FORMULAS if "attention" in str(op) and "backward" in str(op) and "flex" not in str(op))


@contextmanager
def fused_attention() -> Iterator[None]:
    """Runs attention on the meta device as the fused operator, which keeps queries, keys, values, the result and one number for each query.

    Without this, torch uses its unfused fallback on the meta device, which stores a matrix of queries by keys that no real device stores.
    The context replaces the function itself, because a torch mode is off while a backward pass recomputes blocks.
    """
    own = F.scaled_dot_product_attention

    def attend(*args: Any, **kwargs: Any) -> Tensor:
        query = args[0] if args else kwargs["query"]
        if has_torch_function((query,)):
            return handle_torch_function(attend, (query,), *args, **kwargs)
        return (_fused if query.device.type == "meta" else own)(*args, **kwargs)

    with swapped_attribute(F, "scaled_dot_product_attention", attend):
        yield


def _fused(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
           scale: float | None = None, enable_gqa: bool = False) -> Tensor:  # fmt: skip
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype)
    return FUSED(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]


class Meter(TorchDispatchMode):
    """Counts the operators that run inside the context.

    Attributes:
        flops: operations of matrix products, convolutions and attention, as torch's `FlopCounterMode` counts them.
        again: the part of `flops` in which the gradient of fused attention recomputes the matrix. It only saves memory, so counts of
            what a model needs leave it out.
        operators: number of operators that compute or copy something. On a GPU each is about one kernel launch.
        live, peak: bytes of the tensors made inside the context that are alive now, and their maximum. Memory that an operator
            allocates and frees internally is not counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.operators = self.again = self.live = self.peak = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        self.operators += not func.is_view and func._overloadpacket not in IDLE
        formula = FORMULAS.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=result)
            if func._overloadpacket in GRADIENTS:
                self.again += 2 * args[1].numel() * args[2].shape[-2]  # queries @ keys^T
        for x in _tensors(result):
            storage = x.untyped_storage()
            if storage._cdata not in self._known and all(storage._cdata != y.untyped_storage()._cdata for y in _tensors(args)):
                self._made(storage)
        return result

    def _made(self, storage: Any) -> None:
        size = storage.nbytes()
        self._known[storage._cdata] = finalize(storage, self._gone, storage._cdata, size)
        self.live += size
        self.peak = max(self.peak, self.live)

    def _gone(self, key: int, size: int) -> None:
        self.live -= size
        self._known.pop(key, None)


def _tensors(values: Any) -> list[Tensor]:
    """Returns the tensors among an operator's arguments or results."""
    return [values] if isinstance(values, Tensor) else [x for x in tree_leaves(values) if isinstance(x, Tensor)]


class SavedTensors:
    """Counts the bytes that autograd keeps for a backward pass: each storage once, and tensors of `given` (such as weights) not at all.

    Attributes:
        bytes, peak: bytes kept now, and their maximum.
    """

    def __init__(self, given: Any = ()) -> None:
        self.bytes = self.peak = 0
        self._given = {x.untyped_storage()._cdata for x in given}
        self._held: dict[int, int] = {}

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Counts the tensors that autograd saves inside the context."""
        with torch.autograd.graph.saved_tensors_hooks(self._pack, lambda box: box.tensor):
            yield

    def _pack(self, x: Tensor) -> "_Box":
        box, storage = _Box(x.detach() if x.is_leaf else x), x.untyped_storage()
        if storage._cdata not in self._given:
            key = storage._cdata
            if self._held.setdefault(key, 0) == 0:
                self.bytes += storage.nbytes()
                self.peak = max(self.peak, self.bytes)
            self._held[key] += 1
            finalize(box, self._dropped, key, storage.nbytes())
        return box

    def _dropped(self, key: int, size: int) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            self.bytes -= size


class _Box:
    """One saved tensor, alive as long as autograd needs it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@contextmanager
def counted() -> Iterator[Meter]:
    """Opens a `Meter`, with fused attention on the meta device."""
    with fused_attention(), Meter() as meter:
        yield meter
