"""Two pictures of a comparison: what it costs against what it gives, and position against fidelity."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from infsplign.visuals.style import INK, LABEL, MUTED, OBJECT_COLOURS, SMALL, drawing, heading, light_axes, rendered

PANELS = (("FLOPs of an image / unguided", "uncond"), ("FLOPs of an image / unguided", "strict"), ("cond", "strict"), ("cond", "OA"))
GROUPS = ("infsplign", "paper")


def draw(quality: Mapping[str, Any], spent: Mapping[str, Any], path: Path, *, title: str) -> None:
    """Writes a PNG with a point a method in each of `PANELS`; bars are 95% intervals over prompts."""
    with drawing(10.4, 8.2) as figure:
        heading(figure, title, 0.6)
        panels = []
        for number, (x, y) in enumerate(PANELS, start=1):
            axes = figure.add_subplot(2, 2, number)
            light_axes(axes)
            points = {}
            for name in quality:
                (at_x, x_bar), (at_y, y_bar) = (_value(quality, spent, name, what) for what in (x, y))
                _point(axes, _colour(name), at_x, x_bar, at_y, y_bar)
                points[name] = (at_x, at_y)
            axes.set_xlabel(x, fontsize=LABEL)
            axes.set_ylabel(f"{y}, %", fontsize=LABEL)
            axes.margins(x=0.16, y=0.1)
            panels.append((axes, points))
        figure.tight_layout(rect=(0, 0, 1, 0.95))
        for axes, points in panels:
            _label(axes, points)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = rendered(figure).quantize(64)
    picture.save(path, optimize=True)


def _label(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Names beside their points, moved up where they would run into each other; those at the right end go to the left of their points."""
    scale = axes.figure.dpi / 72
    left, right = axes.get_window_extent().x0, axes.get_window_extent().x1
    taken: list[tuple[float, float, float]] = []
    for name, point in sorted(points.items(), key=lambda item: item[1][1]):
        x, y = axes.transData.transform(point)
        width, line = scale * 0.62 * (SMALL - 1.5) * len(name), scale * 1.15 * (SMALL - 1.5)
        turned = x + width > right and x - width > left
        start = x - width if turned else x
        place = y + 4 * scale
        for low, other, wide in sorted(taken):
            if abs(place - low) < line and start < other + wide and other < start + width:
                place = low + line
        taken.append((place, start, width))
        offset = (-5 if turned else 5, (place - y) / scale)
        where = {"ha": "right" if turned else "left", "fontsize": SMALL - 1.5, "color": _colour(name)}
        axes.annotate(name, point, xytext=offset, textcoords="offset points", **where)


def _value(quality: Mapping[str, Any], spent: Mapping[str, Any], name: str, what: str) -> tuple[float, tuple[float, float] | None]:
    if what not in quality[name]:
        return spent[name]["flops"], None
    found = quality[name][what]
    value = 100 * (found["value"] or 0.0)
    return value, (value - 100 * (found["low"] or 0.0), 100 * (found["high"] or 0.0) - value)


def _colour(name: str) -> str:
    group = next((i for i, start in enumerate(GROUPS) if name.startswith(start)), len(GROUPS))
    return INK if name == "unguided" else OBJECT_COLOURS[group]


def _point(axes: Axes, colour: str, x: float, x_bar: Any, y: float, y_bar: Any) -> None:
    bars = {"yerr": [[y_bar[0]], [y_bar[1]]] if y_bar else None, "xerr": [[x_bar[0]], [x_bar[1]]] if x_bar else None}
    axes.errorbar(x, y, fmt="o", color=colour, ecolor=MUTED, elinewidth=0.6, markersize=5, **bars)
