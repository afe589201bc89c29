"""VISOR: are both objects there, and do their boxes stand in the relation? (arXiv 2212.10015)

Pure functions over detections, of any detector; what its threshold has dropped must not be passed in. VISOR looks for any pair
of boxes that satisfies the relation, and so sees neither doubled nor deformed objects: see `infsplign.evaluation.metrics.strict`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from infsplign.core import relations, spellings
from infsplign.evaluation.metrics.names import plain
from infsplign.evaluation.metrics.ratios import Ratios


class Found(Protocol):
    """What a detector found: a name and the centre (x, y) of its box, y down, in any unit."""

    @property
    def name(self) -> str: ...
    @property
    def centre(self) -> tuple[float, float]: ...


@dataclass(frozen=True)
class Verdict:
    """One image: `both` objects are detected, and their relation is `correct` (never without `both`)."""

    both: bool
    correct: bool


@dataclass(frozen=True)
class Visor:
    """VISOR of a set of prompts, every value in [0, 1].

    Attributes:
        object_accuracy: images with both objects / images (OA).
        conditional: correct images / images with both objects; nan where no image has both.
        unconditional: correct images / images.
        at_least: VISOR_1 to VISOR_N for N images a prompt: share of prompts with at least n correct images.
    """

    object_accuracy: float
    conditional: float
    unconditional: float
    at_least: tuple[float, ...]


def judge(detections: Iterable[Found], first: str, relation: str | relations.Relation, second: str) -> Verdict:
    """Judges one image: correct when ANY pair of boxes satisfies `direction . (centre(second) - centre(first)) > 0`.

    Args:
        detections: of the image, above the detector's threshold.
        first, second: names as the detector gives them.
        relation: a relation or a spelling of one.

    Raises:
        ValueError: an unknown relation, one that VISOR does not know, or one of an object with itself.

    >>> from infsplign.shapes.detector import Detection
    >>> judge([Detection("star", 1.0, (0, 0, 2, 2), 4), Detection("moon", 1.0, (5, 0, 7, 2), 4)], "star", "left of", "moon")
    Verdict(both=True, correct=True)
    """
    one, other = plain(first), plain(second)
    if one == other:
        raise ValueError(f"`first` and `second` must be two different objects, got {first!r} twice")
    asked = spellings.relation(relation)
    if asked.equation != "ordered" or len(asked.axes) != 1:
        raise ValueError(f"`relation` must be left of, right of, above or below, which is all that VISOR knows, got {asked.name!r}")
    dx, dy = asked.direction
    along: dict[str, list[float]] = {one: [], other: []}
    for found in detections:
        if (name := plain(found.name)) in along:
            along[name].append(dx * found.centre[0] + dy * found.centre[1])
    both = all(along.values())
    return Verdict(both, both and max(along[other]) > min(along[one]))


def visor_ratios(verdicts: Mapping[str, Sequence[Verdict]]) -> Ratios:
    """VISOR as ratios, measures "OA", "cond", "uncond", "VISOR-1" ... "VISOR-N".

    Args:
        verdicts: prompt (or its id) to the verdicts of its N images, N the same for all prompts.

    Raises:
        ValueError: no prompt, no image, or different numbers of images.
    """
    counts = {len(images) for images in verdicts.values()}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"`verdicts` must hold the same number of images, at least 1, a prompt; got {sorted(counts) or 'no prompt'}")
    (images,) = counts
    rows = []
    for row in verdicts.values():
        both, correct = sum(v.both for v in row), sum(v.correct for v in row)
        rows.append([(both, images), (correct, both), (correct, images), *((float(correct >= n), 1) for n in range(1, images + 1))])
    return Ratios.of(("OA", "cond", "uncond", *(f"VISOR-{n}" for n in range(1, images + 1))), rows)


def visor(verdicts: Mapping[str, Sequence[Verdict]]) -> Visor:
    """Computes VISOR; for the arguments and errors see `visor_ratios`.

    >>> visor({"a": [Verdict(True, True), Verdict(True, False)], "b": [Verdict(False, False), Verdict(True, True)]})
    Visor(object_accuracy=0.75, conditional=0.6666666666666666, unconditional=0.5, at_least=(1.0, 0.0))
    """
    accuracy, conditional, unconditional, *at_least = (float(value) for value in visor_ratios(verdicts).values())
    return Visor(accuracy, conditional, unconditional, tuple(at_least))
