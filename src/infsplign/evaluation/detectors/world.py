"""The detector of the shapes world behind the common protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from infsplign.detection import Detection
from infsplign.evaluation.fingerprint import sources
from infsplign.shapes import blobs, detector, nouns


class World:
    """Finds every blob in a noun's colours, whatever is asked for and however badly it is drawn: `strict` and `doubled` need them all."""

    def settings(self) -> Mapping[str, Any]:
        version = sources(blobs, detector, nouns)
        return {"name": "world", "model": detector.__name__, "weights": version, "min_area": detector.MIN_AREA, "threshold": 0.0}

    def detect(self, images: Sequence[Image.Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        return [[Detection(blob.name, blob.score, blob.box) for blob in detector.detect(image)] for image in images]
