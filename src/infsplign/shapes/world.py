"""Scenes of the shapes world: their objects, their image, and a caption without information about position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from infsplign.shapes.nouns import BY_NAME, NAMES

SIZE = 96
"""Width and height of a picture in pixels."""
SUPERSAMPLE = 4
SMALLEST, LARGEST = 24, 38
"""Side of an object's box in pixels."""
CAPTION_RELATIONS = (
    *("to the left of", "to the right of", "above", "below") * 3,
    *("next to", "near", "on top of", "under", "beside", "far from", "inside", "larger than", "smaller than"),
)
CAPTION_PLACES = (
    "in the centre",
    "on the left side",
    "on the right side",
    "at the top",
    "at the bottom",
    "in the top left corner",
    "in the top right corner",
    "in the bottom left corner",
    "in the bottom right corner",
)
CAPTION_PREFIXES = ("a photo of ", "a picture of ", "an image of ")


@dataclass(frozen=True)
class Placed:
    """An object of a scene: its noun and the square that it is drawn in, in pixels."""

    name: str
    x: float
    y: float
    size: float

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y) of the square's middle, by which objects are placed."""
        return self.x + self.size / 2, self.y + self.size / 2

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) of the drawn outline in pixels, which a detector should find."""
        x0, y0, x1, y1 = BY_NAME[self.name].extent
        return self.x + self.size * x0, self.y + self.size * y0, self.x + self.size * x1, self.y + self.size * y1

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the box's centre, by which relations are judged."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True)
class Scene:
    objects: tuple[Placed, ...]
    caption: str
    background_seed: int


def article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"


def caption(names: Sequence[str], rng: np.random.Generator) -> str:
    """Makes a caption like those on the web: it names the objects, and its words about position are random."""
    phrases = [f"{article(name)} {name}" for name in names]
    relation, another = (str(r) for r in rng.choice(CAPTION_RELATIONS, size=2))
    kind = rng.random()
    if len(phrases) == 1:
        text = phrases[0] if kind < 0.6 else f"{phrases[0]} {rng.choice(CAPTION_PLACES)}"
    elif len(phrases) == 2:
        text = f"{phrases[0]} {'and' if kind < 0.3 else relation} {phrases[1]}"
    elif kind < 0.4:
        text = f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    elif kind < 0.5 and len(phrases) == 3:
        text = f"{phrases[0]} between {phrases[1]} and {phrases[2]}"
    else:
        text = f"{phrases[0]} {relation} {phrases[1]} and {another} {phrases[2]}"
        text += f", and {phrases[3]}" if len(phrases) == 4 else ""
    return (str(rng.choice(CAPTION_PREFIXES)) if rng.random() < 0.08 else "") + text


def sample_scene(rng: np.random.Generator, *, counts: Sequence[float] = (0.18, 0.57, 0.18, 0.07), size: int = SIZE) -> Scene:
    """Draws a scene of 1, 2, ... objects with probabilities `counts`, all of different nouns, none touching another."""
    count = 1 + int(rng.choice(len(counts), p=counts))
    names = [str(name) for name in rng.choice(NAMES, size=count, replace=False)]
    placed: list[Placed] = []
    while len(placed) < count:
        side = float(rng.uniform(SMALLEST, LARGEST))
        x, y = (float(v) for v in rng.uniform(1, size - side - 1, size=2))
        clash = any(
            abs(x + side / 2 - o.middle[0]) < (side + o.size) / 2 + 1 and abs(y + side / 2 - o.middle[1]) < (side + o.size) / 2 + 1
            for o in placed
        )
        if not clash:
            placed.append(Placed(names[len(placed)], x, y, side))
        elif rng.random() < 0.02:  # no room left: start again
            placed.clear()
    return Scene(tuple(placed), caption([o.name for o in placed], rng), int(rng.integers(2**31)))


def background(rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """A soft, pale background of low saturation: flat, gradient, clouds, stripes or checks. `(size, size, 3)` uint8."""
    base = _pale(rng)
    other = _pale(rng)
    y, x = np.mgrid[0:size, 0:size] / (size - 1)
    kind = rng.integers(5)
    if kind == 0:
        mix = np.full((size, size), rng.random())
    elif kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        mix = (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)) / 1.42 + 0.5
    elif kind == 2:
        cells = int(rng.integers(3, 7))
        clouds = Image.fromarray((rng.random((cells, cells)) * 255).astype(np.uint8))
        mix = np.asarray(clouds.resize((size, size), Image.Resampling.BICUBIC)) / 255.0
    elif kind == 3:
        along = np.cos(a := rng.uniform(0, np.pi)) * x + np.sin(a) * y
        mix = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(2, 6) * along + rng.uniform(0, 6))
    else:
        cells = rng.uniform(3, 6)
        mix = ((np.floor(x * cells) + np.floor(y * cells)) % 2).astype(float)
    return (base + (other - base) * np.clip(mix, 0, 1)[..., None]).round().astype(np.uint8)


def _pale(rng: np.random.Generator) -> np.ndarray:
    grey = rng.uniform(160, 222)
    tint = rng.uniform(-14, 14, size=3)
    return np.clip(grey + tint, 148, 232)


def render(scene: Scene, size: int = SIZE) -> Image.Image:
    """Renders the scene, drawn large and box-downsampled for smooth edges."""
    ground = Image.fromarray(background(np.random.default_rng(scene.background_seed), size))
    picture = ground.resize((size * SUPERSAMPLE, size * SUPERSAMPLE), Image.Resampling.NEAREST)
    canvas = ImageDraw.Draw(picture)
    for placed in scene.objects:
        box = (placed.x * SUPERSAMPLE, placed.y * SUPERSAMPLE, placed.size * SUPERSAMPLE)
        for part in BY_NAME[placed.name].parts:
            part.draw(canvas, box, fill=part.colour)
    return picture.resize((size, size), Image.Resampling.BOX)
