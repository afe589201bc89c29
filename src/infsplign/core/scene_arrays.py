"""Scenes of a batch as arrays: the other input of the losses."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, floating_dtype
from infsplign.core.scenes import Scene


class SceneArrays(NamedTuple):
    """Scenes of a batch as arrays, padded to the row with the most relations and objects. All are 0 where padded.

    Attributes:
        difference: (B, R, O), -1 at the first object of a relation, +1 at the second, so that
            `difference @ centroids` is `centroid(second) - centroid(first)`; nothing at the third object of "between".
        direction: (B, R, 2), where the second object lies as seen from the first, each part -1, 0 or 1; see `Relation`.
        relation_weight: (B, R), 1 / number of the row's relations; 0 where padded.
        present: (B, O), 1 for an object of the row, 0 where padded.
        roles: (B, 3, R, O), 1 at the first, second and third object of each relation; `roles[:, 0] @ centroids` are the first
            objects' centroids.
        equation: for each equation of `core.spatial.EQUATIONS` that a relation of the batch has, (B, R), 1 at the relations that have it.
        margin: (B, R), factor of the relation on the margin of the spatial loss.
    """

    difference: Array
    direction: Array
    relation_weight: Array
    present: Array
    roles: Array
    equation: dict[str, Array]
    margin: Array


def scene_arrays(scenes: Sequence[Scene], *, xp, dtype=None, device=None) -> SceneArrays:
    """Packs one scene a row into arrays.

    Args:
        scenes: B scenes; they may differ in their objects and relations.
        xp: array namespace to build in, such as `numpy` or `array_api_compat.torch`.
        dtype: real floating type; float64 when None.
        device: device of the new arrays.

    Raises:
        ValueError: no scene.
        TypeError: `dtype` holds no fractions.
    """
    if not scenes:
        raise ValueError("`scenes` must hold at least one scene, got none")
    rows = len(scenes)
    most = max(1, *(len(scene.relations) for scene in scenes))
    wide = max(len(scene.objects) for scene in scenes)
    arrays = SceneArrays(
        difference=_zeros(rows, most, wide),
        direction=_zeros(rows, most, 2),
        relation_weight=_zeros(rows, most),
        present=[[float(o < len(scene.objects)) for o in range(wide)] for scene in scenes],
        roles=_zeros(rows, 3, most, wide),
        equation={name: _zeros(rows, most) for name in sorted({edge.relation.equation for scene in scenes for edge in scene.relations})},
        margin=_zeros(rows, most),
    )
    for row, scene in enumerate(scenes):
        for number in range(len(scene.relations)):
            _write(arrays, scene, row, number)

    real = floating_dtype(dtype, xp)

    def array(values: Any) -> Any:
        if isinstance(values, dict):
            return {name: array(value) for name, value in values.items()}
        return xp.asarray(values, dtype=real, device=device)

    return SceneArrays(*map(array, arrays))


def repeated(scene: SceneArrays, times: int) -> SceneArrays:
    """The rows of `scene`, `times` times one after the other."""
    if times == 1:
        return scene

    def again(values: Any) -> Any:
        if isinstance(values, dict):
            return {name: again(value) for name, value in values.items()}
        return array_namespace(values).concat([values] * times, axis=0)

    return SceneArrays(*map(again, scene))


def _write(arrays: SceneArrays, scene: Scene, row: int, number: int) -> None:
    """Fills in one relation, while the arrays are still lists."""
    edge = scene.relations[number]
    for role, place in enumerate(edge.objects):
        arrays.roles[row][role][number][place] = 1.0
    arrays.difference[row][number][edge.first] = -1.0
    if edge.second is not None:
        arrays.difference[row][number][edge.second] = 1.0
    arrays.direction[row][number] = list(edge.relation.direction)
    arrays.relation_weight[row][number] = 1.0 / len(scene.relations)
    arrays.equation[edge.relation.equation][row][number] = 1.0  # type: ignore[index]
    arrays.margin[row][number] = edge.relation.margin


def _zeros(*shape: int) -> Any:
    return 0.0 if not shape else [_zeros(*shape[1:]) for _ in range(shape[0])]
