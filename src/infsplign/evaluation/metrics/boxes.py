"""Boxes (x0, y0, x1, y1): centre, sides, overlap. Boxes may reach beyond the image and may be empty."""

from infsplign.detection import Box


def centre(box: Box) -> tuple[float, float]:
    """(x, y) of the middle."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def sides(box: Box) -> tuple[float, float]:
    """(width, height); 0 where the corners are the wrong way round."""
    return max(box[2] - box[0], 0.0), max(box[3] - box[1], 0.0)


def scaled(box: Box, x: float, y: float) -> Box:
    """The box in an image that is `x` times as wide and `y` times as high."""
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def offset(first: Box, second: Box) -> tuple[float, float]:
    """(x, y) from the centre of `first` to that of `second`."""
    (x0, y0), (x1, y1) = centre(first), centre(second)
    return x1 - x0, y1 - y0


def iou(first: Box, second: Box) -> float:
    """Area that both cover / area that either covers; 0 where neither has an area.

    >>> iou((0, 0, 2, 2), (1, 0, 3, 2))
    0.3333333333333333
    """
    common = sides((max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3])))
    shared = common[0] * common[1]
    either = _area(first) + _area(second) - shared
    return shared / either if either > 0 else 0.0


def _area(box: Box) -> float:
    width, height = sides(box)
    return width * height
