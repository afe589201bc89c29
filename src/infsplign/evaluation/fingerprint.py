"""Fingerprints of runs: everything that determines an image, as plain JSON, so that settings can be compared."""

import hashlib
import json
import os
import sys
import sysconfig
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

PACKAGES = ("torch", "diffusers", "transformers", "numpy", "pillow")
KNOWN = ("infsplign", *PACKAGES)
"""Packages whose functions are known by their names: versions and `guidance_source` tell the rest."""

INSTALLED = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})
"""Folders of functions that are nobody's own."""


MADE = {f"__{name}__" for name in ("init", "repr", "eq", "hash", "lt", "le", "gt", "ge", "setattr", "delattr", "replace")}
"""Methods that Python makes for dataclasses."""


def plain(value: Any) -> Any:
    """Converts an option (also a dataclass or a function) to plain JSON values; equal options give equal JSON.

    Functions are compared by their name and their captured values; those of your own also by their code, their defaults, and the constants,
    functions and classes of your own that they use, of other modules too. Dataclasses of your own are compared by their code as well.

    Raises:
        TypeError: something that cannot be described.
    """
    return _plain(value, None)


def _plain(value: Any, seen: set[Any] | None) -> Any:
    """See `plain`; `seen` are the functions that are described already, where another one has led here."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if is_dataclass(value):
        found = {field.name: _plain(getattr(value, field.name), seen) for field in fields(value)}
        return {"class": _class(type(value), set() if seen is None else seen), "fields": found} if _is_own(type(value)) else found
    if isinstance(value, Mapping):
        return {str(key): _plain(item, seen) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item, seen) for item in value]
    if isinstance(value, partial):
        return {"function": _plain(value.func, seen), "args": _plain(value.args, seen), "keywords": _plain(value.keywords, seen)}
    if isinstance(value, FunctionType):
        return _function(value, set() if seen is None else seen)
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), seen)
    raise TypeError(f"a setting must be made of numbers, texts, lists, dataclasses and functions to be written down, got {value!r}")


def described(value: Any) -> Any:
    """Like `plain`, for functions and objects of any class: what cannot be described, such as a model that they hold, is left out."""
    with suppress(TypeError):
        return plain(value)
    if isinstance(value, partial):
        given = [described(each) for each in value.args], _described(value.keywords, set())
        return {"function": described(value.func), "args": given[0], "keywords": given[1]}
    if isinstance(value, MethodType):
        return {"method": described(value.__func__), "of": type(value.__self__).__qualname__}
    if isinstance(value, FunctionType):
        captured = {key: cell.cell_contents for key, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)}
        return {"function": value.__qualname__, "captured": _described(captured, set()), "code": _own_code(value, set())}
    kind = type(value)
    name = _class(kind, set()) if _is_own(kind) else f"{kind.__module__}.{kind.__qualname__}"
    return {"class": name, "values": _described(getattr(value, "__dict__", {}), set())}


def _class(kind: type, seen: set[Any]) -> Any:
    """A class of your own by its name, and by its methods and constants where it is met for the first time."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind in seen:
        return name
    seen.add(kind)
    parts = {key: getattr(part, "__func__", getattr(part, "fget", part)) for key, part in sorted(vars(kind).items())}
    return {"name": name, "code": _described({key: part for key, part in parts.items() if _is_told(key, part)}, seen)}


def _is_told(name: str, part: Any) -> bool:
    """Whether a part of a class is one that somebody wrote: those of dataclasses and the module's name are made by Python."""
    if not isinstance(part, FunctionType):
        return not name.startswith("__")
    return part.__code__.co_filename != "<string>" or name not in MADE


def _described(used: Mapping[Any, Any], seen: set[Any]) -> dict[str, Any]:
    """What can be described of values that code uses; modules, builtin functions and models cannot."""
    described: dict[str, Any] = {}
    for key, item in used.items():
        with suppress(TypeError):
            if isinstance(item, set | frozenset):
                described[str(key)] = sorted(json.dumps(_plain(each, seen)) for each in item)
            elif isinstance(item, type) and _is_own(item):
                described[str(key)] = _class(item, seen)
            elif isinstance(item, SimpleNamespace | Namespace):
                described[str(key)] = _described(vars(item), seen)
            else:
                described[str(key)] = _plain(item, seen)
    return described


def _function(value: FunctionType, seen: set[Any]) -> Any:
    """A function by its name, and by what it captures and does where it is met for the first time."""
    name = f"{value.__module__}.{value.__qualname__}"
    if value in seen:
        return name
    seen.add(value)
    captured = {key: cell.cell_contents for key, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)}
    told: dict[str, Any] = {"captured": _plain(captured, seen)} if captured else {}
    if name.partition(".")[0] not in KNOWN:
        told["code"] = _own_code(value, seen)
    return {"function": name} | told if told else name


def _own_code(value: FunctionType, seen: set[Any]) -> str:
    """A short hash of what a function does; it does not depend on comments, or on where the function stands."""
    told, names = _code(value.__code__)
    used: dict[Any, Any] = dict(enumerate((*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())))
    for name in sorted(names & value.__globals__.keys()):
        used[name] = item = value.__globals__[name]
        if isinstance(item, ModuleType):
            used |= {f"{name}.{part}": found for part in sorted(names) if _is_own(found := vars(item).get(part))}
    for key, item in used.items():
        if isinstance(item, FunctionType) and item.__module__ != value.__module__ and not _is_own(item):
            used[key] = item.__qualname__
    described = _described(used, seen)
    return hashlib.sha256(json.dumps([told, described]).encode()).hexdigest()[:16]


def _is_own(item: Any) -> bool:
    """Whether something is a function or class of your own: neither of this package, nor of one that is installed, nor of Python."""
    if not isinstance(item, FunctionType | type) or item.__module__.partition(".")[0] in KNOWN:
        return False
    if isinstance(item, FunctionType):
        file = item.__code__.co_filename
    elif item.__module__ == "__main__":
        return True
    else:  # built-in modules have no file
        file = getattr(sys.modules.get(item.__module__), "__file__", None) or "<frozen"
    return not file.startswith(("<frozen", *(f"{place}{os.sep}" for place in INSTALLED)))


def _code(code: CodeType) -> tuple[list[Any], set[str]]:
    """What compiled code does, and the names that it looks up, with those of the functions within it."""
    names, constants = set(code.co_names), []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner, more = _code(constant)
            constants.append(inner)
            names |= more
        else:  # a set has another order in each process
            constants.append(sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant))
    return [code.co_code.hex(), code.co_names, constants], names


def versions() -> dict[str, str]:
    """Versions of this package and of those that affect an image."""
    from infsplign import __version__

    found = {"infsplign": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def sources(*parts: ModuleType | Path) -> str:
    """A short hash of the source of modules, or of files: earlier results stay valid while it is the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part if isinstance(part, Path) else Path(str(part.__file__))).read_bytes())
    return digest.hexdigest()[:16]


def guidance_source() -> str:
    """A short hash of the source of this package that affects guided images (not evaluation, pictures and commands)."""
    root = Path(__file__).parents[1]
    others = {"calibration", "evaluation", "visuals", "generation", "app", "commands", "shapes", "shipped", "cli.py", "__main__.py"}
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in others:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def differences(there: Any, asked: Any, name: str = "") -> list[str]:
    """What differs between two plain values, one line each, such as "steps: 30 there, 20 asked for"."""
    if isinstance(there, dict) and isinstance(asked, dict):
        lines = []
        for key in sorted({*there, *asked}):
            lines += differences(there.get(key), asked.get(key), f"{name}.{key}".lstrip("."))
        return lines
    return [] if there == asked else [f"{name}: {json.dumps(there)} there, {json.dumps(asked)} asked for"]
