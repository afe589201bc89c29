"""The prompts of GenEval about position (arXiv 2310.11513): read from a copy of `evaluation_metadata.jsonl`."""

from pathlib import Path
from typing import Any

from infsplign.core.spellings import relation
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt, PromptFileError, broken, distinct, json_lines

POSITION = "position"
OTHER_TAGS = ("single_object", "two_object", "counting", "colors", "color_attr")
RELATIONS = ("left of", "right of", "above", "below")


def read_geneval(path: Path) -> list[BenchmarkPrompt]:
    """Reads the rows tagged "position"; the other five tasks of GenEval are skipped.

    The id and `extra["number"]` count all rows from 0, as the folders of published images do.

    Raises:
        PromptFileError: a line that is no row of GenEval, or no row about position at all.
        OSError: the file cannot be read.
    """
    prompts = []
    for number, row in json_lines(path):
        tag = row.get("tag") if isinstance(row, dict) else None
        if tag in OTHER_TAGS:
            continue
        try:
            if tag != POSITION:
                raise ValueError(f'expected an object with "tag" {POSITION!r} or one of {", ".join(OTHER_TAGS)}, got {tag!r}')
            prompts.append(prompt_of(row, number - 1))
        except ValueError as error:
            raise broken(path, number, str(error)) from error
    if not prompts:
        raise PromptFileError(f"{str(path)!r} has no prompt tagged {POSITION!r}")
    return distinct(path, prompts)


def prompt_of(row: dict[str, Any], number: int) -> BenchmarkPrompt:
    """The prompt of one row. `include` lists B, then A with its `position`, [relation, 0]: A stands in the relation to object 0.

    Raises:
        ValueError: it is no row about position.
    """
    include, text = row.get("include"), row.get("prompt")
    if not isinstance(text, str):
        raise ValueError(f"expected `prompt` to be a text, got {text!r}")
    if not isinstance(include, list) or len(include) != 2 or not all(isinstance(item, dict) for item in include):
        raise ValueError(f"expected `include` to list two objects, got {include!r}")
    second, first = (_name(item) for item in include)
    position = include[1].get("position")
    if "position" in include[0] or not isinstance(position, list) or len(position) != 2 or position[0] not in RELATIONS or position[1] != 0:
        raise ValueError(f"expected the second of `include` to have a `position` [one of {', '.join(RELATIONS)}; 0], got {position!r}")
    if first == second:
        raise ValueError(f"expected two different objects, got {first!r} twice")
    return BenchmarkPrompt(f"geneval-{number:05d}", text, first, relation(position[0]).name, second, {"number": number})


def _name(item: dict[str, Any]) -> str:
    name, count = item.get("class"), item.get("count")
    if not isinstance(name, str) or not name.strip() or count != 1:
        raise ValueError(f"expected each of `include` to have a `class` and the `count` 1, got {item!r}")
    return name
