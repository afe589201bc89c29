"""The largest batch that is counted. Cheap to import."""

LARGEST = 2**28
"""Largest number of pixels in a batch: one image of 16384 x 16384, or 256 of 1024 x 1024."""


def check_pixels(batch: int, height: int, width: int) -> None:
    """Raises an error for a batch that fits on no device: counting it would take minutes, or overflow.

    Raises:
        ValueError: more than `LARGEST` pixels.
    """
    if batch * height * width > LARGEST:
        raise ValueError(f"`batch` x `height` x `width` must be at most {LARGEST} pixels, got {batch} x {height} x {width}")
