"""Everyday prompts with their right readings, in the files of `prompt_readings`.

A row has a prompt, the readings that are right, and `refuse` where refusing is right; with both, either is. The rules were written with the
tune half in view, and only totals of the unseen half were looked at. The other sets are by other authors, who had not seen the rules.
`prompt_readings/README.md` tells more.
"""

import json
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infsplign.errors import PromptError, PromptWarning
from infsplign.prompts import parse_prompt

FOLDER = Path(__file__).parent / "prompt_readings"
HALVES = ("tune", "unseen")
SETS = (*HALVES, "blind", "second", "third")
LIMITS = 0.02, 0.10
"""Wrong readings as a part of all prompts, and needless refusals as a part of those that can be read."""


@dataclass(frozen=True)
class Row:
    """A prompt, what it asks for, and why it is refused where it is.

    Attributes:
        prompt, kind: the text, and the kind of phrasing that it stands for.
        readings: lists of relations in words that are right.
        refuse: why refusing is right; None where it is not.
    """

    prompt: str
    kind: str
    readings: tuple[list[list[str]], ...]
    refuse: str | None


def rows(half: str) -> list[Row]:
    """The prompts of one of `SETS`."""
    lines = (FOLDER / f"{half}.jsonl").read_text("utf-8").splitlines()
    read = [json.loads(line) for line in lines]
    return [Row(row["prompt"], row["kind"], tuple(row["readings"]), row.get("refuse")) for row in read]


def reading(prompt: str) -> list[list[str]] | None:
    """The relations of a prompt in words; None where it is refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PromptWarning)
            scene = parse_prompt(prompt)
    except PromptError:
        return None
    return [[scene.objects[edge.first], edge.relation.name, *(scene.objects[n] for n in edge.objects[1:])] for edge in scene.relations]


def outcome(row: Row, read: list[list[str]] | None) -> str:
    """ "right", "wrong" (another reading, or one where none is right) or "refused" (needlessly)."""
    if read is None:
        return "right" if row.refuse is not None else "refused"
    return "right" if any(sorted(read) == sorted(right) for right in row.readings) else "wrong"


def rates(judged: Sequence[tuple[Row, str]]) -> tuple[float, float]:
    """Wrong readings as a part of all prompts, and needless refusals as a part of those for which refusing is not right."""
    readable = sum(row.refuse is None for row, _ in judged)
    wrong, refused = (sum(result == name for _, result in judged) for name in ("wrong", "refused"))
    return wrong / len(judged), refused / readable


def within_limits(half: str) -> bool:
    """Whether both rates of a half are at most `LIMITS`."""
    judged = [(row, outcome(row, reading(row.prompt))) for row in rows(half)]
    return all(rate <= limit for rate, limit in zip(rates(judged), LIMITS, strict=True))


def table(judged: Sequence[tuple[Row, str]]) -> str:
    """One line a kind, and one for all."""
    lines = [f"{'kind':12} {'prompts':>7} {'wrong':>6} {'refused':>8}"]
    for kind in [*dict.fromkeys(row.kind for row, _ in judged), "all"]:
        counts = Counter(result for row, result in judged if kind in (row.kind, "all"))
        lines.append(f"{kind:12} {counts.total():7} {counts['wrong']:6} {counts['refused']:8}")
    wrong, refused = rates(judged)
    return "\n".join([*lines, f"wrong readings {wrong:.1%}, needless refusals {refused:.1%} of those that can be read"])


def report(half: str, *, listed: bool) -> str:
    """The table of a half, and the prompts that went wrong where asked for."""
    found = [(row, reading(row.prompt)) for row in rows(half)]
    judged = [(row, outcome(row, read)) for row, read in found]
    lines = [half if half not in HALVES else f"{half} half", table(judged)]
    if listed:
        lines += [f"{result:8} {row.prompt!r}: {read}" for (row, read), (_, result) in zip(found, judged, strict=True) if result != "right"]
    return "\n".join(lines)
