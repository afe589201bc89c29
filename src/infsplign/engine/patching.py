"""Replaces attributes of an object temporarily and restores exactly the objects that were there. Copies made meanwhile are unpatched.

A copy (`copy.copy`, `copy.deepcopy`, pickle) of a patched object must not keep the patches: a copied denoiser would run the original
one. The class decides how its objects are copied, so a patched object temporarily has a subclass of the same name.
"""

import functools
import types
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock, RLock, get_ident
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

_HOOKS = ("_forward_hooks", "_forward_hooks_with_kwargs")


@dataclass(eq=False)
class _Replaced:
    """One replaced attribute. `before` is the previous value, if `there`."""

    owner: Any
    name: str
    value: Any
    there: bool
    before: Any

    def undo(self, state: MutableMapping[str, Any]) -> None:
        """Restores `state`, the attributes of the owner or of its copy."""
        if self.there:
            state[self.name] = self.before
        else:
            state.pop(self.name, None)


@dataclass(eq=False)
class _Hooked:
    """One forward hook."""

    owner: nn.Module
    number: int

    def undo(self, state: MutableMapping[str, Any]) -> None:
        """Like `_Replaced.undo`; it does not change the hooks of the owner itself."""
        for name in _HOOKS:
            state[name] = type(state[name])((key, hook) for key, hook in state[name].items() if key != self.number)


_attached: list[_Replaced | _Hooked] = []
_turns: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
_asking = Lock()


@contextmanager
def turn(module: nn.Module | None) -> Iterator[None]:
    """Waits while another thread is in this context with the same module: two threads would take off each other's patches."""
    if module is None:
        yield
        return
    with _asking:
        mine = _turns.setdefault(module, RLock())
    with mine:
        yield


def within(thread: int) -> bool:
    """Whether `thread` is the one that runs: patches of a pass are felt by passes of other threads too. Compiled code cannot ask."""
    return torch.compiler.is_compiling() or get_ident() == thread


@contextmanager
def swapped_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Sets an instance attribute, and afterwards restores the identical object, or deletes the attribute if there was none.

    Use it for one pass of a denoiser only: copies of the owner keep the replacement.
    """
    there, before = name in vars(owner), vars(owner).get(name)
    try:
        setattr(owner, name, value)
        yield
    finally:
        if there:
            setattr(owner, name, before)
        elif name in vars(owner):
            delattr(owner, name)


@contextmanager
def replaced_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Like `swapped_attribute`, for any length of time: copies of the owner get the previous value, and contexts may end in any order.

    Raises:
        RuntimeError: `value` is `marked`, and so is what it would replace.
    """
    over = [one for one in _attached if one.owner is owner and isinstance(one, _Replaced) and one.name == name]
    if getattr(value, "infsplign", False) and any(getattr(one.value, "infsplign", False) for one in over):
        raise RuntimeError(
            f"`{name}` of {type(owner).__name__} is guided already by another `guide` block: leave that block first, or give this "
            f"pipeline a {type(owner).__name__} of its own, such as a `copy.deepcopy` made before both blocks"
        )
    layer = _Replaced(owner, name, value, name in vars(owner), vars(owner).get(name))
    with _clean_copies(layer):
        try:
            setattr(owner, name, value)
            yield
        finally:
            _take_off(layer)


@contextmanager
def forward_hook(module: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    """Calls `hook(module, args, kwargs, output)` after each forward pass of `module`; copies of the module have no such hook."""
    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        with _clean_copies(_Hooked(module, handle.id)):
            yield
    finally:
        handle.remove()


def marked(original: Callable[..., Any], replacement: Callable[..., Any]) -> Callable[..., Any]:
    """Gives `replacement` the metadata of `original`, and an attribute `infsplign` that marks it."""

    @functools.wraps(original)  # pipelines read the signature of `scheduler.step`
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return replacement(*args, **kwargs)

    wrapper.infsplign = True  # type: ignore[attr-defined]
    return wrapper


def _take_off(layer: _Replaced) -> None:
    """Restores the value that `layer` replaced; if a later layer replaced it again, that layer will restore it."""
    for other in _attached:
        if isinstance(other, _Replaced) and other.owner is layer.owner and other.name == layer.name and other.before is layer.value:
            other.there, other.before = layer.there, layer.before
            return
    if layer.there:
        setattr(layer.owner, layer.name, layer.before)
    elif layer.name in vars(layer.owner):
        delattr(layer.owner, layer.name)


@contextmanager
def _clean_copies(layer: _Replaced | _Hooked) -> Iterator[None]:
    """Makes copies of the layer's owner omit the layer while the context is open."""
    owner, kind = layer.owner, type(layer.owner)
    try:
        if not any(one.owner is owner for one in _attached):
            with suppress(TypeError):  # of types whose objects have fixed classes, such as `SimpleNamespace`
                object.__setattr__(owner, "__class__", _copied_clean(kind))
        _attached.append(layer)
        yield
    finally:
        _attached[:] = [one for one in _attached if one is not layer]
        original = getattr(type(owner), "_infsplign_original", None)
        if original is not None and not any(one.owner is owner for one in _attached):
            object.__setattr__(owner, "__class__", original)


@functools.cache
def _copied_clean(kind: type) -> type:
    """Makes a subclass of `kind` whose objects are copied and pickled as objects of `kind`, without the patches."""

    def reduce(self: Any, protocol: Any) -> Any:
        make, args, *rest = kind.__reduce_ex__(self, protocol)  # pyright: ignore[reportCallIssue]
        if rest and isinstance(rest[0], dict):
            rest[0] = dict(rest[0])
            for layer in reversed(_attached):
                if layer.owner is self:
                    layer.undo(rest[0])
        make = _new if make.__name__ == "__newobj__" else make  # pickle allows that one for the object's own class alone
        return make, tuple(kind if x is type(self) else x for x in args), *rest

    class Equal(type(kind)):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        """The subclass equals `kind`, because diffusers' `from_pipe` compares the types of its parts."""

        def __eq__(cls, other: object) -> bool:
            return other is cls or other is kind

        def __hash__(cls) -> int:
            return hash(kind)

    same = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    body = same | {"__reduce_ex__": reduce, "_infsplign_original": kind}
    return types.new_class(kind.__name__, (kind,), {"metaclass": Equal}, exec_body=lambda namespace: namespace.update(body))


def _new(kind: type, *args: Any) -> Any:
    return kind.__new__(kind, *args)
