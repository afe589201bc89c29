"""SR2D, the prompts of VISOR (arXiv 2212.10015): generated, with the published ids and keys."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from infsplign.core.spellings import SPELLINGS, relation
from infsplign.evaluation.prompts.agreement import check_agreement
from infsplign.evaluation.prompts.coco import COCO
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt, PromptFileError, distinct
from infsplign.evaluation.reading import parse_json, read_text, short

RELATIONS = ("to the left of", "to the right of", "above", "below")
AND, SINGLE = "and", "single"
"""Relations of the prompts that ask for no direction; a single object has no `second`."""
KEYS = ("unique_id", "num_objects", "obj_1_attributes", "obj_2_attributes", "rel_type", "text")


def sr2d() -> list[BenchmarkPrompt]:
    """All 31,680 prompts in the order of their ids: 25,280 with a relation, 6,320 with "and", 80 single objects.

    >>> [(prompt.id, prompt.text) for prompt in sr2d()[:2]]
    [('0', 'a person to the left of a bicycle'), ('1', 'a bicycle to the left of a person')]
    """
    prompts = []
    for k, pair in enumerate(combinations(COCO, 2)):
        for r, spelling in enumerate((*RELATIONS, AND)):
            prompts += [_of_pair(10 * k + 2 * r + turn, pair[turn], spelling, pair[1 - turn]) for turn in (0, 1)]
    start = len(prompts)
    alone = {"rel_type": SINGLE}
    return prompts + [BenchmarkPrompt(str(start + n), _articled(name), name, SINGLE, "", alone) for n, name in enumerate(COCO)]


def spatial(prompts: Iterable[BenchmarkPrompt]) -> list[BenchmarkPrompt]:
    """The prompts that ask for one of the four directions: those that VISOR is measured on."""
    return [prompt for prompt in prompts if prompt.relation in SPELLINGS]


def published(prompts: Iterable[BenchmarkPrompt]) -> list[dict[str, Any]]:
    """Prompts of SR2D as the rows of the published JSON file."""
    return [
        {
            "unique_id": int(p.id),
            "num_objects": 2 if p.second else 1,
            "obj_1_attributes": [p.first],
            "obj_2_attributes": [p.second or None],
            "rel_type": p.extra["rel_type"],
            "text": p.text,
        }
        for p in prompts
    ]


def read_sr2d(path: Path) -> list[BenchmarkPrompt]:
    """Reads a copy of the published file, or a part of it: a JSON list of objects.

    Raises:
        PromptFileError: no such list; the message names the line of broken JSON, or the number of the row, from 1.
        OSError: the file cannot be read.
    """
    try:
        rows = parse_json(read_text(path), surrogates=True)
    except ValueError as error:
        raise PromptFileError(f"{str(path)!r}: expected a JSON list of prompts: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise PromptFileError(f"{str(path)!r}: expected a JSON list of prompts, got {type(rows).__name__} or an empty list")
    prompts = []
    for number, row in enumerate(rows, start=1):
        try:
            prompts.append(_of_row(row))
        except (ValueError, TypeError) as error:
            raise PromptFileError(f"{str(path)!r}, row {number}: {error}") from error
    return distinct(path, prompts)


def _of_pair(number: int, first: str, spelling: str, second: str) -> BenchmarkPrompt:
    name = relation(spelling).name if spelling != AND else AND
    return BenchmarkPrompt(str(number), f"{_articled(first)} {spelling} {_articled(second)}", first, name, second, {"rel_type": spelling})


def _articled(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"  # of these names those that begin with a vowel are spoken with one, too


def _of_row(row: Any) -> BenchmarkPrompt:
    missing = [key for key in KEYS if not isinstance(row, dict) or key not in row]
    if missing:
        raise ValueError(f"expected an object with {', '.join(KEYS)}; {', '.join(missing)} is missing")
    if not isinstance(row["unique_id"], int) or isinstance(row["unique_id"], bool) or row["unique_id"] < 0:
        raise ValueError(f"expected `unique_id` to be a number from 0, got {short(row['unique_id'])}")
    if not isinstance(row["text"], str):
        raise ValueError(f"expected `text` to be a text, got {short(row['text'])}")
    text, number = row["text"], str(row["unique_id"])
    if row["num_objects"] == 1:
        return BenchmarkPrompt(number, text, _name(row, "obj_1_attributes"), SINGLE, "", {"rel_type": row["rel_type"]})
    if row["num_objects"] != 2:
        raise ValueError(f"expected `num_objects` to be 1 or 2, got {short(row['num_objects'])}")
    spelling = row["rel_type"]
    if not isinstance(spelling, str):
        raise ValueError(f"`relation` is unknown: expected `rel_type` to be a text, got {short(spelling)}")
    name = AND if spelling == AND else relation(spelling).name
    first, second = _name(row, "obj_1_attributes"), _name(row, "obj_2_attributes")
    check_agreement(text, first, spelling, second)
    return BenchmarkPrompt(number, text, first, name, second, {"rel_type": spelling})


def _name(row: dict[str, Any], key: str) -> str:
    names: Sequence[Any] = row[key] if isinstance(row[key], list) else ()
    if len(names) != 1 or not isinstance(names[0], str) or not names[0].strip():
        raise ValueError(f"expected `{key}` to be a list of one name, got {short(row[key])}")
    return names[0]
