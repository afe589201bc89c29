"""The `metadata.jsonl` that GenEval puts beside the images of a prompt: it says what was asked, whatever the folder's number.

GenEval's own evaluator reads nothing else. A folder whose file says another prompt than its number would be scored against the wrong one.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infsplign.evaluation.metrics.names import plain
from infsplign.evaluation.prompts.geneval import OTHER_TAGS, prompt_of
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt
from infsplign.evaluation.reading import parse_json, read_text

NAME = "metadata.jsonl"
_SAMPLES = re.compile(r"(\d+)/samples/[^/]+")


def prompts_of_folders(files: Mapping[str, Path], prompts: Sequence[BenchmarkPrompt]) -> dict[int, str | None]:
    """Number of a folder to the id of its prompt, where there is a `metadata.jsonl`; None where its prompt is not among `prompts`.

    Args:
        files: key of an image, such as "00012/samples/0001", to its path.
        prompts: that are scored.

    Raises:
        ValueError: a file that is no such metadata, or contradicts the prompt that has its folder's number or its text.
        OSError: a file cannot be read.
    """
    folders = {int(match[1]): path.parents[1] for key, path in files.items() if (match := _SAMPLES.fullmatch(key))}
    numbered = {prompt.extra["number"]: prompt for prompt in prompts if "number" in prompt.extra}
    texts: dict[str, BenchmarkPrompt] = {prompt.text: prompt for prompt in prompts}
    asked: dict[tuple[str, ...], BenchmarkPrompt] = {_asked(prompt): prompt for prompt in prompts}
    found: dict[int, str | None] = {}
    for number, folder in sorted(folders.items()):
        path = folder / NAME
        if not path.is_file():
            continue
        told = _read(path, number)
        own = numbered.get(number)
        if told is not None and own is not None and _asked(own) == _asked(told):
            found[number] = own.id  # one of several prompts that ask for the same
            continue
        owner = None if told is None else asked.get(_asked(told))
        rival = None if told is None else texts.get(told.text) or own
        if told is not None and owner is None and rival is not None:
            raise ValueError(
                f"{str(path)!r} contradicts the file of prompts: it asks for {_quoted(told)}, and prompt {rival.id!r} for "
                f"{_quoted(rival)}; give the file of prompts that the images were made from"
            )
        found[number] = owner.id if owner else None
    return found


def _read(path: Path, number: int) -> BenchmarkPrompt | None:
    """The prompt of a file; None where it belongs to another of GenEval's tasks."""
    try:
        row: Any = parse_json(read_text(path), surrogates=True)
        if not isinstance(row, dict):
            raise ValueError(f"expected an object, got {type(row).__name__}")
        return None if row.get("tag") in OTHER_TAGS else prompt_of(row, number)
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is no metadata of GenEval: {error}") from error


def _asked(prompt: BenchmarkPrompt) -> tuple[str, ...]:
    return plain(prompt.first), prompt.relation, plain(prompt.second)


def _quoted(prompt: BenchmarkPrompt) -> str:
    return f'"{prompt.first} {prompt.relation} {prompt.second}"'
