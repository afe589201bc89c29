"""A prompt of any benchmark, and the file that holds such prompts: JSON, one object a line."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from infsplign.core.spellings import SPELLINGS
from infsplign.evaluation.files import NAME, write
from infsplign.evaluation.prompts.agreement import DIRECTIONS, check_agreement
from infsplign.evaluation.reading import is_kind, member, parse_json, read_text, short, unpaired


class PromptFileError(ValueError):
    """A file of prompts that cannot be read; the message names the line."""


@dataclass(frozen=True)
class BenchmarkPrompt:
    """A prompt with its objects and relation.

    Attributes:
        id: of the prompt in its benchmark, safe as a file name: images are called `{id}_{index:02d}.png`.
        text: the prompt of the model.
        first, second: the objects, by their names in the benchmark; `second` is empty where there is only one.
        relation: canonical name where it is one of the four directions, such as "left of"; else as the benchmark spells it, such as "near".
        extra: other fields of this benchmark.

    Raises:
        ValueError: an `id` that cannot name a file, or an empty `text` or `first`.
    """

    id: str
    text: str
    first: str
    relation: str
    second: str
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.id):
            raise ValueError(f"`id` must be letters, digits and any of `_.+-`, got {short(self.id)}")
        for name in ("text", "first"):
            if not getattr(self, name).strip():
                raise ValueError(f"`{name}` must not be empty, in the prompt {self.id!r}")
        for name in ("first", "relation", "second"):
            if unpaired(getattr(self, name)):
                raise ValueError(f"`{name}` holds half of a character (a lone surrogate), in the prompt {self.id!r}")


TEXTS = tuple(f.name for f in fields(BenchmarkPrompt) if f.name != "extra")


def write_prompts(path: Path, prompts: Iterable[BenchmarkPrompt]) -> None:
    """Writes prompts atomically, one JSON object a line.

    Raises:
        OutputError: the file cannot be written.
    """
    write(path, "".join(json.dumps(asdict(prompt), ensure_ascii=False) + "\n" for prompt in prompts))


def read_prompts(path: Path) -> list[BenchmarkPrompt]:
    """Reads what `write_prompts` has written.

    Raises:
        PromptFileError: a line that is no prompt, or an id that came before.
        OSError: the file cannot be read.
    """
    prompts = []
    for number, row in json_lines(path):
        try:
            prompts.append(_prompt(row))
        except (TypeError, ValueError) as error:
            raise broken(path, number, str(error)) from error
    return distinct(path, prompts)


def _prompt(row: Any) -> BenchmarkPrompt:
    if isinstance(row, dict) and is_kind(row.get("id"), int):
        row = row | {"id": str(row["id"])}  # as `eval` and `generate` call it
    if not is_full(row):
        raise ValueError(f"expected an object with texts {', '.join(TEXTS)}")
    extra = member(row, "extra", dict, missing=True) or {}
    member(extra, "number", int, missing=True)
    check_agreement(row["text"], row["first"], row["relation"], row["second"])
    asked = SPELLINGS.get(row["relation"].lower())
    relation = asked.name if asked is not None and asked.name in DIRECTIONS else row["relation"]
    return BenchmarkPrompt(**{name: row[name] for name in TEXTS} | {"relation": relation}, extra=extra)


def is_full(row: Any) -> bool:
    """Whether a row of JSON says all of a prompt, as `write_prompts` writes it; other rows are filled from their text."""
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in TEXTS)


def lines(path: Path) -> list[str]:
    """The lines of a text file; line ends of any kind, blank lines at the end left out.

    Raises:
        PromptFileError: it is no UTF-8 text, or empty.
        OSError: it cannot be read.
    """
    try:
        found = read_text(path).rstrip()
    except ValueError as error:
        raise PromptFileError(str(error)) from error
    if not found:
        raise PromptFileError(f"{str(path)!r} is empty; expected one prompt a line")
    return found.split("\n")  # `splitlines` would also split at characters that may stand within a JSON text


def json_lines(path: Path) -> list[tuple[int, Any]]:
    """The values of a file of one JSON value a line, with their line numbers from 1."""
    values = []
    for number, line in enumerate(lines(path), start=1):
        try:
            values.append((number, parse_json(line, surrogates=True)))
        except ValueError as error:
            raise broken(path, number, f"expected one JSON object a line: {error}") from error
    return values


def distinct(path: Path, prompts: list[BenchmarkPrompt]) -> list[BenchmarkPrompt]:
    """Returns the prompts if all ids differ; images of equal ids could not be distinguished.

    Raises:
        PromptFileError: an id that came before.
    """
    seen: dict[str, int] = {}
    for number, prompt in enumerate(prompts, start=1):
        if prompt.id in seen:
            raise PromptFileError(f"{str(path)!r}: prompts {seen[prompt.id]} and {number} have the same id {prompt.id!r}")
        seen[prompt.id] = number
    return prompts


def broken(path: Path, line: int, reason: str) -> PromptFileError:
    """The error for a line that cannot be read."""
    return PromptFileError(f"{str(path)!r}, line {line}: {reason}")
