"""Image files that anyone may have written."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infsplign.evaluation.image_reading import ImageError, read_image, read_size


def png(width: int, height: int, data: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG that says it is so large, whatever it holds."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def whole() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), (200, 10, 30)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_images_are_turned_as_their_exif_data_say(tmp_path):
    """A photo of a phone: stored lying, and shown upright by every viewer."""
    lying, exif = Image.new("RGB", (8, 4), "white"), Image.Exif()
    lying.paste((255, 0, 0), (0, 0, 2, 2))
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    lying.save(tmp_path / "photo.png", exif=exif)
    upright = read_image(tmp_path / "photo.png")
    assert upright.size == (4, 8)
    assert upright.getpixel((3, 0)) == (255, 0, 0)
    assert upright.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("side", [10_000, 30_000, 2**31 - 1])
def test_case_29_small_files_of_huge_images(tmp_path, side):
    """100 million pixels are a warning of PIL, 200 million an error that is no `OSError`."""
    (tmp_path / "bomb.png").write_bytes(png(side, side))
    with pytest.raises(ImageError, match=r"bomb.png' is an image of too many pixels: .* pixels"):
        read_image(tmp_path / "bomb.png")


def test_case_29_texts_that_unpack_to_more_than_memory(tmp_path):
    packed = zlib.compress(b"a" * 80_000_000)
    body = b"key\0\0" + packed
    text = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    (tmp_path / "bomb.png").write_bytes(png(4, 4, b"\0\0\0\0\0" * 4, text))
    with pytest.raises(ImageError, match="is no image that can be read"):
        read_image(tmp_path / "bomb.png")


@given(st.data())
def test_any_change_of_a_file_gives_an_image_or_its_error(tmp_path_factory, data):
    path, changed = tmp_path_factory.getbasetemp() / "changed.png", bytearray(whole())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(changed[: data.draw(st.integers(0, len(changed)))] if data.draw(st.booleans()) else changed)
    with suppress(ImageError):
        assert read_image(path).mode == "RGB"


def test_an_image(tmp_path):
    (tmp_path / "a.png").write_bytes(whole())
    image = read_image(tmp_path / "a.png")
    assert (image.mode, image.size, image.getpixel((3, 3))) == ("RGB", (9, 7), (200, 10, 30))


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_grey_images_of_16_bits_are_not_clipped(tmp_path, kind):
    values = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / f"grey.{kind}")
    read = np.asarray(read_image(tmp_path / f"grey.{kind}"))
    np.testing.assert_array_equal(read[..., 0], values >> 8)


@pytest.mark.parametrize("values", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), 1 << 20, np.int32)], ids=["fractions", "32 bits"])
def test_pixels_of_no_known_range_are_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "image.tiff")
    with pytest.raises(ImageError, match="save it with 8"):
        read_image(tmp_path / "image.tiff")


def test_the_size_is_that_of_the_upright_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "text.png").write_text("no image")
    assert read_size(tmp_path / "turned.jpg") == read_image(tmp_path / "turned.jpg").size == (4, 8)
    assert read_size(tmp_path / "text.png") is None


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(tmp_path, mode):
    hidden = Image.new("RGBA", (4, 2), (10, 20, 30, 0))
    hidden.paste((10, 10, 10, 255), (0, 0, 2, 2))
    hidden.convert(mode).save(tmp_path / "cut.png")
    read = np.asarray(read_image(tmp_path / "cut.png"))
    assert (read[:, 2:] == 255).all()
    assert (read[:, :2] == 10).all()
