"""Prompts for a calibration: pairs of objects in the four directions, balanced, every object at most once where there are enough."""

import random
from collections.abc import Sequence
from pathlib import Path

from infsplign.core.spellings import relation
from infsplign.evaluation.prompts import BenchmarkPrompt, world_prompts
from infsplign.evaluation.prompts.coco import COCO
from infsplign.evaluation.prompts.prompt import PromptFileError, broken, lines
from infsplign.evaluation.prompts.prompt_lists import benchmark_prompts
from infsplign.prompts import parse_prompt
from infsplign.shipped import PRESETS
from infsplign.shipped.worlds import article

RELATIONS = ("to the left of", "to the right of", "above", "below")


def pair_prompts(nouns: Sequence[str] = COCO, count: int = 24) -> list[BenchmarkPrompt]:
    """Makes prompts such as "a cat to the left of a dog", as those of SR2D are worded. The same arguments give the same prompts.

    The nouns are shuffled and taken in pairs; when all have been used, they are shuffled again. Relations take turns.

    Args:
        nouns: at least two different ones.
        count: number of prompts, >= 1.

    Raises:
        ValueError: fewer than two nouns, or `count` below 1.
    """
    known = list(dict.fromkeys(nouns))
    if len(known) < 2:
        raise ValueError(f"`nouns` must name at least two different objects, got {known}")
    if count < 1:
        raise ValueError(f"`count` must be >= 1, got {count}")
    shuffle, left, found = random.Random("infsplign calibration"), list[str](), list[BenchmarkPrompt]()
    for number in range(count):
        if len(left) < 2:
            left = shuffle.sample(known, len(known))
        first, second, spelling = left.pop(), left.pop(), RELATIONS[number % 4]
        text = f"{article(first)} {first} {spelling} {article(second)} {second}"
        found.append(BenchmarkPrompt(f"pair-{number:04d}", text, first, relation(spelling).name, second))
    return found


def built_in(model: str, count: int) -> list[BenchmarkPrompt]:
    """Returns the prompts for a model: those of a shipped model name what it draws, all others objects of COCO.

    A shipped model's are of the second half of its world's split "tune", so that neither its held-out prompts nor those that constants
    were chosen by are used.

    Args:
        model: name of a shipped model, or of any other.
        count: number of prompts, >= 1.

    Raises:
        ValueError: `count` below 1, or more than a shipped model's world has.
    """
    if model not in PRESETS:
        return pair_prompts(count=count)
    name = PRESETS[model].world
    whole = world_prompts.prompts("tune", world_prompts.size("tune", name), name)
    half = whole[len(whole) // 2 :]
    if not 1 <= count <= len(half):
        raise ValueError(f"`count` must be 1 to {len(half)} for {model!r}, got {count}")
    return half[:count]


def read_prompts_of(path: Path) -> list[BenchmarkPrompt]:
    """Reads one prompt a line, each of which names two objects or more and asks for a relation; or the texts of a JSON file of prompts.

    Raises:
        PromptFileError: a line that cannot be parsed; the message names it.
        ValueError: JSON that holds no prompts, see `benchmark_prompts`.
        OSError: the file cannot be read.
    """
    texts = lines(path)
    if path.suffix.lower() != ".txt" and texts[0].lstrip().startswith(("{", "[")):
        texts = [prompt.text for prompt in benchmark_prompts(path)]
    found: list[BenchmarkPrompt] = []
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            found.append(prompt_of(text.strip(), len(found)))
        except ValueError as error:
            raise broken(path, number, _one_line(error)) from error
    if not found:
        raise PromptFileError(f"{str(path)!r} holds no prompt")
    return found


def prompt_of(text: str, number: int) -> BenchmarkPrompt:
    """Makes a prompt from its text; objects and relation are those of its first relation of two objects.

    Raises:
        ValueError: the text cannot be parsed, or relates no two objects, so that it has no gap to read.
    """
    scene = parse_prompt(text)
    edge = next((edge for edge in scene.relations if edge.second is not None), None)
    if edge is None or edge.second is None:
        raise ValueError(f"expected a relation between two objects, got {text!r}")
    return BenchmarkPrompt(f"line-{number:04d}", text, scene.objects[edge.first], edge.relation.name, scene.objects[edge.second])


def _one_line(error: ValueError) -> str:
    """The sentences of an error about a prompt, without the indented lines that point into it."""
    return " ".join(line for line in str(error).splitlines() if line.strip() and not line.startswith(" "))
