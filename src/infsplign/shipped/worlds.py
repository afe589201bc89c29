"""What the shipped models draw: for each world its nouns, and a detector that knows them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from PIL import Image

from infsplign.detection import Detection
from infsplign.shipped.loading import INSTALL
from infsplign.shipped.presets import DEFAULT, PRESETS

WORLDS = ("shapes", "pictures")


@dataclass(frozen=True)
class World:
    """A world of images whose objects can all be found.

    Attributes:
        name: one of `WORLDS`.
        nouns: what its prompts may name.
        detect: function from images to all that is in each, malformed and doubled objects too.
        min_score: least score of an object that is well drawn.
        sources: modules and weights that decide what is detected, for the records of a run.
        seen: score above which `detect` finds anything at all.
    """

    name: str
    nouns: tuple[str, ...]
    detect: Callable[[Sequence[Image.Image]], list[list[Detection]]]
    min_score: float
    sources: tuple[ModuleType | Path, ...]
    seen: float = 0.0


@cache
def world(name: str) -> World:
    """Returns a world by name.

    Raises:
        ValueError: no such world, or it belongs to the package `infsplign-models`, which is not installed.
    """
    if name == "shapes":
        return _shapes()
    if name == "pictures":
        return _pictures()
    raise ValueError(f"`world` must be one of {', '.join(WORLDS)}, got {name!r}")


def world_of(names: Iterable[str]) -> str:
    """Returns the name of the world that knows most of these objects; of equals the default model's.

    Only worlds whose detector is installed are asked.
    """
    listed = list(names)
    own = PRESETS[DEFAULT].world
    known = {name: found for name in sorted(WORLDS, key=lambda name: name != own) if (found := _installed(name))}
    return max(known, key=lambda name: sum(each in known[name].nouns for each in listed))


def _installed(name: str) -> World | None:
    try:
        return world(name)
    except ValueError:
        return None


def article(noun: str) -> str:
    """Returns "a" or "an".

    >>> article("orange")
    'an'
    """
    return "an" if noun[0] in "aeiou" else "a"


def _shapes() -> World:
    from infsplign.shapes import blobs, detector, nouns

    def detect(images: Sequence[Image.Image]) -> list[list[Detection]]:
        return [[Detection(blob.name, blob.score, blob.box) for blob in detector.detect(image)] for image in images]

    return World("shapes", nouns.NAMES, detect, detector.MIN_SCORE, (blobs, detector, nouns))


def _pictures() -> World:
    try:
        from infsplign_models.world import detector, nouns
    except ModuleNotFoundError as error:
        raise ValueError(f"the world of pictures is in the package `infsplign-models`: {INSTALL}") from error

    def detect(images: Sequence[Image.Image]) -> list[list[Detection]]:
        found = detector.detect(images, min_score=detector.SEEN)
        return [[Detection(name, score, (box[0], box[1], box[2], box[3])) for name, score, box in row] for row in found]

    return World("pictures", nouns.NAMES, detect, detector.MIN_SCORE, (detector, nouns, detector.WEIGHTS), detector.SEEN)
