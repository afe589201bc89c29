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
    found = holds(observe(maps), scene_arrays([scene], xp=np))[0]
    there = [all(scene.objects[number] in boxes for number in edge.objects) for edge in scene.relations]
    return [bool(is_so) and seen for is_so, seen in zip(found, there, strict=False)]


def _painted(box: Box | None, size: tuple[int, int]) -> np.ndarray:
    """(GRID, GRID): 1 in the box, at least one cell of it; empty without a box."""
    canvas = np.zeros((GRID, GRID))
    if box is None:
        return canvas
    x0, y0, x1, y1 = (round(float(np.clip(v / full, 0, 1)) * GRID) for v, full in zip(box, (*size, *size), strict=True))
    x0, y0 = min(x0, GRID - 1), min(y0, GRID - 1)
    canvas[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 1.0
    return canvas
