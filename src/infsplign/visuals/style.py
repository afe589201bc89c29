"""Style of all pictures: one font, one palette, and figures that change no global state of matplotlib."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageFont

INK, MUTED, GRID, PAPER = "#1f2328", "#656d76", "#e4e7eb", "#ffffff"
OBJECT_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, which is distinguishable with every common kind of colour blindness."""
TERM_COLOURS = ("#cc79a7", "#009e73", "#e69f00", "#56b4e9", "#0072b2")
DPI = 150
TITLE, LABEL, SMALL = 12.0, 9.5, 8.5  # points
TITLE_CHARACTER, TITLE_LINE = 0.116, 0.22  # inches

_RC: Any = {
    "font.family": "DejaVu Sans",
    "text.usetex": False,
    "text.parse_math": False,  # a prompt may hold a dollar sign
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "font.size": LABEL,
    "hatch.linewidth": 0.7,
    "image.interpolation_stage": "rgba",
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """A figure of `width` x `height` inches in the common style. Restores the settings of matplotlib afterwards."""
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(figure)
        yield figure


def rendered(figure: Figure) -> Image.Image:
    """The figure as an RGB image. Call it inside the `drawing` block."""
    canvas: Any = figure.canvas
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def check_image(image: object, name: str) -> None:
    """Raises TypeError unless `image` is a PIL image."""
    if not isinstance(image, Image.Image):
        hint = "; call the pipeline with `output_type='pil'`" if hasattr(image, "shape") else ""
        raise TypeError(f"`{name}` must be a PIL image, got {type(image).__name__}{hint}")


def light_axes(axes: Axes) -> None:
    """Light grid behind the curves, no box around them."""
    axes.set_axisbelow(True)
    axes.grid(True, color=GRID, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=3, labelsize=SMALL)


def wrapped(text: str, columns: int, lines: int = 3) -> str:
    """`text` in at most `lines` lines of `columns` characters; what does not fit becomes an ellipsis."""
    return "\n".join(textwrap.wrap(" ".join(text.split()), max(8, columns), max_lines=lines, placeholder=" \u2026"))


def heading(figure: Figure, text: str, left: float, *, lines: int = 2) -> float:
    """Writes the title at `left` inches from the figure's left edge, in as many lines as it needs, and makes room for them.

    Returns:
        Height of the title in inches; the figure has grown by what is more than one line.
    """
    width, height = figure.get_size_inches()
    title = wrapped(text, int((width - left - 0.15) / TITLE_CHARACTER), lines)
    extra = title.count("\n") * TITLE_LINE
    figure.set_size_inches(width, height + extra)
    figure.text(left / width, 1 - 0.17 / (height + extra), title, fontsize=TITLE, weight="bold", va="top", linespacing=1.25)
    return TITLE_LINE + extra


def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The same font for PIL, at `size` pixels. It comes with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def colour_of(number: int) -> str:
    """Colour of object `number`, the same in every picture."""
    return OBJECT_COLOURS[number % len(OBJECT_COLOURS)]
