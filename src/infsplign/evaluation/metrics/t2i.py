"""T2I-CompBench, 2D spatial: the published rule, and the one that the InfSplign authors used.

Pure functions over detections, of any detector; what its threshold has dropped must not be passed in (published: `score > 0.1`, a
literal in the detector's inference call; its option of 0.5 has no effect there). The published rule measures in pixels of the picture
that its detector was shown, see `frame_of`. Source: github.com/Karine-Huang/T2I-CompBench, UniDet_eval.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from infsplign.core import relations, spellings
from infsplign.detection import Box, Detection, in_parts
from infsplign.evaluation.metrics.boxes import iou, offset, scaled
from infsplign.evaluation.metrics.names import joined, plain
from infsplign.evaluation.metrics.ratios import Ratios

SHORTER, LONGER = 479, 480
"""Pixels of the sides of the frame that all distances are measured in: see `frame_of`."""
REACH = 150
"""Distance in that frame, on either axis, below which objects are near each other."""
LEAST = 0.5
"""Score of an image below which it counts 0."""
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
    return "person" if plain(noun) in PEOPLE else noun


def frame_of(size: tuple[float, float]) -> tuple[int, int]:
    """(width, height) of the picture that the detector is shown: the shorter side becomes 479, or what keeps the longer one at 480.

    This is how torchvision's `Resize(479, max_size=480)` rounds. A picture that is not nearly square has 480 pixels on the longer side.

    >>> frame_of((512, 512)), frame_of((768, 512))
    ((479, 479), (480, 320))
    """
    shorter, longer = SHORTER, int(SHORTER * max(size) / min(size))
    if longer > LONGER:
        shorter, longer = max(int(LONGER * shorter / longer), 1), LONGER
    return (shorter, longer) if size[0] <= size[1] else (longer, shorter)


def official(detections: Iterable[Detection], name: str) -> Detection | None:
    """The published choice: the label must be the name, the highest score wins, the first of equal ones."""
    return max((found for found in detections if plain(found.name) == plain(name)), key=lambda found: found.score, default=None)


def infsplign(detections: Iterable[Detection], name: str) -> Detection | None:
    """The choice of the InfSplign authors: labels such as "a, b" and "a and b" name both, and the last box wins.

    Detectors list the best score first, so the last is the one with the lowest score.
    """
    named = [found for found in detections if plain(name) in joined(found.name)]
    return min(reversed(named), key=lambda found: found.score, default=None)


def score_image(
    detections: Sequence[Detection], size: tuple[float, float], first: str, relation: str, second: str, *, pick: Pick = official
) -> SpatialScore:
    """Scores one image: `0.25 s1 + 0.25 s2 + 0.5 position`, `0.25 s` for a single object, and 0 for all that is below 0.5.

    Args:
        detections: of the image, above the threshold; boxes in its pixels.
        size: (width, height) of the image in pixels.
        first, second: as the prompt names them; see `label`.
        relation: a spelling of "near", of a direction, or of "on top of", which the published code lists and scores 0.
        pick: which box stands for a name, `official` or `infsplign`.

    Raises:
        ValueError: an image without area, boxes in parts of it, or a relation that the rule does not measure.

    >>> seen = [Detection("cat", 0.8, (0, 0, 100, 100)), Detection("dog", 0.6, (300, 0, 400, 100))]
    >>> score_image(seen, (479, 479), "cat", "left of", "dog")
    SpatialScore(score=0.85, both=True, position=1.0)
    """
    if min(size) <= 0:
        raise ValueError(f"`size` must be positive, got {size}")
    judged, detections = measured(relation), tuple(detections)
    one, other = pick(detections, label(first)), pick(detections, label(second))
    if one is None or other is None:
        return SpatialScore(0.0, False, 0.0)  # 0.25 s of a single object never reaches 0.5
    if in_parts(size, (one.box, other.box)):
        shape = f"{size[0]} x {size[1]}"
        raise ValueError(f"`detections` must have boxes in pixels of the image, {shape}, got parts of it: {one.box}, {other.box}")
    factors = tuple(new / old for new, old in zip(frame_of(size), size, strict=True))
    position = position_score(scaled(one.box, *factors), judged, scaled(other.box, *factors))
    score = 0.25 * one.score + 0.25 * other.score + 0.5 * position
    return SpatialScore(score if score >= LEAST else 0.0, True, position)


def measured(relation: str | relations.Relation) -> relations.Relation:
    """The relation of a spelling.

    Raises:
        ValueError: it is unknown, or the rule does not measure it.
    """
    found = spellings.relation(relation)
    if found.equation in ("near", "on top") or (found.equation == "ordered" and len(found.axes) == 1):
        return found
    raise ValueError(f"`relation` must be near, on top of or one of the four directions, which T2I-CompBench measures, got {found.name!r}")


def position_score(first: Box, relation: str | relations.Relation, second: Box) -> float:
    """How well two boxes in the frame fit a relation, in [0, 1], with (x, y) from the centre of `first` to that of `second`.

    Near: 1 where |x| < 150 or |y| < 150, else 150 / max(|x|, |y|). A direction: 0 unless the second lies that way and further along
    this axis than along the other; then 1 where the boxes' IoU is below 0.1, else 0.1 / IoU. On top of: 0.

    Raises:
        ValueError: a relation that the rule does not measure.
    """
    asked, (x, y) = measured(relation), offset(first, second)
    if asked.equation == "near":
        return 1.0 if abs(x) < REACH or abs(y) < REACH else REACH / max(abs(x), abs(y))
    if asked.equation == "on top":
        return 0.0
    direction = asked.direction
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

