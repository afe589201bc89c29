"""The looks of a run as arrays: for each step, layer and pair of objects, where they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Readings:
    """What S steps, L layers and I images showed; N pairs of objects of all images together.

    Attributes:
        layers: names, in the order in which they run.
        grids: (H, W) of each.
        progress: (S,), in [0, 1).
        sigma: (S,), of `x_t = alpha x_0 + sigma eps`; nan if it is not known.
        between: (S, L, N, 2), centroid of the second object minus that of the first, x then y, in widths of the image.
        unity, overlap: (S, L, I), see `infsplign.pipelines.watching.LayerLook`.
        mass, variance: (S, L, I), averaged over the objects of an image.
        widest: (S, L, I), the variance of the object whose map is spread most.
        gap: (S, L, I), the least of the image's relations.
    """

    layers: tuple[str, ...]
    grids: tuple[tuple[int, int], ...]
    progress: Numbers
    sigma: Numbers
    between: Numbers
    unity: Numbers
    overlap: Numbers
    mass: Numbers
    variance: Numbers
    widest: Numbers
    gap: Numbers

    @classmethod
    def of(cls, traces: Sequence[Any]) -> "Readings":
        """Stacks the traces of images, as `sampling.of_images` makes them. All have the same steps and layers.

        Raises:
            ValueError: no image, or one with other steps or layers.
        """
        if not traces or not traces[0] or not traces[0][0]["layers"]:
            raise ValueError("`traces` must hold at least one image with a step and a layer that was looked at")
        kinds = {(tuple(step["progress"] for step in t), tuple(layer["layer"] for step in t for layer in step["layers"])) for t in traces}
        if len(kinds) > 1:
            raise ValueError("`traces` must have the same steps and layers for each image")
        first = traces[0]
        seen = [[[trace[s]["layers"][k] for trace in traces] for k in range(len(first[0]["layers"]))] for s in range(len(first))]

        def stacked(name: str, reduce: Any) -> Numbers:
            return np.array([[[reduce(np.array(image[name], float)) for image in layer] for layer in step] for step in seen])

        return cls(
            layers=tuple(layer["layer"] for layer in first[0]["layers"]),
            grids=tuple((int(layer["grid"][0]), int(layer["grid"][1])) for layer in first[0]["layers"]),
            progress=np.array([step["progress"] for step in first], float),
            sigma=np.array([np.nan if step["sigma"] is None else step["sigma"] for step in first], float),
            between=np.array([[np.concatenate([_pairs(image["centroid"]) for image in layer]) for layer in step] for step in seen]),
            unity=stacked("unity", float),
            overlap=stacked("overlap", float),
            mass=stacked("mass", np.mean),
            variance=stacked("variance", np.mean),
            widest=stacked("variance", np.max),
            gap=stacked("gap", np.min),
        )

    def part(self, start: float, stop: float = 1.0) -> NDArray[np.bool_]:
        """(S,), the steps with `start <= progress < stop`; the nearest one if there is none."""
        found = (self.progress >= start) & (self.progress < stop)
        return found if found.any() else np.arange(len(self.progress)) == np.argmin(np.abs(self.progress - start))


def _pairs(centroids: Any) -> Numbers:
    """Differences of the centroids of all pairs of an image's objects: (pairs, 2)."""
    found = np.array(centroids, float)
    return np.array([found[j] - found[i] for i in range(len(found)) for j in range(i + 1, len(found))])
