"""What VISOR does not see: doubled objects, deformed ones, and things that nobody asked for.

Pure functions over all blobs of an image, malformed ones included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from infsplign.evaluation.metrics.names import plain
from infsplign.evaluation.metrics.ratios import Ratios


class Blob(Protocol):
    """Something in an image: the name of what it is nearest to, and how well it is drawn, in [0, 1]."""

    @property
    def name(self) -> str: ...
    @property
    def score(self) -> float: ...


@dataclass(frozen=True)
class Fidelity:
    """How faithful one image is.

    Attributes:
        strict: each object exactly once and well drawn, whatever else the prompt asks for, nothing else at all, and the relation right.
        doubled: a named object more than once, well drawn or not.
        shape: mean over the named objects of the best score of a blob with that name, 0 where there is none.
    """

    strict: bool
    doubled: bool
    shape: float


def fidelity(
    blobs: Sequence[Blob], objects: Sequence[str], *, correct: bool, min_score: float, beside: Mapping[str, bool] = {}
) -> Fidelity:
    """Measures one image.

    Args:
        blobs: all that the detector saw, below its threshold too: an extra blob spoils `strict` however badly it is drawn.
        objects: the names of the relation's objects, each asked for once.
        beside: names that the prompt names too, which may be there in any number; if True, `strict` needs one that is well drawn.
        correct: whether the relations hold among the detected objects, from `judge`.
        min_score: the detector's threshold, compared in single precision as by every rule.

    Raises:
        ValueError: no object, or one twice.

    >>> from infsplign.shapes.detector import Detection
    >>> blobs = [Detection("star", 0.9, (0, 0, 2, 2), 4), Detection("moon", 0.8, (5, 0, 7, 2), 4), Detection("star", 0.3, (5, 5, 6, 6), 1)]
    >>> fidelity(blobs, ["star", "moon"], correct=True, min_score=0.6)
    Fidelity(strict=False, doubled=True, shape=0.8500000000000001)
    """
    if not objects or len(set(map(plain, objects))) != len(objects):
        raise ValueError(f"`objects` must name at least one object, and each once; got {list(objects)}")
    blobs = tuple(blobs)
    scores = {name: [blob.score for blob in blobs if plain(blob.name) == plain(name)] for name in objects}
    once = all(len(found) == 1 and np.float32(found[0]) >= np.float32(min_score) for found in scores.values())
    asked = {plain(name): must for name, must in beside.items() if plain(name) not in {*map(plain, objects)}}
    others = {name: [blob.score for blob in blobs if plain(blob.name) == name] for name in asked}
    there = all(np.float32(max(found, default=-1.0)) >= np.float32(min_score) for name, found in others.items() if asked[name])
    return Fidelity(
        strict=once and there and len(blobs) == len(objects) + sum(map(len, others.values())) and correct,
        doubled=any(len(found) > 1 for found in scores.values()),
        shape=sum(max(found, default=0.0) for found in scores.values()) / len(objects),
    )


def fidelity_ratios(images: Mapping[str, Sequence[Fidelity]]) -> Ratios:
    """Fidelity as ratios, measures "strict", "doubled" and "shape": means over images.

    Args:
        images: prompt (or its id) to its images.
    """
    rows = [[(sum(float(getattr(f, name)) for f in row), len(row)) for name in ("strict", "doubled", "shape")] for row in images.values()]
    return Ratios.of(("strict", "doubled", "shape"), rows)
