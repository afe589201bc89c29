"""The protocol of a detector: one method that finds names in images, and the settings that a report names."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from PIL import Image

from infsplign.detection import Detection


class ImageDetections(NamedTuple):
    """What was found in one image of `size` (width, height) in pixels, best score first."""

    size: tuple[int, int]
    detections: tuple[Detection, ...]


class Detector(Protocol):
    """Finds named objects in images."""

    def detect(self, images: Sequence[Image.Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """Looks in each image for its names; best score first, boxes in pixels of the image."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """All that decides what is found, as JSON: name, model, version, threshold."""
        ...


def best_first(detections: Sequence[Detection]) -> list[Detection]:
    """Detections with the highest score first, equal ones in the order given."""
    return sorted(detections, key=lambda found: -found.score)
