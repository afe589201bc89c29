"""The 2D spatial prompts of T2I-CompBench (arXiv 2307.06350): read from a copy of `spatial_val.txt`."""

import re
from pathlib import Path

from infsplign.core.spellings import relation
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt, broken, distinct, lines

CLOSE = ("near", "next to", "on side of")
"""Relations without a direction."""
SPELLINGS = (*CLOSE, "on the left of", "on the right of", "on the top of", "on the bottom of", "on top of")
"""Relations that the published evaluator finds in a prompt. It gives "on top of", which no published prompt has, the score 0."""
_PROMPT = re.compile(rf"an? (?P<first>\S.*?) (?P<relation>{'|'.join(SPELLINGS)}) an? (?P<second>\S.*)")


def read_t2i(path: Path) -> list[BenchmarkPrompt]:
    """Reads one prompt a line, `a {A} {relation} a {B}`; ids count the lines from 0.

    The published `spatial.txt` has prompts twice. They stay two prompts: the published measure is a mean over images, each as often as it
    was made.

    Raises:
        PromptFileError: a line that reads otherwise.
        OSError: the file cannot be read.
    """
    prompts = []
    for number, line in enumerate(lines(path), start=1):
        text = line.strip()
        match = _PROMPT.fullmatch(text)
        if match is None:
            raise broken(path, number, f"expected `a {{A}} {{relation}} a {{B}}` with a relation of {', '.join(SPELLINGS)}; got {line!r}")
        first, spelling, second = match["first"], match["relation"], match["second"]
        name = spelling if spelling in CLOSE else relation(spelling).name
        prompts.append(BenchmarkPrompt(f"t2i-{number - 1:04d}", text, first, name, second, {"relation": spelling}))
    return distinct(path, prompts)


def is_t2i(line: str) -> bool:
    """Whether a line is a prompt as T2I-CompBench writes them."""
    return _PROMPT.fullmatch(line) is not None
