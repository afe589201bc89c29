"""Reads an image file that anyone may have written."""

import warnings
from pathlib import Path

from PIL import Image, ImageOps


class ImageError(ValueError):
    """A file that is no image, or one that would fill the memory."""


def read_image(path: Path) -> Image.Image:
    """An image in RGB, upright: turned as its EXIF data say, as every viewer shows it.

    Raises:
        ImageError: no image that can be read, or one of more than `PIL.Image.MAX_IMAGE_PIXELS` pixels (89 million): a small file can
            hold an image that fills the memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(path) as image:
                return ImageOps.exif_transpose(image).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{str(path)!r} is an image of too many pixels: {error}") from error
    except Exception as error:  # PIL raises all sorts for broken files: SyntaxError, EOFError, struct.error, ...
        raise ImageError(f"{str(path)!r} is no image that can be read: {error}") from error
