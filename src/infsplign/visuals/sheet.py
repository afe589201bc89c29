"""Sheets of images: methods side by side, one row an image."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from infsplign.visuals.style import INK, MUTED, PAPER, check_image, font

SMALLEST_CELL, LARGEST_CELL = 288, 512
GAP, BLOCK_GAP, MARGIN = 10, 36, 28


def comparison_sheet(
    images: Mapping[str, Sequence[Image.Image]],
    *,
    title: str,
    rows: Sequence[str] = (),
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Image.Image:
    """Lays images out so that each row compares the methods on one seed; from two seeds on, two rows stand side by side.

    Args:
        images: method to its images, all of one size, the same number for each method.
        title: line over the sheet, wrapped where it is long.
        rows: a caption for each row, such as "seed 0".
        notes: method to a short note under each of its images.

    Returns:
        The sheet. Small images are enlarged by a whole number to cells of about 288 pixels, large ones shrunk to 512.

    Raises:
        ValueError: no image, methods with different numbers of images, notes or captions, or images of different shapes, which would be
            stretched.
        TypeError: no PIL image.
    """
    counts = {len(found) for found in images.values()}
    if len(counts) != 1 or counts == {0}:
        raise ValueError(f"`images` must hold the same number of images for each method, at least one, got {sorted(counts)}")
    count = counts.pop()
    for found in images.values():
        for image in found:
            check_image(image, "images")
    if rows and len(rows) != count:
        raise ValueError(f"`rows` must have a caption for each of the {count} images, got {len(rows)}")
    if notes is not None and {name: len(found) for name, found in notes.items()} != dict.fromkeys(images, count):
        raise ValueError(f"`notes` must have {count} notes for each of {', '.join(images)}, got {({k: len(v) for k, v in notes.items()})}")
    _check_shapes(images)
    cell = cell_size(next(iter(images.values()))[0].size)
    across = 1 if count == 1 else 2 if count <= 8 else 3
    block_width = len(images) * (cell[0] + GAP) - GAP
    width = 2 * MARGIN + across * (block_width + BLOCK_GAP) - BLOCK_GAP
    lines = _fit(title, _TITLE, width - 2 * MARGIN)
    header = MARGIN + len(lines) * 30 + 12
    heading = 26
    row_height = (24 if rows else 0) + cell[1] + (26 if notes else 0) + 18
    down = -(-count // across)
    sheet = Image.new("RGB", (width, header + heading + down * row_height + MARGIN - 18), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + 30 * number), line, fill=INK, font=_TITLE)
    for place in range(count):
        column, row = place % across, place // across
        left = MARGIN + column * (block_width + BLOCK_GAP)
        top = header + heading + row * row_height
        for number, (method, found) in enumerate(images.items()):
            x = left + number * (cell[0] + GAP)
            if row == 0:
                draw.text((x, header), method, fill=INK, font=_HEADING)
            if rows and number == 0:
                draw.text((x, top), rows[place], fill=MUTED, font=_SMALL)
            y = top + (24 if rows else 0)
            sheet.paste(enlarged(found[place], cell), (x, y))
            if notes:
                draw.text((x, y + cell[1] + 6), _fit(notes[method][place], _SMALL, cell[0], 1)[0], fill=INK, font=_SMALL)
    return sheet


def _check_shapes(images: Mapping[str, Sequence[Image.Image]]) -> None:
    """Raises ValueError unless all images have the shape of the first, to a pixel."""
    width, height = next(iter(images.values()))[0].size
    for method, found in images.items():
        for image in found:
            if abs(image.width * height - image.height * width) > max(width, height):
                raise ValueError(
                    f"`images` must have one shape, got {image.width} x {image.height} of {method!r} beside {width} x {height}; crop or "
                    "pad them first"
                )


def cell_size(size: tuple[int, int]) -> tuple[int, int]:
    """Size at which an image is shown: a whole multiple up to about 288 pixels, or shrunk until it fits into 512."""
    longest = max(size)
    factor: float = max(1, round(SMALLEST_CELL / longest)) if longest < SMALLEST_CELL else min(1.0, LARGEST_CELL / longest)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def enlarged(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at another size; Lanczos keeps outlines smooth, so that a small picture does not look like blocks."""
    image = image.convert("RGB")
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _fit(text: str, face: ImageFont.FreeTypeFont, width: int, most: int = 3) -> list[str]:
    """Breaks `text` into lines no wider than `width` pixels, at most `most` of them."""
    lines, words = [""], text.split()
    while words:
        longer = f"{lines[-1]} {words[0]}".strip()
        if face.getlength(longer) <= width:
            lines[-1] = longer
        elif lines[-1] and len(lines) < most:
            lines.append("")
            continue
        else:  # a single word too long, or no line left
            room = longer
            while room and face.getlength(room + "\u2026") > width:
                room = room[:-1]
            lines[-1] = room.rstrip() + "\u2026"
            break
        words.pop(0)
    return lines


_TITLE, _HEADING, _SMALL = font(21, bold=True), font(16, bold=True), font(15)
