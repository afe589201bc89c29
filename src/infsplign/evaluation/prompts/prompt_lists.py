"""Prompts for any command: from a file of any of the forms that people have, or the built-in SR2D.

A file is a JSON list, JSON lines, or a text of one prompt a line. What it does not say of objects and relation, the parser reads from the
text of the prompt.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infsplign.core.spellings import SPELLINGS
from infsplign.core.spellings import relation as relation_of
from infsplign.errors import PromptError
from infsplign.evaluation.prompts.agreement import DIRECTIONS, check_agreement, names
from infsplign.evaluation.prompts.geneval import read_geneval
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt, PromptFileError
from infsplign.evaluation.prompts.sr2d import AND, SINGLE, spatial, sr2d
from infsplign.evaluation.prompts.t2i_compbench import is_t2i
from infsplign.evaluation.reading import member, parse_json, read_text, short
from infsplign.prompts import parse_prompt

READ_KEYS = {"unique_id", "id", "text", "num_objects", "obj_1_attributes", "obj_2_attributes", "rel_type"}
ROW = ("first", "relation", "second")
READ_KEYS |= {*ROW, "extra"}
"""Of a row. Others, such as a seed or several relations, change nothing."""


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
        path: a JSON list, or JSON lines, of objects with `unique_id` (or `id`) and `text`, such as the published SR2D file; GenEval's
            `evaluation_metadata.jsonl`, of which the prompts about position are kept; or a text of one prompt a line, such as
            T2I-CompBench's. Rows of the `rel_type` "and", and those of one object, say no relation and are left out.

    Raises:
        ValueError: no such list; the row is named.
        OSError: the file cannot be read.
    """
    if path is None:
        return spatial(sr2d())
    listed = listed_prompts(path)
    kept = [row for row in listed if row.relation not in (AND, SINGLE, "")]
    if not kept:
        raise ValueError(f"`--prompts` {str(path)!r} holds no prompt with a relation")
    if others := len(listed) - len(kept):
        warnings.warn(f"`--prompts` {str(path)!r}: {others} of {len(listed)} prompts say no relation and are left out", stacklevel=2)
    return kept


def listed_prompts(path: Path) -> Sequence[Any]:
    """All prompts of a file; see `benchmark_prompts`."""
    try:
        text = read_text(path)
    except ValueError as error:
        raise ValueError(f"`--prompts` {error}") from error
    if path.suffix.lower() == ".txt" and not text.lstrip().startswith(("[", "{")):
        return _lines(text)
    values = _values(path, text)
    if values and isinstance(values[0], dict) and {"tag", "prompt"} <= set(values[0]):
        return read_geneval(path)
    rows = [_checked_row(value, number, path) for number, value in enumerate(values, start=1)]
    if unread := sorted({key for value in values for key in value} - READ_KEYS):
        warnings.warn(f"`--prompts` {str(path)!r}: the rows' {', '.join(map(repr, unread)):.200} are not read", stacklevel=2)
    return rows


def filled(path: Path) -> list[BenchmarkPrompt]:
    """The prompts of a file with objects and relation, which the parser reads where the file does not say them.

    A prompt that asks for something else than one relation of two objects gets the relation "", which no benchmark measures.

    Raises:
        PromptFileError: an id that cannot name a file, or that came before.
        ValueError, OSError: see `benchmark_prompts`.
    """
    found: dict[str, BenchmarkPrompt] = {}
    for prompt in listed_prompts(path):
        try:
            full = prompt if isinstance(prompt, BenchmarkPrompt) else filled_prompt(prompt)
        except ValueError as error:
            raise PromptFileError(f"{str(path)!r}: {error}") from error
        if full.id in found:
            raise PromptFileError(f"{str(path)!r}: two prompts have the same id {full.id!r}")
        found[full.id] = full
    return list(found.values())


def filled_prompt(prompt: ListedPrompt) -> BenchmarkPrompt:
    """The prompt with objects and relation, see `filled`.

    Raises:
        ValueError: a row that says some of them, and not what its text says.
    """
    if prompt.first and prompt.relation is not None and (prompt.second or prompt.relation in (AND, SINGLE, "")):
        known = prompt.relation.lower() in SPELLINGS
        return BenchmarkPrompt(
            prompt.id, prompt.text, prompt.first, relation_of(prompt.relation).name if known else prompt.relation, prompt.second or ""
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on counts, which no benchmark of relations judges
            scene = parse_prompt(prompt.text)
    except (PromptError, ValueError):
        return BenchmarkPrompt(prompt.id, prompt.text, prompt.text, "", "")
    if len(scene.relations) != 1 or len(scene.relations[0].objects) != 2:
        return BenchmarkPrompt(prompt.id, prompt.text, scene.objects[0], "", "")
    (edge,) = scene.relations
    read = [scene.objects[number] for number in edge.objects]
    told = [name for name in (prompt.first, prompt.second) if name]
    first, second = (next((name for name in told if names(each, name)), each) for each in read)  # the row's name is what is looked for
    asked = SPELLINGS.get((prompt.relation or "").lower(), edge.relation)
    if not set(told) <= {first, second} or (asked.name != edge.relation.name and {asked.name, edge.relation.name} <= {*DIRECTIONS}):
        row = ", ".join(f"`{key}` {value!r}" for key, value in vars(prompt).items() if key in ROW and value)
        remedy = "give `first`, `relation` and `second`, or none of them"
        raise ValueError(f"the prompt {prompt.text!r:.200} reads as {scene.text(edge)!r}, and its row says {row}; {remedy}")
    return BenchmarkPrompt(prompt.id, prompt.text, first, edge.relation.name, second)


def _lines(text: str) -> list[ListedPrompt]:
    """One prompt a line, blank lines left out. Ids number the lines; those of T2I-CompBench's as its own reader does."""
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    published = bool(lines) and is_t2i(lines[0][1])
    return [ListedPrompt(f"t2i-{number - 1:04d}" if published else f"line-{number:04d}", line) for number, line in lines]


def _values(path: Path, text: str) -> list[Any]:
    """The rows of a JSON file. Lines end at line feeds alone: U+2028 and its like may stand within a text of JSON."""
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
    where = f"`--prompts` {str(path)!r}, row {number}"
    try:
        row = _row(value)
    except ValueError as error:
        raise ValueError(f"{where}, must have `unique_id` (or `id`) and `text`: {error}") from error
    try:
        check_agreement(row.text, row.first, row.relation, row.second)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return row


def _row(value: Any) -> ListedPrompt:
    """A prompt. Half of a character (a lone surrogate) in its text is left to the run, which tells that this image cannot be made."""
    name = member(value, "unique_id" if isinstance(value, dict) and "unique_id" in value else "id", int, str)
    text = member(value, "text", str)
    if not text.strip():
        raise ValueError("`text` must not be empty")
    first, second = (_object(value, key, plain) for key, plain in (("obj_1_attributes", "first"), ("obj_2_attributes", "second")))
    relation = member(value, "rel_type" if "rel_type" in value else "relation", str, None, missing=True)
    if relation == "" and not first:
        relation = None  # it says nothing: the text does
    return ListedPrompt(str(name), text, first, "" if value.get("num_objects") == 1 else relation, second)


def _object(value: Any, key: str, plain: str) -> str | None:
    """The name of an object: `key` lists it in SR2D, others have it under a name of its own."""
    listed = member(value, key, list, None, missing=True)
    if not listed:
        return member(value, plain, str, None, missing=True)
    if len(listed) != 1 or not isinstance(listed[0], str | None):
        raise ValueError(f"expected `{key}` to be a list of one name, got {short(listed)}")
    return listed[0]
