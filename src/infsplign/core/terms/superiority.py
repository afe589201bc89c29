"""PSG, the probability of superiority: a point of A lies left of a point of B. Source: arXiv 2506.23418."""

from collections.abc import Sequence

from array_api_compat import array_namespace

from infsplign.core._namespace import Array
from infsplign.core.losses import LossTerm
from infsplign.core.object_attention import ObjectAttention, check_fits
from infsplign.core.scene_arrays import SceneArrays
from infsplign.core.statistics import EPSILON


def superiority_loss(objects: ObjectAttention, scene: SceneArrays) -> Array:
    """Asks that any point of the first object lies on its side of any point of the second: `L = mean_r (1 - P(X_first < X_second))`.

    Maps, divided by their mass, are densities that are constant within a cell, so that two points of one column are in either order with
    the same probability: `P = sum_j p_second(j) (sum_{i < j} p_first(i) + p_first(j) / 2)`, from marginals and cumulative sums.
    "above" takes y, the opposite relations the opposite order, and a diagonal the mean of its two axes.
    Unlike a gap of centroids, this measures overlap, and has no gradient once the objects are apart.

    Args:
        objects: statistics of the maps.
        scene: relations of each row; those without a direction ("near"), and places of one object, are left out of the mean.

    Returns:
        (B,), in [0, 1]: 0 where all relations hold wholly, 0.5 for equal or empty maps; 0 for a row without relations of direction.
    """
    check_fits(objects, scene)
    xp = array_namespace(objects.maps)
    share = objects.maps / xp.maximum(objects.mass, xp.full_like(objects.mass, EPSILON))[:, :, None, None]
    edges = scene.difference
    first, second = (xp.where(edges * sign > 0, edges * sign, xp.zeros_like(edges)) for sign in (-1.0, 1.0))  # (B, R, O)
    order = xp.stack([_order(first @ xp.sum(share, axis=axis), second @ xp.sum(share, axis=axis)) for axis in (-2, -1)], axis=-1)
    steps = xp.sum(xp.abs(scene.direction), axis=-1)  # (B, R)
    counts = (steps > 0) & (xp.sum(first, axis=-1) > 0) & (xp.sum(second, axis=-1) > 0)
    weight = xp.where(counts, scene.relation_weight, xp.zeros_like(scene.relation_weight))
    held = xp.sum(scene.direction * order, axis=-1) / xp.where(counts, steps, xp.ones_like(steps))
    total = xp.sum(weight, axis=-1)
    return xp.sum(weight * 0.5 * (1.0 - held), axis=-1) / xp.where(total > 0, total, xp.ones_like(total))


def _order(first: Array, second: Array) -> Array:
    """`P(X_first < X_second) - P(X_first > X_second)` of densities (B, R, n) along their last axis; 0 where one is empty."""
    xp = array_namespace(first)
    below = xp.cumulative_sum(first, axis=-1)  # up to and with each cell
    return xp.sum(second * (2.0 * below - first - below[..., -1:]), axis=-1)


def superiority(weight: float = 1.0, *, levels: Sequence[str] = ()) -> LossTerm:
    """`superiority_loss` as a term of all layers."""
    return LossTerm("superiority", superiority_loss, weight, tuple(levels), rowwise=True)
