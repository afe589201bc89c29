"""The gallery: one card a prompt and seed, with the image of each method side by side."""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from infsplign.evaluation.image_reading import ImageError, read_image
from infsplign.evaluation.page.reading import relation_of
from infsplign.evaluation.page.run import RunFolder

SIDE = 176
"""Pixels of a thumbnail's longer side; smaller images keep their size."""
BUDGET = 4_200_000
"""Characters of all thumbnails, so that a page stays below 5 MB."""
VERDICTS = {"right": "relation right", "wrong": "relation wrong", "missing": "object missing", "failed": "failed", "open": "not judged"}


@dataclass(frozen=True)
class Shot:
    """One image of a card: `source` is a data URI, None where there is no image."""

    method: str
    verdict: str
    note: str
    source: str | None
    trace: str | None


@dataclass(frozen=True)
class Card:
    """One prompt and seed."""

    run: str
    prompt: str
    relation: str
    key: str
    seed: int
    shots: tuple[Shot, ...]

    @property
    def differ(self) -> bool:
        """Whether methods were judged differently."""
        return len({shot.verdict for shot in self.shots}) > 1


def choose(run: RunFolder, most: int) -> list[tuple[str, Mapping[str, Any], str]]:
    """Keys to show, with a record and the relation: at most `most` images, relations in turn, first seeds first.

    Cards of one prompt come one after the other.
    """
    methods, place = list(run.records), {}
    queues: dict[str, list[tuple[int, int, str]]] = {}
    facts: dict[str, tuple[Mapping[str, Any], str]] = {}
    for key in dict.fromkeys(key for name in methods for key in run.records[name]):
        record = next(run.records[name][key] for name in methods if key in run.records[name])
        judged: Mapping[str, Any] = next((run.verdicts[name][key] for name in methods if key in run.verdicts[name]), {})
        owner, _, index = key.rpartition("_")
        relation = relation_of(record["prompt"], {**record, **judged})
        number = place.setdefault(owner, len(place))
        queues.setdefault(relation, []).append((int(index) if index.isdecimal() and len(index) < 10 else 0, number, key))
        facts[key] = record, relation
    chosen: list[str] = []
    waiting = [sorted(queue) for queue in queues.values()]
    while any(waiting) and (len(chosen) + 1) * len(methods) <= max(most, len(methods)):
        waiting = [queue for queue in waiting if queue]
        chosen.append(waiting[len(chosen) % len(waiting)].pop(0)[2])
    chosen.sort(key=lambda key: (place[key.rpartition("_")[0]], key))
    return [(key, *facts[key]) for key in chosen]


def cards(run: RunFolder, out: Path, most: int, budget: int = BUDGET) -> list[Card]:
    """Builds the cards of a run; stops when the thumbnails have used up `budget`.

    Args:
        run: the run.
        out: the page, which links are relative to.
        most: images.
        budget: characters.
    """
    found: list[Card] = []
    for key, record, relation in choose(run, most):
        shots = tuple(_shot(run, name, key, out) for name in run.records)
        budget -= sum(len(shot.source or "") for shot in shots)
        if budget < 0:
            break
        found.append(Card(run.name, record["prompt"], relation, key, record["seed"], shots))
    return found


def _shot(run: RunFolder, method: str, key: str, out: Path) -> Shot:
    record = run.records[method].get(key, {})
    judged = run.verdicts[method].get(key)
    verdict, note = _verdict(record, judged)
    trace = run.trace(method, key)
    return Shot(method, verdict, note, thumbnail(run.image(method, key)), None if trace is None else _link(trace, out))


def _link(path: Path, out: Path) -> str:
    """The address of a file from the page: signs that mean something in an address (`#`, `?`, `%`, `:`, blanks) are quoted."""
    return quote(os.fsencode(os.path.relpath(path, out.parent).replace(os.sep, "/")))


def _verdict(record: Mapping[str, Any], judged: Mapping[str, Any] | None) -> tuple[str, str]:
    if "error" in record:
        return "failed", str(record["error"])
    if judged is None or "correct" not in judged:
        return "open", VERDICTS["open"] if record else "not made yet"
    verdict = "right" if judged["correct"] else "wrong" if judged.get("both") else "missing"
    return verdict, VERDICTS[verdict] + (", doubled" if judged.get("doubled") else "")


def thumbnail(path: Path) -> str | None:
    """An image as a small JPEG in a data URI; None where the file is gone or broken."""
    try:
        small = read_image(path)
    except ImageError:
        return None
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def count(found: Sequence[Card]) -> int:
    """Images that are shown."""
    return sum(shot.source is not None for card in found for shot in card.shots)
