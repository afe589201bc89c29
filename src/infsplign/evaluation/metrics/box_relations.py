"""Whether each relation of a scene holds among boxes: each box becomes a uniform map, and the equations of `core.spatial` read the maps.

VISOR and its kin judge the four directions by centres. What is near, inside, between, in a corner or larger needs more than centres, and is
judged here as guidance itself understands it.
"""

from collections.abc import Mapping

import numpy as np

from infsplign.core.object_attention import observe
from infsplign.core.scene_arrays import scene_arrays
from infsplign.core.scenes import Scene
from infsplign.core.spatial import holds
from infsplign.detection import Box

GRID = 96
LEAST = 2e-3
"""Least gap that counts, in widths of the image: one pixel of 512. A tie is no relation in either direction."""


def relations_hold(boxes: Mapping[str, Box], size: tuple[int, int], scene: Scene) -> list[bool]:
    """Tells for each relation of `scene` whether it holds.

    Args:
        boxes: object to its box, in pixels; an object that is not there makes its relations fail.
        size: (width, height) of the image in pixels.
        scene: what was asked for, objects named as in `boxes`.

    >>> scene = Scene.of([("star", "between", ("moon", "heart")), ("star", "in the centre")])
    >>> relations_hold({"moon": (0, 40, 20, 60), "star": (40, 40, 60, 60), "heart": (80, 40, 100, 60)}, (100, 100), scene)
    [True, True]
    """
    maps = np.stack([_painted(boxes.get(name), size) for name in scene.objects])[None]  # (1, O, H, W)
    found = holds(observe(maps), scene_arrays([scene], xp=np), slack=-LEAST)[0]
    there = [all(scene.objects[number] in boxes for number in edge.objects) for edge in scene.relations]
    return [bool(is_so) and seen for is_so, seen in zip(found, there, strict=False)]


def _painted(box: Box | None, size: tuple[int, int]) -> np.ndarray:
    """(GRID, GRID): the part of each cell that the box covers; a box is at least as large as a cell. Empty without a box."""
    if box is None:
        return np.zeros((GRID, GRID))
    x0, y0, x1, y1 = (float(np.clip(v / full, 0, 1)) * GRID for v, full in zip(box, (*size, *size), strict=True))
    return np.outer(_covered(y0, y1), _covered(x0, x1))


def _covered(low: float, high: float) -> np.ndarray:
    """(GRID,): the part of each cell of an axis that lies between `low` and `high`, which are counted in cells."""
    low, cells = min(low, GRID - 1), np.arange(GRID)
    return np.clip(np.minimum(max(high, low + 1), cells + 1) - np.maximum(low, cells), 0.0, 1.0)
