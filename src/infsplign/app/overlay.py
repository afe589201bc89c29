"""The attention of one object at one step, drawn over the picture: fast enough for a slider."""

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw

from infsplign.app.results import Attention
from infsplign.visuals.sheet import cell_size
from infsplign.visuals.style import INK, PAPER, colour_of

SMOOTH = 2
"""Lines are drawn at this many times the size, then shrunk."""
STRENGTH = 0.9
RING = 7
"""Pixels of the ring's radius."""


def overlay(image: Image.Image, attention: Attention, step: int, number: int) -> Image.Image:
    """Draws the attention of an object in its colour over the picture in grey, its centroid as a ring, and the way it came as a line.

    Args:
        image: the guided image.
        attention: of all objects.
        step: index of the guided step, from 0.
        number: of the object.

    Returns:
        An RGB picture of about 288 pixels, or of at most 512 for a large image.
    """
    size = cell_size(image.size)
    big = (size[0] * SMOOTH, size[1] * SMOOTH)
    grey = 0.45 + 0.55 * np.asarray(image.convert("L").resize(big, Image.Resampling.LANCZOS), dtype=np.float32) / 255.0
    density = Image.fromarray(attention.densities[step, number]).resize(big, Image.Resampling.BILINEAR)
    opacity = STRENGTH * np.clip(np.asarray(density), 0, 1)[..., None]
    mixed = grey[..., None] * (1 - opacity) + np.asarray(to_rgb(colour_of(number)), dtype=np.float32) * opacity
    picture = Image.fromarray((255 * np.clip(mixed, 0, 1)).round().astype(np.uint8))
    _draw_way(ImageDraw.Draw(picture), attention.places[: step + 1, number] * np.asarray(big))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _draw_way(draw: ImageDraw.ImageDraw, places: np.ndarray) -> None:
    way = [(float(x), float(y)) for x, y in places]
    (x, y), radius = way[-1], RING * SMOOTH
    box = (x - radius, y - radius, x + radius, y + radius)
    for colour, wide in ((PAPER, 4), (INK, 2)):
        if len(way) > 1:
            draw.line(way, fill=colour, width=wide * SMOOTH, joint="curve")
    for colour, wide in ((PAPER, 5), (INK, 2)):
        grown = (wide - 2) * SMOOTH / 2
        draw.ellipse((box[0] - grown, box[1] - grown, box[2] + grown, box[3] + grown), outline=colour, width=wide * SMOOTH)
