"""Layout guidance: an object's attention lies in its box. Source: arXiv 2304.03373, backward guidance."""

from collections.abc import Sequence

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, device_of
from infsplign.core.losses import LossTerm, WithOptions
from infsplign.core.object_attention import ObjectAttention, check_fits
from infsplign.core.scene_arrays import SceneArrays
from infsplign.core.statistics import EPSILON

WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The whole picture: a box without effect."""


def boxes_loss(objects: ObjectAttention, scene: SceneArrays, *, boxes: Array) -> Array:
    """Asks for the mass inside the boxes: `L = mean_o (1 - sum_{in box} A_o / sum A_o)^2`.

    A cell counts by the fraction that its box covers, so boxes need not end at cell borders. Cells tile the picture, cell i of n
    from `i / n` to `(i + 1) / n`. (Centroids use other coordinates: there the middles of the outer cells lie on the border.)

    Args:
        objects: statistics of the maps.
        scene: which objects are present.
        boxes: (P, O, 4) in fractions of the picture, `x0, y0, x1, y1` with the origin at the upper left, as an array like the
            maps or as nested lists. P divides the batch: row r has the boxes of prompt `r // (B / P)`.

    Returns:
        (B,), in [0, 1]; an empty map counts 1.

    Raises:
        ValueError: `boxes` fit neither the rows nor the objects.
    """
    check_fits(objects, scene)
    xp = array_namespace(objects.maps)
    batch, count, height, width = objects.maps.shape
    if not hasattr(boxes, "shape"):
        boxes = xp.asarray(boxes, dtype=objects.maps.dtype, device=device_of(objects.maps))
    if boxes.ndim != 3 or tuple(boxes.shape[1:]) != (count, 4) or boxes.shape[0] < 1 or batch % boxes.shape[0]:
        raise ValueError(f"`boxes` must have shape (a divisor of {batch}, {count}, 4), got {tuple(boxes.shape)}")
    prompts = boxes.shape[0]
    each = xp.broadcast_to(boxes[:, None, :, :], (prompts, batch // prompts, count, 4))
    each = xp.reshape(each, (batch, count, 4))
    x, y = _covered(each[..., 0:1], each[..., 2:3], width), _covered(each[..., 1:2], each[..., 3:4], height)
    inside = xp.sum(xp.sum(objects.maps * x[:, :, None, :], axis=-1) * y, axis=-1)
    part = inside / xp.maximum(objects.mass, xp.full_like(objects.mass, EPSILON))
    return xp.sum((1.0 - part) ** 2 * scene.present, axis=-1) / xp.sum(scene.present, axis=-1)


def _covered(low: Array, high: Array, n: int) -> Array:
    """The part of each of n cells that lies between `low` and `high` (..., 1): (..., n)."""
    xp = array_namespace(low)
    edges = xp.asarray([float(i) for i in range(n)], dtype=low.dtype, device=device_of(low))
    return xp.clip(xp.minimum(high * n, edges + 1.0) - xp.maximum(low * n, edges), 0.0, 1.0)


def relation_boxes(scene: SceneArrays) -> Array:
    """Makes boxes from relations of direction, (B, O, 4): "A left of B" gives A the left half and B the right half.

    On each axis an object has a place between -1 and 1: the mean of the sides that its relations ask for. It gets the half of the axis
    that is centred there, so with "A left of B, B left of C", B gets the middle half. An axis without a relation stays whole. A box asks
    for more than its relation, and the second and third of four objects in a row get the same box. Use this to compare methods; give your
    own boxes where you can.
    """
    xp = array_namespace(scene.difference)
    asked = scene.difference[..., None] * scene.direction[:, :, None, :]  # (B, R, O, 2): +1 for the object on the far side
    much = xp.sum(xp.abs(asked), axis=1)
    free = much == 0
    place = xp.sum(asked, axis=1) / xp.where(free, xp.ones_like(much), much)  # (B, O, 2)
    low = xp.where(free, xp.zeros_like(place), 0.25 + 0.25 * place)
    high = xp.where(free, xp.ones_like(place), 0.75 + 0.25 * place)
    return xp.concat((low, high), axis=-1)


def layout_loss(objects: ObjectAttention, scene: SceneArrays) -> Array:
    """`boxes_loss` with the boxes of `relation_boxes`. Returns (B,); 0 for a row without relations of direction."""
    return boxes_loss(objects, scene, boxes=relation_boxes(scene))


def boxes(boxes: Sequence[Sequence[Sequence[float]]], weight: float = 1.0, *, levels: Sequence[str] = ()) -> LossTerm:
    """`boxes_loss` as a term of all layers, for boxes of your own.

    Args:
        boxes: for each prompt, for each object of its scene, `(x0, y0, x1, y1)`, or None where it may be anywhere. Prompts with fewer
            objects than others are filled up. Those of one prompt serve every prompt of a batch.
        weight, levels: as in `LossTerm`.

    Raises:
        ValueError: a box that is empty or not within the picture.

    >>> boxes([[(0, 0, 0.5, 1), None]]).name
    'boxes'
    """
    if len(boxes) == 0:
        raise ValueError("`boxes` must hold at least one prompt, got none")
    wide = max(len(prompt) for prompt in boxes)
    checked = tuple(tuple(_box(box) for box in (*prompt, *[None] * (wide - len(prompt)))) for prompt in boxes)
    return LossTerm("boxes", WithOptions(boxes_loss, boxes=checked), weight, tuple(levels))


def _box(box: Sequence[float] | None) -> tuple[float, ...]:
    if box is None:
        return WHOLE
    values = tuple(map(float, box)) if hasattr(box, "__len__") and not isinstance(box, str) else ()
    if len(values) != 4 or not (0 <= values[0] < values[2] <= 1 and 0 <= values[1] < values[3] <= 1):
        raise ValueError(f"`boxes` must be (x0, y0, x1, y1) with 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1, got {box!r}")
    return values


def layout(weight: float = 1.0, *, levels: Sequence[str] = ()) -> LossTerm:
    """`layout_loss` as a term of all layers."""
    return LossTerm("layout", layout_loss, weight, tuple(levels), rowwise=True)
