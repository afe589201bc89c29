"""`trace_plot`: centroids, loss terms and the norm of the gradient over the steps."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from infsplign.core.relations import Relation
from infsplign.core.scenes import Scene
from infsplign.engine.trace import StepTrace
from infsplign.visuals.attention import check_drawn
from infsplign.visuals.style import (
    GRID,
    INK,
    LABEL,
    MUTED,
    PAPER,
    SMALL,
    TERM_COLOURS,
    colour_of,
    drawing,
    heading,
    light_axes,
    rendered,
    wrapped,
)

PANEL, WIDTH = 1.75, 8.6  # inches
LEFT, RIGHT = 0.774, 1.376  # inches beside the panels, for the axes' labels and the curves' names
TITLE_LETTERS, KEY_LETTERS = 12.0, 15.0  # an inch
HOLDS, FAILS = "#dff0ea", "#b6bcc4"
KEY = "shaded: as asked    hatched: the other way round"
ENDS = ("right \u2190 x \u2192 left", "bottom \u2190 y \u2192 top")


def trace_plot(trace: Sequence[StepTrace], scene: Scene, *, title: str, note: str = "", row: int = 0, width: float = WIDTH) -> Image.Image:
    """Plots centroids on each axis that a relation orders, loss terms and the gradient's norm over the guided steps.

    Args:
        trace: steps of one call; unguided steps are skipped.
        scene: objects and relations of the image.
        title: line over the figure.
        note: put behind the label of the steps, such as "seed 0".
        row: which image of the batch.
        width: of the figure, in inches; 4.6 or more.

    Raises:
        ValueError: no step was guided; the trace has no such image or fewer objects.
    """
    steps = [step for step in trace if step.guided]
    if not steps:
        raise ValueError("`trace` must hold at least one guided step")
    check_drawn(steps[0], scene.objects, row)
    numbers = np.array([step.step + 1 for step in steps])
    axes_asked = sorted({axis for edge in scene.relations for axis in _axes(edge.relation)})
    panels = [1.35] * len(axes_asked) + [1.0, 0.75]
    height = PANEL * sum(panels) + 1.15
    with drawing(width, height) as figure:
        top = 0.5 + heading(figure, title, LEFT)
        height = figure.get_figheight()
        grid = figure.add_gridspec(
            *(len(panels), 1), height_ratios=panels, left=LEFT / width, right=1 - RIGHT / width,
            top=1 - top / height, bottom=0.52 / height, hspace=0.38,
        )  # fmt: skip
        last = figure.add_subplot(grid[-1])
        *above, terms = [figure.add_subplot(grid[line], sharex=last) for line in range(len(panels) - 1)]
        for axes in (*above, terms, last):
            light_axes(axes)
            axes.tick_params(labelbottom=axes is last)
        for axes, axis in zip(above, axes_asked, strict=True):
            _centroids(axes, numbers, steps, scene, axis, row, width)
        _terms(terms, numbers, steps, row)
        _gradient(last, numbers, steps, row)
        room = 0.012 * max(numbers[-1] - numbers[0], 10)
        last.set_xlim(numbers[0] - room, numbers[-1] + room)
        last.xaxis.set_major_locator(MaxNLocator(nbins=11, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        count = sum(step.actions is None or step.actions[row] == "guided" for step in steps)  # the others guided other images of the batch
        guided = "" if count == len(trace) else f" (guided: {count} of {len(trace)})"
        last.set_xlabel(f"step of the sampling{guided}" + (f", {note}" if note else ""), fontsize=LABEL)
        return rendered(figure)


def _centroids(axes: Axes, numbers: np.ndarray, steps: Sequence[StepTrace], scene: Scene, axis: int, row: int, width: float) -> None:
    places = _curve([step.centroid for step in steps], row)[..., axis]  # (steps, O)
    relations = [edge for edge in scene.relations if axis in _axes(edge.relation)]
    involved = sorted({number for edge in relations for number in (edge.first, edge.second, edge.third) if number is not None})
    for edge in relations:
        if edge.second is None or axis not in edge.relation.axes:
            continue  # a place, or a relation of both axes at once: there is no side to shade
        first, second = places[:, edge.first], places[:, edge.second]
        holds = (second - first) * edge.relation.direction[axis] > 0
        band = {"interpolate": True, "linewidth": 0.0}
        axes.fill_between(numbers, first, second, where=holds, facecolor=HOLDS, **band)
        axes.fill_between(numbers, first, second, where=~holds, facecolor="none", hatch="////", edgecolor=FAILS, **band)
    for number in involved:
        axes.plot(numbers, places[:, number], color=PAPER, linewidth=3.4)
        axes.plot(numbers, places[:, number], color=colour_of(number), linewidth=2, marker="o" if len(numbers) < 3 else None)
    reach = min(0.5, max(0.15, 1.2 * float(np.abs(places[:, involved] - 0.5).max())))  # around the picture's middle
    fits = len(KEY) <= KEY_LETTERS * (width - LEFT - RIGHT)
    limits = (0.5 + (1.0 if fits else 1.5) * reach, 0.5 - reach)  # room for a key of two lines
    _line_labels(axes, [(float(places[-1, n]), scene.objects[n], colour_of(n)) for n in involved], limits)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.set_ylabel(ENDS[axis], fontsize=SMALL, color=MUTED)
    asked = ", ".join(scene.text(edge) for edge in relations)
    axes.set_title(
        wrapped(f"centroids; asked: {asked}", round(TITLE_LETTERS * (width - LEFT - 0.15)), 1), fontsize=LABEL, loc="left", pad=5
    )
    key = KEY if fits else KEY.replace("    ", "\n")
    axes.text(0.995, 0.03, key, fontsize=SMALL, color=MUTED, ha="right", va="bottom", transform=axes.transAxes)


def _axes(relation: Relation) -> tuple[int, ...]:
    """The axes on which a relation is plotted: those that it orders; both for a place and for "near", "inside", ..."""
    return relation.axes or (0, 1)


def _terms(axes: Axes, numbers: np.ndarray, steps: Sequence[StepTrace], row: int) -> None:
    curves = {name: _curve([(step.terms or {})[name] for step in steps], row) for name in (steps[0].terms or {})}
    labels: list[tuple[float, str, str]] = []
    for number, (name, values) in enumerate(curves.items()):
        colour = TERM_COLOURS[number % len(TERM_COLOURS)]
        axes.plot(numbers, values, color=colour, linewidth=1.8, marker="o" if len(numbers) < 3 else None)
        labels.append((float(values[-1]), name, colour))
    total = _curve([step.loss for step in steps], row)
    axes.plot(numbers, total, color=INK, linewidth=1.8, linestyle=(0, (4, 2)), marker="o" if len(numbers) < 3 else None)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.margins(y=0.12)
    axes.autoscale_view()
    _line_labels(axes, [*labels, (float(total[-1]), "loss", INK)], axes.get_ylim())
    axes.set_title("loss terms", fontsize=LABEL, loc="left", pad=5)


def _gradient(axes: Axes, numbers: np.ndarray, steps: Sequence[StepTrace], row: int) -> None:
    norms = _curve([step.gradient_norm for step in steps], row)
    unit = 10.0 ** np.floor(np.log10(max(float(norms.max()), 1e-30)))  # so that the axis reads 1, 2, 3
    axes.plot(numbers, norms / unit, color=INK, linewidth=1.8, marker="o" if len(numbers) < 3 else None)
    axes.set_ylim(0, 1.12 * max(float(norms.max()), 1e-30) / unit)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_title(f"norm of the gradient  (\u00d7 {unit:g})", fontsize=LABEL, loc="left", pad=5)


def _curve(values: Sequence[Tensor | None], row: int) -> np.ndarray:
    """One image's values over the steps: (B, ...) a step to (steps, ...)."""
    return np.stack([np.asarray(value[row].detach().float().cpu()) for value in values if value is not None])


def _line_labels(axes: Axes, labels: Sequence[tuple[float, str, str]], limits: tuple[float, float]) -> None:
    """Names the curves at their right ends, moved apart where they would overlap."""
    low, high = limits
    axes.set_ylim(low, high)
    places = [(value - low) / (high - low) for value, _, _ in labels]
    inches = axes.get_position().height * axes.figure.get_size_inches()[1]  # type: ignore[union-attr]
    for place, number in zip(_spread([min(max(p, 0.0), 1.0) for p in places], 0.15 / inches), range(len(labels)), strict=True):
        _, name, colour = labels[number]
        axes.plot([1.0, 1.016], [places[number], place], color=GRID, linewidth=0.8, transform=axes.transAxes, clip_on=False)
        axes.text(1.02, place, wrapped(name, 15, 1), fontsize=SMALL, color=colour, weight="bold", va="center", transform=axes.transAxes)


def _spread(places: Sequence[float], apart: float) -> list[float]:
    """Moves places as little as needed for a distance of `apart`, within [0, 1] where they fit."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + apart)
    excess = max(0.0, moved[order[-1]] - 1.0) if order else 0.0
    for place, number in enumerate(reversed(order)):
        moved[number] = min(moved[number], 1.0 - place * apart) if excess else moved[number]
    return moved
