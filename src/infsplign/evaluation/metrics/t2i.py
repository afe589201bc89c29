"""T2I-CompBench, 2D spatial: the published rule, and the one that the InfSplign authors used.

Pure functions over detections, of any detector; what its threshold has dropped must not be passed in (published: `score >= 0.5`).
The published rule measures in pixels of the picture that its detector was shown, about 479 on the longer side.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from infsplign.core import relations, spellings
from infsplign.detection import Box, Detection
from infsplign.evaluation.metrics.boxes import iou, offset, scaled
from infsplign.evaluation.metrics.ratios import Ratios
from infsplign.evaluation.prompts.t2i_compbench import CLOSE

FRAME = 479
"""Pixels of the longer side of the frame that all distances are measured in."""
REACH = 150
"""Distance in that frame, on either axis, below which objects are near each other."""
OVERLAP = 0.1
"""IoU from which on a direction counts less than 1."""
PEOPLE = ("girl", "boy", "man", "woman")

Pick = Callable[[Iterable[Detection], str], Detection | None]
"""Chooses the detection that stands for a name, None where there is none."""


@dataclass(frozen=True)
class SpatialScore:
    """One image: its `score`, whether `both` objects are there, and how well their `position` fits, all in [0, 1]."""

    score: float
    both: bool
    position: float


def label(noun: str) -> str:
    """What the detector calls a noun of a prompt: girls, boys, men and women are persons."""
    return "person" if noun in PEOPLE else noun


def official(detections: Iterable[Detection], name: str) -> Detection | None:
    """The published choice: the label must be the very name, the highest score wins, the first of equal ones."""
    return max((found for found in detections if found.name == name), key=lambda found: found.score, default=None)


def infsplign(detections: Iterable[Detection], name: str) -> Detection | None:
    """The choice of the InfSplign authors: labels such as "a, b" and "a and b" name both, and the last box wins.

    Detectors list the best score first, so the last is the one with the lowest score.
    """
    named = [found for found in detections if name in _parts(found.name)]
    return min(reversed(named), key=lambda found: found.score, default=None)


def score_image(
    detections: Sequence[Detection], size: tuple[float, float], first: str, relation: str, second: str, *, pick: Pick = official
) -> SpatialScore:
    """Scores one image: `0.25 s1 + 0.25 s2 + 0.5 position`, `0.25 s` for a single object, and 0 for all that is below 0.5.

    Args:
        detections: of the image, above the threshold; boxes in its pixels.
        size: (width, height) of the image in pixels.
        first, second: as the prompt names them; see `label`.
        relation: "near", "next to", "on side of", or a spelling of a direction.
        pick: which box stands for a name, `official` or `infsplign`.

    Raises:
        ValueError: an image without area, or an unknown relation.

    >>> seen = [Detection("cat", 0.8, (0, 0, 100, 100)), Detection("dog", 0.6, (300, 0, 400, 100))]
    >>> score_image(seen, (479, 479), "cat", "left of", "dog")
    SpatialScore(score=0.85, both=True, position=1.0)
    """
    if min(size) <= 0:
        raise ValueError(f"`size` must be positive, got {size}")
    judged = relation if relation in CLOSE else spellings.relation(relation)
    one, other = pick(detections, label(first)), pick(detections, label(second))
    if one is None or other is None:
        return SpatialScore(0.0, False, 0.0)  # 0.25 s of a single object never reaches 0.5
    factor = FRAME / max(size)
    position = position_score(scaled(one.box, factor), judged, scaled(other.box, factor))
    score = 0.25 * one.score + 0.25 * other.score + 0.5 * position
    return SpatialScore(score if score >= 0.5 else 0.0, True, position)


def position_score(first: Box, relation: str | relations.Relation, second: Box) -> float:
    """How well two boxes in the frame fit a relation, in [0, 1], with (x, y) from the centre of `first` to that of `second`.

    Near: 1 where |x| < 150 or |y| < 150, else 150 / max(|x|, |y|). A direction: 0 unless the second lies that way and further along
    this axis than along the other; then 1 where the boxes' IoU is below 0.1, else 0.1 / IoU.
    """
    x, y = offset(first, second)
    if relation in CLOSE:
        return 1.0 if abs(x) < REACH or abs(y) < REACH else REACH / max(abs(x), abs(y))
    direction = spellings.relation(relation).direction
    along, across = direction[0] * x + direction[1] * y, direction[1] * x + direction[0] * y
    if along <= abs(across):
        return 0.0
    overlap = iou(first, second)
    return 1.0 if overlap < OVERLAP else OVERLAP / overlap


def spatial_ratios(images: Mapping[str, Sequence[SpatialScore]]) -> Ratios:
    """Means over images: "score" (the published measure), "both" and "position"; the last over images with both objects.

    Args:
        images: prompt (or its id) to the scores of its images.
    """
    rows = []
    for row in images.values():
        both, position = sum(s.both for s in row), sum(s.position for s in row)
        rows.append([(sum(s.score for s in row), len(row)), (both, len(row)), (position, both)])
    return Ratios.of(("score", "both", "position"), rows)


def _parts(name: str) -> list[str]:
    return [part.strip() for part in re.split(r",|\band\b", name)]
