"""Traces of images whose layers read positions more or less well: what the calibration would have seen."""

from typing import Any

import numpy as np


def traces(
    skills: dict[str, float], *, images: int = 60, steps: int = 30, seed: int = 0, settle: float = 0.15, unity: float = 0.4
) -> tuple[list[Any], np.ndarray]:
    """Makes traces of images of two objects.

    Args:
        skills: layer to how well it reads, in [0, 1]: 1 sees where objects are, 0 sees noise of its own.
        images, steps, seed: as they say.
        settle: progress at which objects reach their places; before, they move there from noise.
        unity: of every map.

    Returns:
        The traces, and (I, 2), the true vectors from the first object to the second.
    """
    rng = np.random.default_rng(seed)
    where = rng.uniform(-0.6, 0.6, (images, 2))
    made: list[Any] = []
    own = {name: rng.normal(0, 0.3, (images, 2)) for name in skills}
    begin = rng.normal(0, 0.3, (images, 2))
    for image in range(images):
        trace = []
        for step in range(steps):
            progress = step / steps
            settled = min(1.0, progress / settle) if settle else 1.0
            now = settled * where[image] + (1 - settled) * begin[image]
            layers = []
            for name, skill in skills.items():
                vector = skill * now + (1 - skill) * own[name][image] + rng.normal(0, 0.01, 2)
                first, second = 0.5 - vector / 2, 0.5 + vector / 2
                look = {"centroid": [first.tolist(), second.tolist()], "mass": [0.1, 0.1], "variance": [0.02, 0.02]}
                layers.append({"layer": name, "grid": [8, 8], "unity": unity, "overlap": 0.1, "gap": [float(vector[0])], **look})
            trace.append({"progress": progress, "sigma": 1 - progress, "layers": layers})
        made.append(trace)
    return made, where
