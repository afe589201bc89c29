"""The detector of a shipped model's world behind the common protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from infsplign.detection import Detection
from infsplign.evaluation.fingerprint import sources
from infsplign.shipped.worlds import world


class WorldDetector:
    """Finds every object of a world, whatever is asked for and however badly it is drawn: `strict` and `doubled` need them all.

    Args:
        name: of the world.
    """

    def __init__(self, name: str) -> None:
        self.world = world(name)

    def settings(self) -> Mapping[str, Any]:
        return {"name": "world", "model": self.world.name, "weights": sources(*self.world.sources), "threshold": self.world.seen}

    def detect(self, images: Sequence[Image.Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        return self.world.detect(images)
