"""Saves and restores the state of a block that affects its result, except the values of its weights."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from infsplign.engine.interrupts import uninterrupted

Draws = tuple[Callable[[], Any], Callable[[Any], Any]]
"""Reads and sets the state of a generator of random numbers."""

_VALUES = (str, int, float, complex, bool, bytes, type, torch.Tensor, ModuleType)
_COMMON = frozenset((*_VALUES, type(None), nn.Parameter))
_HELD = (dict, list, set, deque)
_CALLED = ("_forward_pre_hooks", "_forward_hooks")
_DEPTH = 5
_EMPTY = object()
"""Content of a cell whose variable has no value yet, or was deleted."""
_OFF = frozenset(vars(nn.Module())) - {*_CALLED, "_parameters", "_buffers", "_modules", "_forward_pre_hooks_with_kwargs"}
_OFF -= {"_forward_hooks_with_kwargs", "_forward_hooks_always_called"}
"""Attributes of every module whose contents no forward pass reads, or that are plain values."""


class BlockState:
    """The attributes of a block and its submodules at construction, and the contents of the dictionaries, lists and objects among them.

    Examples are a LoRA's scales (a dictionary), a processor's scale (an attribute of an object) and hooks (an ordered dictionary). Objects
    and variables that hooks and replaced methods refer to are saved too, so that a hook which counts its calls counts a pass once. So are
    the states of generators of random numbers: those of torch, numpy and `random` that are found, and the global ones of the latter two.
    Tensors are referenced, not copied: weights that were replaced by another tensor are restored, weights that were changed in place are
    not.

    Args:
        block: the module.
        args, kwargs: of its call; the states of generators among them are saved.
    """

    def __init__(self, block: nn.Module, args: Any = (), kwargs: Any = None) -> None:
        self._holders: dict[int, tuple[Any, Any]] = {}
        self._cells: dict[int, tuple[CellType, Any]] = {}
        self._draws: dict[int, tuple[Draws, Any]] = {}
        self._depths: dict[int, int] = {}
        for module in block.modules():
            self._take(vars(module), _DEPTH)
        for value in (*args, *(kwargs or {}).values()):
            self._see(value, 2)
        for shared in ((random.getstate, random.setstate), (np.random.get_state, np.random.set_state)):  # torch saves its own
            self._draws[id(shared[0])] = (shared, shared[0]())

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Restores the saved state while the context is open, and afterwards the state before the context."""
        now = {key: (holder, holder.copy()) for key, (holder, _) in self._holders.items()}
        cells = {key: (cell, _content(cell)) for key, (cell, _) in self._cells.items()}
        drawn = {key: (draws, draws[0]()) for key, (draws, _) in self._draws.items()}
        try:
            _put(self._holders, self._cells, self._draws)
            yield
        finally:
            try:
                with uninterrupted():
                    _put(now, cells, drawn)
            except BaseException:  # an interrupt came before it was put off
                _put(now, cells, drawn)
                raise

    def _take(self, holder: Any, depth: int) -> None:
        if self._depths.get(id(holder), 0) >= depth:
            return
        self._depths[id(holder)] = depth
        if id(holder) not in self._holders:
            self._holders[id(holder)] = (holder, holder.copy())
        if isinstance(holder, dict):
            for name, value in holder.items():
                if name not in _OFF and type(value) not in _COMMON:
                    self._see(value, depth - 1)
        else:
            for value in holder:
                self._see(value, depth - 1)

    def _see(self, value: Any, depth: int) -> None:
        if depth == 0 or value is None or isinstance(value, (*_VALUES, nn.Module)):  # modules are seen by themselves
            return
        if draws := _draws_of(value):
            self._draws[id(value)] = (draws, draws[0]())
        elif isinstance(value, MethodType | BuiltinFunctionType):
            self._see(value.__self__, depth)
        elif isinstance(value, partial):
            for held in (value.func, *value.args, *value.keywords.values()):
                self._see(held, depth)
        elif isinstance(value, FunctionType):
            if vars(value):
                self._take(vars(value), depth)
            for cell in value.__closure__ or ():
                content = _content(cell)
                self._cells[id(cell)] = (cell, content)
                self._see(content, depth - 1)
            for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
                self._see(default, depth - 1)
        elif isinstance(value, _HELD):
            self._take(value, depth)
        elif hasattr(value, "__dict__"):
            self._take(vars(value), depth)


def _draws_of(value: Any) -> Draws | None:
    if isinstance(value, torch.Generator | np.random.RandomState):
        return value.get_state, value.set_state
    if isinstance(value, np.random.Generator):
        value = value.bit_generator
    if isinstance(value, np.random.BitGenerator):
        return partial(getattr, value, "state"), partial(setattr, value, "state")
    if isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
        return value.getstate, value.setstate
    return None


def _put(holders: dict[int, tuple[Any, Any]], cells: dict[int, tuple[CellType, Any]], draws: dict[int, tuple[Draws, Any]]) -> None:
    for holder, content in holders.values():
        if not _same(holder, content):
            _fill(holder, content)
    for cell, content in cells.values():
        if content is not _EMPTY:
            cell.cell_contents = content
        elif _content(cell) is not _EMPTY:
            del cell.cell_contents
    for (_, put), state in draws.values():
        put(state)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return _EMPTY


def _same(a: Any, b: Any) -> bool:
    """Whether two containers hold the identical objects."""
    if len(a) != len(b):
        return False
    if isinstance(a, dict):
        return all(x is y and a[x] is b[y] for x, y in zip(a, b, strict=True))
    return a == b if isinstance(a, set) else all(x is y for x, y in zip(a, b, strict=True))


def _fill(holder: Any, content: Any) -> None:
    holder.clear()
    (holder.extend if isinstance(holder, list | deque) else holder.update)(content)
