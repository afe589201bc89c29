"""Chooses layers, window and bound from what attention told. Nothing here needs a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from infsplign.calibration.readings import Numbers, Readings
from infsplign.calibration.scoring import LATE, LayerScores, decided

NEAR = 0.8
"""Layers are chosen whose reach is at least this part of the best one's: a few dozen images do not tell which of them is better."""
LEAST = 0.1
"""Reach below which a layer tells too little to be guided by. Random weights stay below it, and so do blind layers of trained ones."""
MOST = 3
"""Layers that are read at most. Each further one costs its part of the backward pass."""
SHORTEST, LONGEST, AFTER = 0.5, 1.0, 0.1
"""The window ends `AFTER` the progress at which positions are decided, within these."""
BOUNDS = (0.025, 0.05, 0.1, 0.2)
"""Bounds that are tried, in standard deviations of the noise."""


def choose_layers(scores: LayerScores, *, most: int = MOST) -> list[int]:
    """Returns the numbers of the layers to guide by, in the order in which they run: those whose reach is near the best, at most `most`.

    Returns:
        None of them if no layer reaches `LEAST`.
    """
    reach = scores.reach
    best = float(reach.max()) if len(reach) else 0.0
    near = [int(k) for k in np.argsort(-reach, kind="stable") if best >= LEAST and reach[k] >= NEAR * best]
    return sorted(near[:most])


def choose_window(readings: Readings, scores: LayerScores, layers: Sequence[int]) -> tuple[float, float]:
    """Returns the progress at which positions are decided, and `stop` of the window, in tenths of the sampling."""
    at = decided(readings, scores, list(layers))
    stop = min(LONGEST, max(SHORTEST, np.ceil(round(10 * (at + AFTER), 6)) / 10))
    return at, float(stop)


@dataclass(frozen=True)
class BoundScore:
    """What attention tells, late, of images that were guided under one bound. All are in [0, 1] and larger where the images are better.

    Attributes:
        holds: share of images whose relations all hold, by all layers that read positions.
        whole: 1 minus the unity loss.
        apart: 1 minus twice the overlap.
        clear: attention that the objects get, as a part of what they get in unguided images; at most 1. Too large a shift makes images
            that the model itself does not recognise the objects in.
        strict: share of images that the detector finds right in every respect; None without a detector.
    """

    holds: float
    whole: float
    apart: float
    clear: float
    strict: float | None = None

    @property
    def score(self) -> float:
        """By which bounds are ranked: the detector's verdict if there is one, else `holds * whole * apart * clear`; 0 where an image had
        attention that is not finite."""
        found = self.holds * self.whole * self.apart * self.clear if self.strict is None else self.strict
        return found if np.isfinite(found) else 0.0


def score_bound(guided: Readings, unguided: Readings, weight: Numbers) -> BoundScore:
    """Scores the images of one bound by the late looks at all layers, weighted as in the consensus.

    Args:
        guided: at least the last steps.
        unguided: images of the same prompts.
        weight: (L,), see `LayerScores`.
    """
    own, mass = (float(late(readings.mass, readings, weight).mean()) for readings in (unguided, guided))
    return BoundScore(
        holds=float((late(guided.gap, guided, weight) > 0).mean()),
        whole=float(1.0 - late(guided.unity, guided, weight).mean()),
        apart=float(max(0.0, 1.0 - 2.0 * late(guided.overlap, guided, weight).mean())),
        clear=min(1.0, mass / own) if own > 0 else 0.0,
    )


def late(values: Numbers, readings: Readings, weight: Numbers) -> Numbers:
    """Averages (S, L, I) over the late steps, and over layers by `weight`: (I,)."""
    total = weight.sum()
    shares = weight / total if total > 0 else np.full(len(weight), 1.0 / len(weight))
    return np.tensordot(shares, values[readings.part(LATE)].mean(axis=0), axes=1)


def choose_bound(found: Mapping[float, BoundScore], *, tolerance: float = 0.01) -> float | None:
    """Returns the least bound whose score is within `tolerance` of the best one, as a part of it; None if none was tried. Attention
    decides where the detector finds no image right under any bound."""
    if not found:
        return None
    best = max(score.score for score in found.values())
    if best == 0 and any(score.strict is not None for score in found.values()):  # nothing is right: the detector tells nothing
        return choose_bound({bound: replace(score, strict=None) for bound, score in found.items()}, tolerance=tolerance)
    return min(bound for bound, score in found.items() if score.score >= (1.0 - tolerance) * best)
