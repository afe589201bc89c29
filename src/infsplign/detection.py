"""What a detector found: one type for every detector and every measure."""

from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1), x to the right, y down."""

LEAST_SIDE = 8
"""Pixels of an image's shorter side from which on boxes below `FRACTION` pixels are none."""
FRACTION = 1.5
"""Largest coordinate of boxes that are parts of the image; they may reach beyond it a little."""


@dataclass(frozen=True)
class Detection:
    """One object in an image.

    Attributes:
        name: what it is, spelled as it was asked for.
        score: how sure the detector is, in [0, 1].
        box: in pixels of the image; it may reach beyond the image.
    """

    name: str
    score: float
    box: Box

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the box's middle, in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def in_parts(size: tuple[float, float], boxes: Sequence[Box]) -> bool:
    """Tells whether all boxes of an image lie within its first pixel, and so must be in parts of it, 0 to 1."""
    sides = [abs(side) for box in boxes for side in box]
    return bool(sides) and 0 < max(sides) <= FRACTION and min(size) >= LEAST_SIDE


def check_units(size: tuple[float, float], boxes: Sequence[Box]) -> None:
    """Raises ValueError unless the boxes of an image can be in its pixels.

    No detector finds something that lies within the first pixel, or whose centre lies outside the picture.

    Args:
        size: (width, height) of the image in pixels.
        boxes: of all that was found in it.

    Raises:
        ValueError: boxes in 0 to 1, or a centre outside the image, as that of a box in thousandths or in another size's pixels.
    """
    shape = f"{size[0]:g} x {size[1]:g}"
    if in_parts(size, boxes):
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
