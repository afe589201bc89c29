"""Finds the regions of an image that have a noun's colours.

Each pixel takes the class of the nearest palette colour in CIELAB; pale pixels are background.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from infsplign.shapes.nouns import NOUNS, Noun

PALE_CHROMA, DARK_LIGHTNESS = 22.0, 42.0
"""Pixels less colourful than this and lighter than that are background."""
MAX_DISTANCE = 32.0
"""Largest distance to a palette colour in CIELAB; pixels further away, mostly blended edges, belong to nothing."""
REACH, DETAILED_REACH = 1, 4
"""Half the width of a gap, in pixels, that is closed within a region; details inside a noun (lamps, a stripe) are wider."""


MIN_SUPPORT = 0.3
"""Least part of a region that must have the noun's own colours; less is a rim, where an object's edge blends into what is behind."""


@dataclass(frozen=True)
class Blob:
    """A region in a noun's colours: its mask over the whole image, and the window (rows, columns) around it."""

    noun: Noun
    mask: np.ndarray
    window: tuple[slice, slice]

    @property
    def area(self) -> float:
        """Pixels."""
        return float(self.mask.sum())

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) in pixels."""
        rows, columns = self.window
        return float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)


def find_blobs(rgb: np.ndarray, smallest: float) -> list[Blob]:
    """Finds all regions of at least `smallest` pixels in an image (H, W, 3) uint8, without a noun's own details."""
    colours = lab(rgb)
    pale = (np.hypot(colours[..., 1], colours[..., 2]) < PALE_CHROMA) & (colours[..., 0] > DARK_LIGHTNESS)
    owners = _owners(colours, pale)
    found = [blob for k, noun in enumerate(NOUNS) for blob in _regions(owners == k, noun, ~pale) if blob.area >= smallest]
    return [blob for blob in found if not any(_is_detail(blob, other) for other in found)]


def lab(rgb: np.ndarray) -> np.ndarray:
    """Converts sRGB (..., 3) uint8 to CIELAB under D65."""
    x = np.asarray(rgb, dtype=np.float32) / 255.0
    x = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]], np.float32)
    xyz = x @ to_xyz.T / np.array([0.95047, 1.0, 1.08883], np.float32)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def _owners(colours: np.ndarray, pale: np.ndarray) -> np.ndarray:
    """Returns the index of each pixel's noun, -1 for none: (H, W, 3) CIELAB to (H, W)."""
    palette, owner = _palette()
    distance = np.linalg.norm(colours[..., None, :] - palette, axis=-1)  # (H, W, colours)
    return np.where(pale | (distance.min(-1) > MAX_DISTANCE), -1, owner[distance.argmin(-1)])


@cache
def _palette() -> tuple[np.ndarray, np.ndarray]:
    pairs = [(colour, number) for number, noun in enumerate(NOUNS) for colour in noun.colours]
    return lab(np.array([colour for colour, _ in pairs], np.uint8)), np.array([number for _, number in pairs])


def _regions(mask: np.ndarray, noun: Noun, foreground: np.ndarray) -> list[Blob]:
    """Returns connected regions with their holes filled.

    A noun with details of other colours is completed: an autoencoder blends a lamp with the body around it, so little of the
    body's own colour is left. Its regions grow to all pixels within their convex hull that are not background.
    """
    if not mask.any():
        return []
    own = mask
    mask = _closed(mask, DETAILED_REACH if _has_details(noun) else REACH)
    if _has_details(noun):
        labels, count = _labelled(mask)
        mask = mask | (foreground & np.logical_or.reduce([_hull(labels == k) for k in range(1, count + 1)]))
        mask = _closed(mask, REACH)
    labels, count = _labelled(ndimage.binary_opening(ndimage.binary_fill_holes(mask)))
    windows = zip(range(1, count + 1), ndimage.find_objects(labels), strict=True)
    return [Blob(noun, labels == k, window) for k, window in windows if own[labels == k].mean() >= MIN_SUPPORT]


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, int]:
    labels: Any = ndimage.label(mask)
    return labels


def _closed(mask: np.ndarray, reach: int) -> np.ndarray:
    return ndimage.binary_closing(np.pad(mask, reach), iterations=reach)[reach:-reach, reach:-reach]


def _hull(region: np.ndarray) -> np.ndarray:
    """Returns the convex hull of a region as a mask; the region itself if it is too thin for a hull."""
    points = np.argwhere(region)[:, ::-1]
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        return region
    picture = Image.new("1", (region.shape[1], region.shape[0]))
    ImageDraw.Draw(picture).polygon([(int(x), int(y)) for x, y in corners], fill=1, outline=1)
    return np.asarray(picture)


def _is_detail(blob: Blob, other: Blob) -> bool:
    """Whether a blob is a detail of another: the lamp of a traffic light has a circle's colour, but is not a circle."""
    if not _has_details(other.noun) or blob.area > 0.5 * other.area:
        return False
    return bool((blob.mask & other.mask).sum() >= 0.7 * blob.area)


def _has_details(noun: Noun) -> bool:
    return any(part.colour not in noun.colours for part in noun.parts)
