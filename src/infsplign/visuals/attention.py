"""`attention_overlay`: the attention of each object over the picture at several steps, with its centroid."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from PIL import Image

from infsplign.engine.trace import StepTrace
from infsplign.visuals.style import INK, LABEL, MUTED, PAPER, SMALL, check_image, colour_of, drawing, heading, rendered, wrapped

CELL, SPACE, NARROWEST = 1.72, 0.07, 7.8  # inches; the last is what the key needs
KEY = ("colour: attention, from least to most along a row", "ring: centroid", "line: its way so far")


def attention_overlay(
    trace: Sequence[StepTrace], objects: Sequence[str], image: Image.Image, *, title: str, note: str = "", row: int = 0, columns: int = 6
) -> Image.Image:
    """Draws each object's attention (rows) at several steps (columns) over the picture in grey.

    Args:
        trace: steps recorded with `keep_maps`; steps without maps are skipped.
        objects: O names, the rows' titles.
        image: the sampled picture.
        title: line over the figure.
        note: put before the key under the figure, such as "seed 0".
        row: which image of the batch.
        columns: number of steps shown, spread evenly over the guided ones.

    Raises:
        ValueError: no step has maps; the trace has no such image or fewer objects.
        TypeError: `image` is no PIL image.
    """
    steps = [step for step in trace if step.maps]
    if not steps:
        raise ValueError("`trace` must hold at least one guided step with maps: guide with `keep_maps=True`")
    check_drawn(steps[0], objects, row)
    check_image(image, "image")
    chosen = sorted({round(i) for i in np.linspace(0, len(steps) - 1, min(columns, len(steps)))})
    grid = largest_grid(steps[0])
    paths = np.stack([marker_place(step, row) for step in steps])  # (steps, O, 2)
    wide = CELL * image.width / max(image.size)
    high = CELL * image.height / max(image.size)
    names = [wrapped(name, int(high * 9.5), 2) for name in objects]
    left, right, top, bottom = 0.54 if any("\n" in name for name in names) else 0.42, 0.14, 0.74, 0.42
    width = max(left + len(chosen) * (wide + SPACE) - SPACE + right, NARROWEST)
    height = top + len(objects) * (high + SPACE) - SPACE + bottom
    with drawing(width, height) as figure:
        heading(figure, title, left)
        height = figure.get_figheight()
        for line, name in enumerate(names):
            densities = [object_density(steps[number], line, grid, row) for number in chosen]
            least, most = np.percentile(densities, (0.5, 99.5))  # a single hot position should not fade all others
            for place, number in enumerate(chosen):
                x = left + place * (wide + SPACE)
                y = bottom + (len(objects) - 1 - line) * (high + SPACE)
                axes = figure.add_axes((x / width, y / height, wide / width, high / height))
                _cell(axes, image, (densities[place] - least) / max(most - least, 1e-12), paths[: number + 1, line], colour_of(line))
                if line == 0:
                    axes.set_title(f"step {steps[number].step + 1}", fontsize=LABEL, color=MUTED, pad=4)
                if place == 0:
                    axes.set_ylabel(name, fontsize=LABEL, color=colour_of(line), weight="bold", labelpad=5)
        figure.text(left / width, 0.15 / height, "      ".join(filter(None, (note, *KEY))), fontsize=SMALL, color=MUTED)
        return rendered(figure)


def _cell(axes: Axes, image: Image.Image, density: np.ndarray, path: np.ndarray, colour: str) -> None:
    extent = (0, image.width, image.height, 0)
    axes.imshow(0.45 + 0.55 * np.asarray(image.convert("L")) / 255.0, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="lanczos")
    tinted = np.empty((*density.shape, 4))
    tinted[..., :3] = to_rgb(colour)
    tinted[..., 3] = 0.9 * np.clip(density, 0, 1)
    axes.imshow(tinted, extent=extent, interpolation="bilinear")
    x, y = path[:, 0] * image.width, path[:, 1] * image.height
    axes.plot(x, y, color=PAPER, linewidth=2.4, solid_capstyle="round")
    axes.plot(x, y, color=INK, linewidth=1.1, solid_capstyle="round")
    axes.plot(x[-1], y[-1], "o", markersize=8.5, markerfacecolor="none", markeredgecolor=PAPER, markeredgewidth=3.4)
    axes.plot(x[-1], y[-1], "o", markersize=8.5, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.6)
    axes.set(xlim=(0, image.width), ylim=(image.height, 0), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def check_drawn(step: StepTrace, objects: Sequence[str], row: int) -> None:
    """Checks that a step of a trace has an image, and as many objects as there are names.

    Raises:
        ValueError: it has not.
        TypeError: the names are one text.
    """
    if isinstance(objects, str):
        raise TypeError(f"`objects` must be a list of names, got the text {objects!r}")
    assert step.centroid is not None  # steps with attention have one
    rows, count = step.centroid.shape[:2]
    if not -rows <= row < rows:
        raise ValueError(f"`row` must be one of the {rows} images of the trace, from 0 on, got {row}")
    count = count if step.objects is None else step.objects[row]
    if len(objects) > count:
        raise ValueError(f"`trace` must have the objects {', '.join(objects)}, and has {count}; is it of another scene?")


def largest_grid(step: StepTrace) -> tuple[int, int]:
    """(H, W) of the finest layer."""
    height, width = max((tuple(maps.shape[-2:]) for maps in step.maps), key=lambda grid: grid[0] * grid[1])
    return int(height), int(width)


def object_density(step: StepTrace, number: int, grid: tuple[int, int], row: int = 0) -> np.ndarray:
    """Attention of one object, averaged over the layers with equal weight (each layer's map sums to 1). (H, W)."""
    layers = []
    for maps in step.maps:
        values = np.asarray(maps[row, number].detach().float().cpu())
        resized = np.asarray(Image.fromarray(values).resize((grid[1], grid[0]), Image.Resampling.BILINEAR))
        layers.append(resized / max(float(resized.sum()), 1e-12))
    return np.mean(layers, axis=0)


def marker_place(step: StepTrace, row: int = 0) -> np.ndarray:
    """Centroids as parts of the picture, (O, 2): a centroid of 0 is the middle of the first cell, not the picture's edge."""
    assert step.centroid is not None  # steps with maps have one
    centroid = np.asarray(step.centroid[row].detach().float().cpu())
    cells = np.array([tuple(maps.shape[-2:])[::-1] for maps in step.maps], dtype=float)  # (layers, 2) as x, y
    half = np.mean(0.5 / cells, axis=0)
    return centroid * (1 - 2 * half) + half
