"""Tells without labels which layers know early where objects will be.

Late in the sampling, the layers that read positions agree with each other, and the others agree with nothing. The consensus is the
average of the layers' late gaps, each with a weight that is high where the layer agrees with the average. A layer's score is the
correlation of its early gaps with this consensus.
"""

from dataclasses import dataclass

import numpy as np

from infsplign.calibration.readings import Numbers, Readings

LATE = 0.8
"""Progress from which on positions are final."""
EARLY = (1 / 6, 0.3)
"""Progress at which a layer must read what guidance is to change: before, all is noise; after, positions are decided."""
ROUNDS, POWER = 20, 4
"""Iterations of the consensus, and the power of the correlations that weight layers."""
TINY = 1e-9


@dataclass(frozen=True)
class LayerScores:
    """Scores of L layers. All but `agreement` are (L,).

    Attributes:
        early: correlation of the layer's early gaps with the late consensus of all layers: the score by which layers are ranked.
        weight: of the layer in the consensus, of sum 1.
        agreement: (S, L), correlation with the consensus in each step: layers x noise.
        sharpness: 1 minus the early unity loss: 1 where each object is one small blob.
        separation: 1 minus twice the early overlap: 1 where objects share no place, 0 where they have the same map.
        spread: late variance of the object whose map is spread most, as a part of that of a map that is the same everywhere: near 1 the
            layer does not tell where this object is.
        final: correlation of the consensus with the gaps of the last steps, by the layers that carry it; how far layers agree at all.
    """

    early: Numbers
    weight: Numbers
    agreement: Numbers
    sharpness: Numbers
    separation: Numbers
    spread: Numbers
    final: float

    @property
    def reach(self) -> Numbers:
        """(L,), `early * separation`: what a layer tells, in maps that a gradient can move apart. Layers are chosen by it."""
        return np.maximum(self.early, 0.0) * np.maximum(self.separation, 0.0)


def correlation(a: Numbers, b: Numbers) -> float:
    """Pearson's correlation of all numbers of two arrays; 0 where one does not vary, or holds what is not finite."""
    x, y = a.ravel() - a.mean(), b.ravel() - b.mean()
    product = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / product) if np.isfinite(product) and product > TINY else 0.0


def consensus(late: Numbers) -> tuple[Numbers, Numbers]:
    """Averages the layers' gaps with weights that follow from the average itself.

        c = sum_l w_l z_l,    w_l = max(0, corr(z_l, c))^4, normalised to sum 1;    z_l are standardised gaps

    Args:
        late: (L, N, 2).

    Returns:
        The consensus (N, 2), and the weights (L,). Both are 0 where no layer varies.
    """
    centred = late - late.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True))
    alive = np.isfinite(size) & (size > TINY)
    standard = np.where(alive, centred / np.where(alive, size, 1.0), 0.0)
    weights = alive[:, 0, 0] / max(int(alive.sum()), 1)
    for _ in range(ROUNDS):
        mean = np.tensordot(weights, standard, axes=1)
        agreed = np.array([max(0.0, correlation(layer, mean)) for layer in standard]) ** POWER
        if agreed.sum() <= TINY:
            break
        weights = agreed / agreed.sum()
    return np.tensordot(weights, standard, axes=1), weights


def uniform(height: int, width: int) -> float:
    """Variance of a map that is the same everywhere; cells lie at `i / (n - 1)` on their axis, see `infsplign.core.statistics`."""
    return sum((n + 1) / (n - 1) / 12 if n > 1 else 0.0 for n in (height, width)) or 1.0


def score_layers(readings: Readings) -> LayerScores:
    """Scores all layers from unguided images; a few dozen pairs of objects are enough."""
    late, early = readings.part(LATE), readings.part(*EARLY)
    where, weight = consensus(readings.between[late].mean(axis=0))
    steps, layers = readings.between.shape[:2]
    agreement = np.array([[correlation(readings.between[s, k], where) for k in range(layers)] for s in range(steps)])
    seen = readings.between[early].mean(axis=0)
    return LayerScores(
        early=np.array([correlation(layer, where) for layer in seen]),
        weight=weight,
        agreement=agreement,
        sharpness=1.0 - readings.unity[early].mean(axis=(0, 2)),
        separation=1.0 - 2.0 * readings.overlap[early].mean(axis=(0, 2)),
        spread=readings.widest[late].mean(axis=(0, 2)) / np.array([uniform(*grid) for grid in readings.grids]),
        final=float(agreement[late].mean(axis=0) @ weight),
    )


def decided(readings: Readings, scores: LayerScores, layers: list[int], *, part: float = 0.9) -> float:
    """Finds the progress at which positions are decided: the first step from which on the layers' agreement with the consensus stays at
    least `part` of what it is at the end."""
    curve = scores.agreement[:, layers].mean(axis=1)
    enough = curve >= part * curve[readings.part(LATE)].mean()
    still = np.flatnonzero(~enough)
    first = 0 if not len(still) else min(int(still[-1]) + 1, len(curve) - 1)
    return float(readings.progress[first])
