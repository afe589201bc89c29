"""What a pass costs, counted and not timed: floating-point operations, bytes alive, bytes kept for the backward pass.

The same on every machine, and on the meta device, where tensors have a shape and no memory, so that the largest models can be counted
anywhere.
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
"""Operators to their operations: torch's own table, in which the CPU's fused attention is missing. It counts two matrix products for fused
attention and five for its gradient, the first of which computes the matrix of the forward pass again."""
IDLE = {aten._unsafe_view, aten._reshape_alias, aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty, aten.detach}
"""Operators that are no views by name, and compute nothing."""
GRADIENTS = tuple(op for op in FORMULAS if "attention" in str(op) and "backward" in str(op) and "flex" not in str(op))


@contextmanager
def fused_attention() -> Iterator[None]:
    """Lets attention on the meta device run as the fused operator that keeps queries, keys, values, result and one number a query.

    Without it, torch picks its unfused fallback there, whose matrix of queries by keys no real device would store. The function itself is
    replaced for the while: a mode would be off while a gradient runs blocks again.
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
    """Counts what runs inside the context.

    Attributes:
        flops: operations of matrix products, convolutions and attention, as torch's `FlopCounterMode` counts them.
        again: part of them in which the gradient of fused attention computes the matrix again: a way to store less, which counts of what
            a model needs leave out.
        operators: how many ran that compute or copy something: on a GPU each is about a launch.
        live, peak: bytes of the tensors made inside the context that are alive now, and the most that ever were. What an operator
            uses and frees within itself is not seen.
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
    """Tensors among an operator's arguments or results."""
    return [values] if isinstance(values, Tensor) else [x for x in tree_leaves(values) if isinstance(x, Tensor)]


class SavedTensors:
    """Counts the bytes that autograd keeps for a backward pass; each storage once, `given` (weights, say) not at all.

    Attributes:
        bytes, peak: what is kept now, and the most that ever was.
    """

    def __init__(self, given: Any = ()) -> None:
        self.bytes = self.peak = 0
        self._given = {x.untyped_storage()._cdata for x in given}
        self._held: dict[int, int] = {}

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Watches what is saved inside the context."""
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
    """One saved tensor, alive as long as autograd wants it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@contextmanager
def counted() -> Iterator[Meter]:
    """A `Meter`, with the meta device's attention fused."""
    with fused_attention(), Meter() as meter:
        yield meter
