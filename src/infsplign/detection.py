"""What a detector found: one type for every detector and every measure."""

from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1), x to the right, y down."""


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
