"""Reads text and JSON that anyone may have written: every fault is a `ValueError` or `OSError` of one line."""

import json
import re
import stat
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from infsplign.engine.config_file import once

DEPTH = 64
"""Levels of lists and objects within each other; more is refused, since it could not be written or compared."""
_UNUSUAL = re.compile(r"\\ud[89a-f]|\d{300}|[\d.]e\+?\d{3}", re.IGNORECASE)
"""What a text has in it where it may hold lone surrogates, or numbers that no float can hold."""
KINDS: Mapping[Any, str] = {
    dict: "an object", list: "a list", str: "a text", int: "a whole number", float: "a number", bool: "true or false",
}  # fmt: skip


def read_text(path: Path) -> str:
    """A text in UTF-8, with or without a byte order mark; line ends become `\\n`.

    Raises:
        ValueError: no text in UTF-8.
        OSError: it cannot be read.
    """
    if stat.S_ISCHR(path.stat().st_mode):
        raise ValueError(f"{str(path)!r} is a device, and a file is needed")
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{str(path)!r} is no text in UTF-8, but one in UTF-16; save it in UTF-8")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} is no text in UTF-8: {error}") from None


def parse_json(text: str, *, surrogates: bool = False, finite: bool = True) -> Any:
    """A JSON value whose numbers are finite floats or integers within their range, whose depth is bounded, and in whose objects each name
    stands once.

    Args:
        text: the JSON.
        surrogates: allow texts that hold half of a character, such as "\\ud800".
        finite: refuse numbers that are not finite, or too large for a float; without it the caller looks at them.

    Raises:
        ValueError: it is something else.
    """
    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=_refuse if finite else None)
    except RecursionError:
        raise ValueError(f"lists and objects are nested more than {DEPTH} deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(str(error)) from None
    except ValueError as error:
        raise ValueError("a number of thousands of digits" if str(error).startswith("Exceeds the limit") else str(error)) from None
    unusual = _UNUSUAL.search(text) is not None
    for depth, level in enumerate(_levels(value)):
        if depth >= DEPTH:
            raise ValueError(f"lists and objects are nested more than {DEPTH} deep")
        if unusual:
            _check_leaves(level, surrogates, finite)
    return value


def member(row: Any, name: str, *kinds: Any, missing: bool = False) -> Any:
    """A field of an object, of the right kind.

    Args:
        row: the object.
        name: of the field.
        kinds: any of those in `KINDS`; None allows null. A whole number is also a number; true is not a number.
        missing: allow that it is not there, which gives None.

    Raises:
        ValueError: `row` is no object, or the field is missing or of another kind.
    """
    if not isinstance(row, dict):
        raise ValueError(f"expected an object with `{name}`, got {short(row)}")
    if name not in row:
        if missing:
            return None
        raise ValueError(f"`{name}` is missing")
    value = row[name]
    if not any(is_kind(value, kind) for kind in kinds):
        wanted = " or ".join("null" if kind is None else KINDS[kind] for kind in kinds)
        raise ValueError(f"expected `{name}` to be {wanted}, got {short(value)}")
    return value


def is_kind(value: Any, kind: Any) -> bool:
    """Whether a JSON value is of a kind of `KINDS`, or null for None."""
    if kind is None:
        return value is None
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))


def short(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text)} characters)"


def printable(text: str) -> str:
    """A text for a terminal: signs that would move its cursor or change its colours are escaped, ends of lines stay."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def unpaired(text: str) -> bool:
    """Whether a text holds half of a character (a lone surrogate), which no file or tokenizer takes."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def _levels(value: Any) -> Iterator[list[Any]]:
    """Lists and objects by their depth, the outermost first."""
    level = [value]
    while level:
        yield level
        inner = (child for node in level if type(node) in (dict, list) for child in (node.values() if type(node) is dict else node))
        level = [child for child in inner if type(child) in (dict, list)]


def _check_leaves(level: list[Any], surrogates: bool, finite: bool) -> None:
    for node in level:
        leaves = [*node, *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else [node]
        for leaf in leaves:
            if finite and isinstance(leaf, float) and not isfinite(leaf):
                raise ValueError("a number that is too large")
            if finite and type(leaf) is int and abs(leaf) > 10**300:
                raise ValueError("a number that is too large")
            if isinstance(leaf, str) and not surrogates and unpaired(leaf):
                raise ValueError(f"{short(leaf)} holds half of a character (a lone surrogate)")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
