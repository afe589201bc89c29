"""The detector of the shapes world: it finds blobs by their colours and scores them by their outlines.

The detector is not trained, so it cannot favour a model. A blob's score is the overlap of its outline with the noun's own.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from infsplign.detection import Detection as Found
from infsplign.shapes.blobs import find_blobs
from infsplign.shapes.nouns import BY_NAME, Noun
from infsplign.shapes.world import SIZE

MIN_AREA = 45
"""Least area in pixels (of 96 x 96) that counts as something."""
MIN_SCORE = 0.6
"""Least overlap with the noun's outline that counts as the noun."""
TEMPLATE = 64


@dataclass(frozen=True)
class Detection(Found):
    """A blob in the colours of a noun.

    Attributes:
        name: the noun.
        score: overlap (IoU) of the blob's outline with the noun's, after matching size and position, in [0, 1].
        area: pixels of the filled outline.
    """

    area: float


def detect(image: Image.Image, *, min_area: float = MIN_AREA) -> list[Detection]:
    """Finds all blobs of `image`, best score first; those with `score >= MIN_SCORE` are what VISOR calls detected.

    Args:
        image: of any size; areas are scaled to 96 x 96.
        min_area: least area of a blob, in pixels of 96 x 96.
    """
    picture = np.asarray(image.convert("RGB"))
    smallest = min_area * picture.shape[0] * picture.shape[1] / SIZE**2
    found = [Detection(b.noun.name, shape_score(b.mask[b.window], b.noun), b.box, b.area) for b in find_blobs(picture, smallest)]
    return sorted(found, key=lambda d: -d.score)


def shape_score(blob: np.ndarray, noun: Noun) -> float:
    """IoU of a blob's outline (H, W) with the noun's, after the noun is scaled to the blob's area and moved to its centre."""
    template = _template(noun.name)
    side = TEMPLATE * float(np.sqrt(blob.sum() / template.sum()))
    extent = 2 * int(max(side, *blob.shape)) + 3  # room for both, wherever their centres of mass lie
    middle: Any = ndimage.center_of_mass  # scipy has no types
    (by, bx), (ty, tx) = middle(blob), middle(template)
    top, left = round((extent - 1) / 2 - by), round((extent - 1) / 2 - bx)
    drawn = np.zeros((extent, extent), bool)
    drawn[top : top + blob.shape[0], left : left + blob.shape[1]] = blob
    factor = TEMPLATE / side  # template pixels a picture pixel
    offset: Any = (ty - factor * (top + by), tx - factor * (left + bx))
    wanted = ndimage.affine_transform(template.astype(float), np.diag([factor] * 2), offset=offset, output_shape=drawn.shape, order=1) > 0.5
    return float((drawn & wanted).sum() / max(1, (drawn | wanted).sum()))


@cache
def _template(name: str) -> np.ndarray:
    """The noun's outline, all parts together, as a boolean (TEMPLATE, TEMPLATE) mask."""
    large = Image.new("L", (4 * TEMPLATE, 4 * TEMPLATE), 0)
    canvas = ImageDraw.Draw(large)
    for part in BY_NAME[name].parts:
        part.draw(canvas, (0, 0, 4 * TEMPLATE), fill=255)
    return np.asarray(large.resize((TEMPLATE, TEMPLATE), Image.Resampling.BOX)) > 127
