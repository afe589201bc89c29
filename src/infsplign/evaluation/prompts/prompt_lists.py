"""Prompts for the runner, from a file or the built-in SR2D."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infsplign.evaluation.prompts.sr2d import AND, SINGLE, spatial, sr2d
from infsplign.evaluation.reading import member, parse_json, read_text, short


@dataclass(frozen=True)
class ListedPrompt:
    """A prompt of a file; unknown fields are None."""

    id: str
    text: str
    first: str | None = None
    relation: str | None = None
    second: str | None = None


def benchmark_prompts(path: Path | None = None) -> list[Any]:
    """The prompts of a file, or the spatial ones of SR2D: objects with at least `id` and `text`.

    Args:
        path: a JSON list, or JSON lines, of objects with `unique_id` (or `id`) and `text`, such as the published SR2D file. Rows of its
            `rel_type` "and", and those of one object, say no relation and are left out.

    Raises:
        ValueError: no such list; the row is named.
        OSError: the file cannot be read.
    """
    if path is not None:
        rows = [_checked_row(value, number, path) for number, value in enumerate(_values(path), start=1)]
        kept = [row for row in rows if row.relation not in (AND, SINGLE, "")]
        if not kept:
            raise ValueError(f"`--prompts` {str(path)!r} holds no prompt with a relation")
        return kept
    return spatial(sr2d())


def _values(path: Path) -> list[Any]:
    """The rows of a file. Lines end at line feeds alone: U+2028 and its like may stand within a text of JSON."""
    try:
        text = read_text(path)
    except ValueError as error:
        raise ValueError(f"`--prompts` {error}") from error
    if text.lstrip().startswith("["):
        try:
            return parse_json(text, surrogates=True)
        except ValueError as error:
            raise ValueError(f"`--prompts` {str(path)!r} is no JSON list: {error}") from error
    values = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            if line.strip():
                values.append(parse_json(line, surrogates=True))
        except ValueError as error:
            raise ValueError(f"`--prompts` {str(path)!r}, line {number}, is neither a JSON list nor JSON lines: {error}") from error
    return values


def _checked_row(value: Any, number: int, path: Path) -> ListedPrompt:
    try:
        return _row(value)
    except ValueError as error:
        raise ValueError(f"`--prompts` {str(path)!r}, row {number}, must have `unique_id` (or `id`) and `text`: {error}") from error


def _row(value: Any) -> ListedPrompt:
    """A prompt. Half of a character (a lone surrogate) in its text is left to the run, which tells that this image cannot be made."""
    name = member(value, "unique_id" if isinstance(value, dict) and "unique_id" in value else "id", int, str)
    text = member(value, "text", str)
    if not text.strip():
        raise ValueError("`text` must not be empty")
    first, second = (_object(value, key, plain) for key, plain in (("obj_1_attributes", "first"), ("obj_2_attributes", "second")))
    relation = member(value, "rel_type" if "rel_type" in value else "relation", str, None, missing=True)
    return ListedPrompt(str(name), text, first, "" if value.get("num_objects") == 1 else relation, second)


def _object(value: Any, key: str, plain: str) -> str | None:
    """The name of an object: `key` lists it in SR2D, others have it under a name of its own."""
    listed = member(value, key, list, None, missing=True)
    if not listed:
        return member(value, plain, str, None, missing=True)
    if len(listed) != 1 or not isinstance(listed[0], str | None):
        raise ValueError(f"expected `{key}` to be a list of one name, got {short(listed)}")
    return listed[0]
