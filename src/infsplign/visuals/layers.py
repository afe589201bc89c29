"""`layers_plot`: which layers read positions, and from which noise on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from infsplign.visuals.style import INK, LABEL, MUTED, OBJECT_COLOURS, SMALL, drawing, heading, light_axes, rendered

ROW, LEAST, WIDTH = 0.24, 1.2, 9.2  # inches
LONGEST, HEAD = 46, 26
"""Characters of a layer's name that are shown, and how many of them are its beginning: names differ at both ends."""


def layers_plot(
    layers: Sequence[str],
    progress: Any,
    agreement: Any,
    *,
    chosen: Sequence[int] = (),
    stop: float = 1.0,
    decided_at: float = 0.0,
    bounds: Mapping[float, float] | None = None,
    bound: float | None = None,
    title: str = "Which layers read positions",
) -> Image.Image:
    """Draws the agreement of each layer with the late consensus over the sampling, and the score of each bound.

    Args:
        layers: names, in the order in which they run.
        progress: (S,), of the steps.
        agreement: (S, L), correlations.
        chosen: numbers of the layers that are read; their names are in bold.
        stop: end of the window.
        decided_at: progress at which positions are decided.
        bounds: each bound that was tried, with its score; no panel when None or empty.
        bound: the one that was taken.
        title: line over the figure.

    Raises:
        ValueError: shapes that do not fit.
    """
    found, progress = np.asarray(agreement, float), np.asarray(progress, float)
    if found.shape != (len(progress), len(layers)):
        raise ValueError(f"`agreement` must have shape ({len(progress)}, {len(layers)}), got {found.shape}")
    height = max(LEAST, ROW * len(layers))
    with drawing(WIDTH, height + 1.3) as figure:
        top = 0.35 + heading(figure, title, 0.15)
        total = figure.get_figheight()
        grid = figure.add_gridspec(
            1, 2 if bounds else 1, width_ratios=[3, 1] if bounds else [1], left=0.36, right=0.96, top=1 - top / total, bottom=0.55 / total,
            wspace=0.42,
        )  # fmt: skip
        axes = figure.add_subplot(grid[0])
        edges = np.append(progress, 1.0)
        mesh = axes.pcolormesh(edges, np.arange(len(layers) + 1), found.T, cmap="cividis", vmin=0.0, vmax=1.0)
        axes.invert_yaxis()
        axes.set_yticks(np.arange(len(layers)) + 0.5, [_short(name) for name in layers], fontsize=SMALL - 1)
        for number, label in enumerate(axes.get_yticklabels()):
            label.set(color=INK if number in chosen else MUTED, weight="bold" if number in chosen else "normal")
        axes.axvline(stop, color=OBJECT_COLOURS[0], linewidth=1.6)
        axes.axvline(decided_at, color="white", linewidth=1.2, linestyle=":")
        axes.set_xlabel("part of the sampling (orange: end of the window; dotted: positions decided)", fontsize=LABEL - 1)
        figure.colorbar(mesh, ax=axes, pad=0.02).set_label("agreement with the late consensus", fontsize=SMALL - 1)
        if bounds:
            _bounds(figure.add_subplot(grid[1]), bounds, bound)
        return rendered(figure)


def _bounds(axes: Any, bounds: Mapping[float, float], taken: float | None) -> None:
    light_axes(axes)
    axes.plot(list(bounds), list(bounds.values()), "o-", color=OBJECT_COLOURS[1], linewidth=1.2, markersize=4)
    if taken is not None and taken in bounds:
        axes.plot([taken], [bounds[taken]], "o", color=OBJECT_COLOURS[0], markersize=8)
    axes.set(xscale="log", ylim=(0, 1.02))
    axes.set_xticks(list(bounds), [f"{value:g}" for value in bounds], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("bound (orange: taken)", fontsize=LABEL - 1)
    axes.set_ylabel("score", fontsize=LABEL - 1)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[:HEAD]}\u2026{name[HEAD + 1 - LONGEST :]}"
