"""GenEval, position (arXiv 2310.11513). Pure functions over detections above the threshold (published: `score > 0.3`).

Boxes and scores are read, and everything is computed, in single precision, as the published code does: at a limit that decides.
Source: github.com/djghosh13/geneval, evaluation/evaluate_images.py.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from infsplign.core import relations, spellings
from infsplign.detection import Box, Detection
from infsplign.evaluation.metrics.names import plain
from infsplign.evaluation.metrics.ratios import Ratios
from infsplign.evaluation.metrics.visor import Verdict

SLACK = np.float32(0.1)
"""Part of both boxes' sides that their centres must be apart before there is any relation."""
LEAST = np.float32(0.5)
"""Least part of the distance that must lie along a direction, for it to hold."""
NOTHING = np.float32(1e-3)
"""Remaining distance, in pixels on both axes, below which there is no relation at all."""


def relations_of(first: Box, second: Box) -> frozenset[str]:
    """The directions that `first` has from `second`: none, one, or two.

    With o = centre(first) - centre(second) and r = max(|o| - 0.1 (sides of first + sides of second), 0) sign(o), r / ||o|| decides:
    "left of" where its x < -0.5, "right of" > 0.5, "above" where its y < -0.5, "below" > 0.5.

    >>> sorted(relations_of((0, 0, 10, 10), (100, 100, 110, 110)))
    ['above', 'left of']
    """
    one, other = (np.asarray(box, dtype=np.float32).reshape(2, 2) for box in (first, second))
    o = one.mean(axis=0) - other.mean(axis=0)
    sides = np.abs(one[1] - one[0]) + np.abs(other[1] - other[0])
    r = np.maximum(np.abs(o) - SLACK * sides, 0) * np.sign(o)
    if (np.abs(r) < NOTHING).all():
        return frozenset()
    x, y = r / np.linalg.norm(o)
    held = {"left of": x < -LEAST, "right of": x > LEAST, "above": y < -LEAST, "below": y > LEAST}
    return frozenset(name for name, holds in held.items() if holds)


DIRECTIONS = ("left of", "right of", "above", "below")


def judge(detections: Iterable[Detection], first: str, relation: str | relations.Relation, second: str) -> Verdict:
    """Judges one image by the best box of each class; of equal scores the last.

    Args:
        detections: of the image, above the detector's threshold.
        first, second: names as the detector gives them.
        relation: that `first` should have to `second`.

    Raises:
        ValueError: an unknown relation, or one of an object with itself.
    """
    if plain(first) == plain(second):
        raise ValueError(f"`first` and `second` must be two different objects, got {first!r} twice")
    asked, seen = spellings.relation(relation).name, list(detections)
    if asked not in DIRECTIONS:
        raise ValueError(f"`relation` must be one of {', '.join(DIRECTIONS)}, which is all that GenEval knows, got {asked!r}")
    one, other = (_best(seen, name) for name in (first, second))
    if one is None or other is None:
        return Verdict(False, False)
    return Verdict(True, asked in relations_of(one.box, other.box))


def _best(detections: Sequence[Detection], name: str) -> Detection | None:
    """The published code sorts scores in ascending order and reverses the list, so that the last of equal ones comes first."""
    named = (found for found in reversed(detections) if plain(found.name) == plain(name))
    return max(named, key=lambda found: np.float32(found.score), default=None)


def position_ratios(verdicts: Mapping[str, Sequence[Verdict]]) -> Ratios:
    """Means over images: "position" (the published measure), "both", and "cond", the first among images with both objects.

    Args:
        verdicts: prompt (or its id) to the verdicts of its images.
    """
    rows = []
    for row in verdicts.values():
        correct, both = sum(v.correct for v in row), sum(v.both for v in row)
        rows.append([(correct, len(row)), (both, len(row)), (correct, both)])
    return Ratios.of(("position", "both", "cond"), rows)
