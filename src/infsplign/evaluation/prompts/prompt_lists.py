"""Prompts for the runner, from a file or the built-in SR2D."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infsplign.evaluation.prompts.sr2d import AND, SINGLE, spatial, sr2d


@dataclass(frozen=True)
class ListedPrompt:
    """A prompt of a file; what is not known of it is None."""

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
        rows = [_row(value, number, path) for number, value in enumerate(_values(path), start=1)]
        kept = [row for row in rows if row.relation not in (AND, SINGLE, "")]
        if not kept:
            raise ValueError(f"`--prompts` {str(path)!r} holds no prompt with a relation")
        return kept
    return spatial(sr2d())


def _values(path: Path) -> list[Any]:
    text = path.read_text("utf-8")
    try:
        if text.lstrip().startswith("["):
            return json.loads(text)
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ValueError(f"`--prompts` {str(path)!r} is neither a JSON list nor JSON lines: {error}") from error


def _row(value: Any, number: int, path: Path) -> ListedPrompt:
    name = value.get("unique_id", value.get("id")) if isinstance(value, dict) else None
    if name is None or not isinstance(value.get("text"), str):
        got = json.dumps(value)[:200]
        raise ValueError(f"`--prompts` {str(path)!r}, row {number}, must have `unique_id` (or `id`) and `text`, got {got}")
    alone = value.get("num_objects") == 1
    first, second = (value[key][0] if value.get(key) else value.get(short) for key, short in _OBJECTS)
    return ListedPrompt(str(name), value["text"], first, "" if alone else value.get("rel_type", value.get("relation")), second)


_OBJECTS = (("obj_1_attributes", "first"), ("obj_2_attributes", "second"))
