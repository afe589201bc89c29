"""Computes how well each relation holds, as a gap in widths of the image, and the loss that increases this gap.

With A, B, C the first, second and third object, c their centroids, d = c(B) - c(A), and max |d| the larger of |d_x| and |d_y|:

    ordered    min over the axes that `direction` u orders of u d             left of, above, upper left of, ...
    side       min over these axes of u (1/2 - c(A)) - 1/6                    on the left side, in the top right corner, ...
    centre     1/6 - max |c(A) - 1/2|                                         in the centre
    near       min(CLOSE - min |d|, FAR - max |d|, max |d| - MERGED)          near, next to, beside, ...
    far        max |d| - FAR                                                  far from
    on top     min(d_y - E/4, 3/2 E - d_y, E/2 - |d_x|), E = e(A) + e(B)      on top of
    inside     e(B) - e(A) - ||d||                                            inside
    between    ||c(C) - c(B)|| / 3 - ||c(A) - (c(B) + c(C)) / 2||             between
    larger     e(A) - e(B); "smaller" is e(B) - e(A)                          larger than

`ordered` reads the maps as they are (arXiv 2512.17851, section 3). All other equations need distances and sizes. Most of an
attention map's mass is an even background, which moves every centroid to the middle. So these equations read `sharpened` maps. The
extent e = sqrt(variance) of an even disc is 0.71 of its radius.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from infsplign.core import statistics
from infsplign.core._namespace import Array
from infsplign.core.object_attention import ObjectAttention, check_fits
from infsplign.core.penalties import Penalty, gelu
from infsplign.core.relations import CLOSE, FAR, HALF_CELL, MERGED
from infsplign.core.scene_arrays import SceneArrays


class Geometry(NamedTuple):
    """The inputs of the equations, for each relation.

    Attributes:
        along: (B, R, 2), direction times difference of the centroids of the maps as they are.
        direction: (B, R, 2).
        a, b, c: (B, R, 2), centroids of the sharpened maps; 0 where the relation has no such object. None if only `ordered` is used.
        size_a, size_b: (B, R), extents of the sharpened maps; None if no equation of `SIZED` is used.
    """

    along: Array
    direction: Array
    a: Array
    b: Array
    c: Array
    size_a: Array
    size_b: Array


def gaps(objects: ObjectAttention, scene: SceneArrays) -> Array:
    """Computes the gap of every relation, (B, R), in widths of the image: >= 0 exactly where it holds, larger is better; 0 where padded."""
    check_fits(objects, scene)
    if unknown := [name for name in scene.equation if name not in EQUATIONS]:
        raise ValueError(f"`equation` of a relation must be one of {', '.join(EQUATIONS)}, got {unknown[0]!r}")
    geometry = _geometry(objects, scene)
    found = [EQUATIONS[name](geometry) * asked for name, asked in scene.equation.items()]
    return sum(found[1:], found[0]) if found else geometry.along[..., 0]  # 0 without relations


def _geometry(objects: ObjectAttention, scene: SceneArrays) -> Geometry:
    """Computes only what the scene's equations need: on a GPU each small operation costs a kernel launch for each layer and step."""
    nothing: Any = None
    along, asked = (scene.difference @ objects.centroid) * scene.direction, set(scene.equation)
    if asked <= {"ordered"}:
        return Geometry(along, scene.direction, nothing, nothing, nothing, nothing, nothing)
    sharp = statistics.sharpened(objects.maps)
    centroids = statistics.centroid(sharp)
    roles = [scene.roles[:, role, ...] for role in range(3)]  # each (B, R, O)
    sizes = [nothing, nothing]
    if asked & SIZED:
        extents = statistics.extent(statistics.variance(sharp, centroids))[..., None]
        sizes = [(role @ extents)[..., 0] for role in roles[:2]]
    return Geometry(along, scene.direction, *(role @ centroids for role in roles), *sizes)


def spatial_loss(
    objects: ObjectAttention, scene: SceneArrays, *, alpha: float = 0.75, margin: float = 0.25, penalty: Penalty = gelu
) -> Array:
    """Computes the spatial loss, with a margin for each relation: `L_s = mean_r penalty(alpha * (margin_r - gap_r))`.

    Args:
        objects: statistics of the maps.
        scene: relations of each row.
        alpha: slope of the penalty's argument.
        margin: required gap, in widths or heights of the image, for relations whose objects may be a whole image apart. Other
            relations require a part of it, `margin_r = margin * relation.margin`.
        penalty: cost of a violated margin.

    Returns:
        (B,); 0 for a row without relations.

    Raises:
        ValueError: `penalty` does not give one cost for each relation; another shape would mix rows without an error.
    """
    xp = array_namespace(objects.maps)
    short = alpha * (margin * scene.margin - gaps(objects, scene))  # (B, R)
    cost = penalty(short)
    if getattr(cost, "shape", None) != short.shape:
        found = tuple(getattr(cost, "shape", ()))
        raise ValueError(
            f"`penalty` must give one cost for each relation, shape {tuple(short.shape)}, got {found}; leave out means and sums, such as "
            'by `reduction="none"`'
        )
    return xp.sum(cost * scene.relation_weight, axis=-1)


def holds(objects: ObjectAttention, scene: SceneArrays, *, slack: float = 0.0) -> Array:
    """Tells which relations hold: `gap >= -slack`, (B, R) booleans, True where padded.

    A relation does not hold if the map of one of its objects is empty: its centroid, in the middle, has no meaning.

    Args:
        objects: statistics of the maps.
        scene: relations of each row.
        slack: tolerance, in widths of the image; a negative value requires an additional gap.
    """
    return ((gaps(objects, scene) >= -slack) & seen(objects, scene)) | (scene.relation_weight == 0)


def seen(objects: ObjectAttention, scene: SceneArrays) -> Array:
    """Tells for which relations no object has an empty map, (B, R) booleans, True where padded."""
    xp = array_namespace(objects.mass)
    empty = xp.astype(objects.mass <= statistics.EPSILON, scene.roles.dtype)  # (B, O)
    return xp.sum(scene.roles @ empty[:, None, :, None], axis=(1, 3)) == 0


def ordered(g: Geometry) -> Array:
    """The least of the gaps along the axes that the direction orders, so that a diagonal holds where both axes do."""
    return _least_asked(g.along, g.direction)


def side(g: Geometry) -> Array:
    """How far within the outer third of the picture A's centroid lies, for a corner on the worse of both axes."""
    return _least_asked(g.direction * (0.5 - g.a), g.direction) - HALF_CELL


def centre(g: Geometry) -> Array:
    """How far within the middle one of nine equal parts A's centroid lies."""
    return HALF_CELL - _larger_part(g.a - 0.5)


def near(g: Geometry) -> Array:
    """Close on one axis, not far on the other, and not merged: distant objects are moved together, merged ones apart."""
    xp = array_namespace(g.a)
    most, least = _larger_part(g.b - g.a), xp.min(xp.abs(g.b - g.a), axis=-1)
    return xp.minimum(xp.minimum(CLOSE - least, FAR - most), most - MERGED)


def far(g: Geometry) -> Array:
    """At least half the image apart, on one axis or the other."""
    return _larger_part(g.b - g.a) - FAR


def on_top(g: Geometry) -> Array:
    """Above and touching: B's centroid below A's by the extent of both, give or take, and A's within B's column."""
    xp = array_namespace(g.a)
    both = g.size_a + g.size_b
    across, down = g.b[..., 0] - g.a[..., 0], g.b[..., 1] - g.a[..., 1]
    return xp.minimum(xp.minimum(down - both / 4, 1.5 * both - down), both / 2 - xp.abs(across))


def inside(g: Geometry) -> Array:
    """A's extent about its centroid lies within B's."""
    return g.size_b - g.size_a - _length(g.b - g.a)


def between(g: Geometry) -> Array:
    """A lies on the segment from B to C, apart from both: within a third of its length from its middle."""
    return _length(g.c - g.b) / 3 - _length(g.a - (g.b + g.c) / 2)


def larger(g: Geometry) -> Array:
    """A's extent exceeds B's."""
    return g.size_a - g.size_b


def smaller(g: Geometry) -> Array:
    """B's extent exceeds A's."""
    return g.size_b - g.size_a


EQUATIONS: dict[str, Callable[[Geometry], Array]] = {
    "ordered": ordered,
    "side": side,
    "centre": centre,
    "near": near,
    "far": far,
    "on top": on_top,
    "inside": inside,
    "between": between,
    "larger": larger,
    "smaller": smaller,
}
"""By the name that `Relation.equation` gives."""
SIZED = {"on top", "inside", "larger", "smaller"}
"""Equations that read extents."""


def _least_asked(along: Array, direction: Array) -> Array:
    """The least part of `along` (B, R, 2) among the axes on which `direction` is not 0."""
    xp = array_namespace(along)
    return xp.min(xp.where(direction == 0, xp.full_like(along, 2.0), along), axis=-1)


def _larger_part(d: Array) -> Array:
    """`max |d|`, the larger of |d_x| and |d_y|."""
    xp = array_namespace(d)
    return xp.max(xp.abs(d), axis=-1)


def _length(d: Array) -> Array:
    """The length of `d` (..., 2); at 0 its gradient is 0."""
    xp = array_namespace(d)
    squared = xp.sum(d * d, axis=-1)
    there = squared > 0
    return xp.where(there, xp.sqrt(xp.where(there, squared, xp.ones_like(squared))), xp.zeros_like(squared))
