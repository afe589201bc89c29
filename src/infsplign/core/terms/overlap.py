"""Attention segregation: two objects do not share a place. Source: A-STAR, arXiv 2306.14544."""

from collections.abc import Sequence

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, check_flag, device_of
from infsplign.core.losses import LossTerm, WithOptions
from infsplign.core.object_attention import ObjectAttention, check_fits
from infsplign.core.scene_arrays import SceneArrays
from infsplign.core.statistics import EPSILON


def overlap_loss(objects: ObjectAttention, scene: SceneArrays, *, normalised: bool = False) -> Array:
    """Asks for maps that do not overlap: `L = mean_{i<j} sum min(A_i, A_j) / sum (A_i + A_j)`.

    The published loss is the sum over pairs. Their mean is the same for two objects, and does not grow with more. The minimum, as
    published, is 0 only where one of the two maps is 0. A product would prefer maps that are spread out.

    Args:
        objects: statistics of the maps.
        scene: which objects are present.
        normalised: divide each map by its mass first, which gives half of one minus their total variation distance. As published
            (False) the loss also falls when one of the objects fades. Normalised, it falls only when they separate.

    Returns:
        (B,), in [0, 0.5]: 0.5 for equal maps; 0 for a single object. Memory grows with the square of the number of objects.
    """
    check_fits(objects, scene)
    check_flag(normalised, "normalised")
    xp = array_namespace(objects.maps)
    maps, mass = objects.maps, objects.mass
    if normalised:
        divisor = xp.maximum(mass, xp.full_like(mass, EPSILON))
        maps, mass = maps / divisor[:, :, None, None], mass / divisor
    shared = xp.sum(xp.minimum(maps[:, :, None, :, :], maps[:, None, :, :, :]), axis=(-2, -1))  # (B, O, O)
    both = mass[:, :, None] + mass[:, None, :]
    present, itself = scene.present, xp.eye(mass.shape[1], dtype=mass.dtype, device=device_of(mass))
    pairs = present[:, :, None] * present[:, None, :] * (1.0 - itself)
    count = xp.sum(pairs, axis=(-2, -1))
    part = shared / xp.maximum(both, xp.full_like(both, EPSILON))
    return xp.sum(part * pairs, axis=(-2, -1)) / xp.maximum(count, xp.ones_like(count))


def overlap(weight: float = 1.0, *, normalised: bool = False, levels: Sequence[str] = ()) -> LossTerm:
    """`overlap_loss` as a term of all layers.

    Raises:
        TypeError: `normalised` is neither True nor False.
    """
    check_flag(normalised, "normalised")
    return LossTerm("overlap", WithOptions(overlap_loss, normalised=normalised), weight, tuple(levels), rowwise=True)
