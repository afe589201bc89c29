"""Object maps with their statistics, for all recorded layers of one pass: the input of the losses.

Layers of the same grid and level are computed as one batch. On a GPU, kernel launches dominate the cost after the maps. With batches, their
number depends on the kinds of layers and not on their count.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from array_api_compat import array_namespace

from infsplign.core import statistics
from infsplign.core._namespace import Array, at_least_float32, device_of
from infsplign.core.attention import Attention, check_level, resized
from infsplign.core.scene_arrays import SceneArrays, repeated


class ObjectAttention(NamedTuple):
    """Object maps of one layer with the statistics that terms read.

    Attributes:
        maps: (B, O, H, W).
        mass: (B, O).
        centroid: (B, O, 2), x then y in [0, 1].
        variance: (B, O).
    """

    maps: Array
    mass: Array
    centroid: Array
    variance: Array


def observe(maps: Array) -> ObjectAttention:
    """Computes the statistics of `maps` (B, O, H, W) once, for all terms; in float32 for half-precision maps."""
    if not hasattr(maps, "ndim"):
        raise TypeError(f"`maps` must be an array (batch, objects, height, width), got {type(maps).__name__}")
    if maps.ndim != 4:
        raise ValueError(f"`maps` must have shape (batch, objects, height, width), got {tuple(maps.shape)}")
    maps = at_least_float32(maps)
    return ObjectAttention(maps, *statistics.moments(maps))


def check_fits(objects: ObjectAttention, scene: SceneArrays) -> None:
    """Raises ValueError unless a scene has the objects of the maps, and their rows or one for all: other numbers of 1 would be spread.

    Args:
        objects: statistics of the maps.
        scene: from `scene_arrays`.
    """
    *rows, count = objects.maps.shape[:-2]
    *asked, wanted = scene.present.shape
    if count != wanted or any(there != told and 1 not in (there, told) for there, told in zip(rows, asked, strict=False)):
        raise ValueError(
            f"`scene` must have the rows and the objects of the maps, {(*rows, count)}, got {(*asked, wanted)}: one map for each object "
            "of `Scene.objects`, in their order"
        )


class LayerGroup(NamedTuple):
    """Layers of one grid and level, measured as one batch.

    Attributes:
        level: of all of them.
        indices: of each among the recorded layers.
        objects: of L layers, (L B, ...): the rows of the first, then of the second, ...
        scene: of each of these rows, or one for all.
    """

    level: str
    indices: tuple[int, ...]
    objects: ObjectAttention
    scene: SceneArrays

    def each(self) -> list[ObjectAttention]:
        """The layers one at a time."""
        rows = self.objects.maps.shape[0] // len(self.indices)
        return [ObjectAttention(*(x[i * rows : (i + 1) * rows, ...] for x in self.objects)) for i in range(len(self.indices))]

    def summed(self, values: Array) -> Array:
        """Values of each row, (L B, ...), summed over the layers: (B, ...)."""
        xp, layers = array_namespace(values), len(self.indices)
        return values if layers == 1 else xp.sum(xp.reshape(values, (layers, -1, *values.shape[1:])), axis=0)


class Layers(NamedTuple):
    """The layers of one pass.

    Attributes:
        groups: the layers, by grid and level.
        scene: of each row, or one for all.
    """

    groups: tuple[LayerGroup, ...]
    scene: SceneArrays

    @property
    def number(self) -> int:
        """How many layers there are."""
        return sum(len(group.indices) for group in self.groups)

    @property
    def maps(self) -> tuple[Array, ...]:
        """The maps of each layer, (B, O, H, W), in the order of recording."""
        found = {}
        for group in self.groups:
            found |= {index: objects.maps for index, objects in zip(group.indices, group.each(), strict=True)}
        return tuple(found[index] for index in sorted(found))

    def mean(self, measure: Callable[[LayerGroup], Array]) -> Array:
        """What `measure` finds of each group's rows, (L B, ...), averaged over all layers: (B, ...)."""
        each = [group.summed(measure(group)) for group in self.groups]
        return sum(each[1:], each[0]) / self.number


def observe_layers(attention: Sequence[Attention], weights: Array, scene: SceneArrays, *, resize: int | None = None) -> Layers:
    """Makes the object maps of recorded attention and measures them.

    Args:
        attention: one entry a tapped layer.
        weights: (B, T, O) from `token_weights`.
        scene: from `scene_arrays`.
        resize: cells that the shorter side of every map is resized to first, see `core.attention.resize`; None leaves maps as they are.

    Raises:
        ValueError: no layer, or one of an unknown level; a scene of other rows or objects.
    """
    if not attention:
        raise ValueError("`attention` must hold at least one layer, got none")
    for layer in attention:
        check_level(layer.level, "attention")
    alike: dict[tuple, list[tuple[int, Array]]] = {}
    for index, layer in enumerate(attention):
        maps = layer.object_maps(weights)
        maps = maps if resize is None else resized(maps, resize)
        alike.setdefault((layer.level, *maps.shape, maps.dtype, str(device_of(maps))), []).append((index, maps))
    groups = []
    for (level, *_), members in alike.items():
        indices, maps = zip(*members, strict=True)
        together = maps[0] if len(maps) == 1 else array_namespace(*maps).concat(maps, axis=0)
        shared = scene.present.shape[0] == 1  # one scene for all rows
        groups.append(LayerGroup(level, indices, observe(together), scene if shared else repeated(scene, len(maps))))
        check_fits(groups[-1].objects, groups[-1].scene)
    return Layers(tuple(groups), scene)
