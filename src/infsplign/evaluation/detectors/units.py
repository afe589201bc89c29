"""Whether boxes are in pixels of their image: other units would be scored without a word."""

from collections.abc import Iterable, Sequence

from infsplign.detection import Box
from infsplign.evaluation.detectors.protocol import ImageDetections

LEAST_SIDE = 8
"""Pixels of an image's shorter side from which on boxes below `FRACTION` pixels are none."""
FRACTION = 1.5
"""Largest coordinate of boxes that are parts of the image; they may reach beyond it a little."""
PERCENT = 100
"""Largest coordinate of boxes in percent."""


def check_units(size: tuple[float, float], boxes: Sequence[Box]) -> None:
    """Raises ValueError unless the boxes of an image can be in its pixels.

    No detector finds something that lies within the first pixel, or whose centre lies outside the picture.

    Args:
        size: (width, height) of the image in pixels.
        boxes: of all that was found in it.

    Raises:
        ValueError: boxes in 0 to 1, or a centre outside the image, as that of a box in thousandths or in another size's pixels.
    """
    sides = [abs(side) for box in boxes for side in box]
    shape = f"{size[0]:g} x {size[1]:g}"
    if sides and 0 < max(sides) <= FRACTION and min(size) >= LEAST_SIDE:
        raise ValueError(
            f"expected boxes in pixels of the image of {shape}, got parts of it such as {list(boxes[0])}; multiply x by the width "
            "and y by the height"
        )
    farthest = max(size) + 1  # OWLv2 looks at the image padded to a square; a pixel more for rounding
    for box in boxes:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if not (-1 <= x <= farthest and -1 <= y <= farthest):
            raise ValueError(
                f"expected boxes in pixels, [x0, y0, x1, y1], got {list(box)}, whose centre lies outside the image of {shape}; are they in "
                "other units, or of an image of another size?"
            )


def look_like_percent(images: Iterable[ImageDetections]) -> bool:
    """Tells whether no box of larger images reaches beyond 100 although there are several: they may be in percent."""
    found = [(picture.size, found.box) for picture in images for found in picture.detections]
    large = all(min(size) >= 2 * PERCENT for size, _ in found)
    return len(found) >= 2 and large and max(abs(side) for _, box in found for side in box) <= PERCENT
