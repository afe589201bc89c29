"""`GuidanceConfig` as JSON, for presets: functions by their names, terms by their name and options."""

import json
import os
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

from infsplign.core.losses import CompoundLoss, LossTerm, WithOptions
from infsplign.core.penalties import PENALTIES
from infsplign.core.terms import TERMS
from infsplign.engine.weight_schedules import SCHEDULES

CONFIG = "config"
"""The member of the file that holds the options. Others say where they come from, and are not read."""
_NAMED: Mapping[str, Mapping[str, Any]] = {"penalty": PENALTIES, "schedule": SCHEDULES}


def to_json(config: Any) -> dict[str, Any]:
    """Converts options to JSON types.

    Raises:
        ValueError: a function or a term that this package does not have, which no file can hold.
    """
    return {field.name: _plain(field.name, getattr(config, field.name)) for field in fields(config)}


def from_json(cls: type, value: Any) -> Any:
    """Makes a `GuidanceConfig` from what `to_json` returned. Fields that are missing have their defaults.

    Args:
        cls: `GuidanceConfig`.
        value: a mapping from names of fields to values.

    Raises:
        ValueError: an unknown field, or a value out of range.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected `{CONFIG}` to be an object with the fields of `GuidanceConfig`, got {value!r:.100}")
    kinds = {field.name: field.type for field in fields(cls)}
    if unknown := [name for name in value if name not in kinds]:
        raise ValueError(f"`GuidanceConfig` has no field {', '.join(map(repr, unknown))}; was the file written by a newer version?")
    return cls(**{name: _value(name, item, kinds[name]) for name, item in value.items()})


def write(config: Any, path: Path, about: Mapping[str, Any]) -> None:
    """Writes options and what else is known about them, whole or not at all."""
    if taken := [name for name in about if name == CONFIG or name in {field.name for field in fields(config)}]:
        raise ValueError(f"`about` must not be named as the options are, got {taken[0]!r}: where it stands it would not be read")
    text = json.dumps({**about, CONFIG: to_json(config)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if path.exists() and not path.is_file():  # a rename would put a file in the place of `/dev/null`, for everyone
        raise OSError(f"{str(path)!r} must be the name of a file, and is {'a folder' if path.is_dir() else 'a device, a pipe or a socket'}")
    partial_path = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial_path.write_text(text, "utf-8")
        os.replace(partial_path, path)
    finally:
        partial_path.unlink(missing_ok=True)


def read(cls: type, path: Path) -> Any:
    """Reads options; see `GuidanceConfig.load`."""
    try:
        if path.is_char_device():
            raise ValueError("it is a device, and a file is needed")
        content = json.loads(path.read_text("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=once)
        if not isinstance(content, dict) or CONFIG not in content:
            raise ValueError(f"expected an object with `{CONFIG}`, as `GuidanceConfig.save` writes it")
        if beside := [field.name for field in fields(cls) if field.name in content]:
            raise ValueError(f"{', '.join(map(repr, beside))} must stand inside `{CONFIG}`, beside it they are not read")
        found = from_json(cls, content[CONFIG])
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} holds no options of guidance: {error}") from error
    if missing := [field.name for field in fields(cls) if field.name not in content[CONFIG]]:
        warnings.warn(
            f"{str(path)!r} leaves out {', '.join(missing)}: they are as in `{cls.__name__}()`, the published constants, and not as in "
            "`RECOMMENDED`",
            stacklevel=4,
        )
    return found


def _plain(name: str, value: Any) -> Any:
    if name in _NAMED and value is not None:
        return _name_of(name, value)
    if name == "terms":
        return [_term(name, term) for term in value or ()]
    if isinstance(value, CompoundLoss):
        return [_term(name, term) for term in value.terms]
    if isinstance(value, Mapping):
        return {level: list(names) for level, names in value.items()}
    item = getattr(value, "item", None)
    if item is not None:  # a number of numpy
        return item()
    return float(value) if isinstance(value, Real) and not isinstance(value, int) else value  # a fraction


def _name_of(field: str, function: Any) -> str:
    found = next((name for name, known in _NAMED[field].items() if known is function), None)
    if found is None:
        raise ValueError(f"`{field}` cannot be saved: it must be one of {', '.join(_NAMED[field])}, got {function!r}")
    return found


def _term(field: str, term: LossTerm) -> dict[str, Any]:
    """A term by its name and options; the factory of `TERMS` makes it again."""
    if isinstance(function := term.term, partial):  # one of functools is equal to no other
        term = replace(term, term=WithOptions(function.func, *function.args, **function.keywords))
    options = dict(function.keywords) if isinstance(function, partial) else {}
    saved = {"name": term.name, "weight": term.weight, "levels": list(term.levels), **options}
    saved = {name: getattr(value, "item", lambda value=value: value)() for name, value in saved.items()}  # numbers of numpy
    try:
        same = term == _made(field, saved)
    except (ValueError, TypeError):
        same = False
    if not same:
        raise ValueError(f"`{field}` cannot be saved: a file holds the terms {', '.join(TERMS)} of this package alone, got {term.name!r}")
    return saved


def _made(field: str, saved: Any) -> LossTerm:
    if not isinstance(saved, dict) or saved.get("name") not in list(TERMS):
        raise ValueError(f"expected `{field}` to list terms whose `name` is one of {', '.join(TERMS)}, got {saved!r:.100}")
    if isinstance(weight := saved.get("weight", 1.0), bool) or not isinstance(weight, int | float):
        raise ValueError(f"expected the `weight` of the term {saved['name']!r} to be a number, got {weight!r:.100}")
    try:
        return TERMS[saved["name"]](**{key: item for key, item in saved.items() if key != "name"})
    except TypeError as error:
        raise ValueError(f"the term {saved['name']!r} of `{field}`: {error}") from error


def _value(name: str, value: Any, kind: Any) -> Any:
    """Converts a value of JSON back to what the field takes."""
    if name in _NAMED and value is not None:
        if not isinstance(value, str) or value not in _NAMED[name]:
            raise ValueError(f"expected `{name}` to be one of {', '.join(_NAMED[name])}, got {value!r:.100}")
        return _NAMED[name][value]
    if name in ("terms", "loss") and value is not None:
        if not isinstance(value, list):
            raise ValueError(f"expected `{name}` to be a list of terms, got {value!r:.100}")
        terms = tuple(_made(name, item) for item in value)
        return terms if name == "terms" else CompoundLoss(terms)
    if name == "layers" and isinstance(value, dict):
        return {level: tuple(names) if isinstance(names, list) else names for level, names in value.items()}
    if isinstance(value, int) and not isinstance(value, bool) and "float" in str(kind):
        return float(value)
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; Python would keep the last of two values of one name without a word.

    Raises:
        ValueError: a name that is there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice!r:.100} is given twice")
    return found
