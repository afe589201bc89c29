"""Reads an image file that anyone may have written."""

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps


class ImageError(ValueError):
    """A file that is no image, or one that would fill the memory."""


def read_image(path: Path) -> Image.Image:
    """An image in RGB, upright: turned as its EXIF data say, as every viewer shows it.

    Raises:
        ImageError: no image that can be read, one of fractions, or one of more than `PIL.Image.MAX_IMAGE_PIXELS` pixels (89 million): a
            small file can hold an image that fills the memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(path) as image:
                return _opaque(_eight_bits(ImageOps.exif_transpose(image)))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{str(path)!r} is an image of too many pixels: {error}") from error
    except Exception as error:  # PIL raises all sorts for broken files: SyntaxError, EOFError, struct.error, ...
        raise ImageError(f"{str(path)!r} is no image that can be read: {error}") from error


def read_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of an image that stands upright, without reading its pixels; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
            width, height = image.size
            return (height, width) if turned else (width, height)
    except Exception:  # PIL raises all sorts for broken files
        return None


def _opaque(image: Image.Image) -> Image.Image:
    """An image in RGB, over white where it is transparent: what is hidden is not in the picture."""
    if "transparency" not in image.info and not image.mode.endswith(("A", "a")):
        return image.convert("RGB")
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits in 8; others as they are. PIL's own conversion would clip it, and nearly all of it would be white."""
    if image.mode == "F":
        raise ValueError("its pixels are fractions, of no known range; save it with 8 bits")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError("its pixels have more than 16 bits; save it with 8")
    return Image.fromarray((values >> 8).astype(np.uint8))
