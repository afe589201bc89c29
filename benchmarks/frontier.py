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
        for number, (x, y) in enumerate(PANELS, start=1):
            axes = figure.add_subplot(2, 2, number)
            light_axes(axes)
            for name in quality:
                _point(axes, name, *_value(quality, spent, name, x), *_value(quality, spent, name, y))
            axes.set_xlabel(x, fontsize=LABEL)
            axes.set_ylabel(f"{y}, %", fontsize=LABEL)
            axes.margins(x=0.16, y=0.1)
        figure.tight_layout(rect=(0, 0, 1, 0.95))
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = rendered(figure).quantize(64)
    picture.save(path, optimize=True)


def _value(quality: Mapping[str, Any], spent: Mapping[str, Any], name: str, what: str) -> tuple[float, tuple[float, float] | None]:
    if what not in quality[name]:
        return spent[name]["flops"], None
    found = quality[name][what]
    value = 100 * (found["value"] or 0.0)
    return value, (value - 100 * (found["low"] or 0.0), 100 * (found["high"] or 0.0) - value)


def _point(axes: Axes, name: str, x: float, x_bar: Any, y: float, y_bar: Any) -> None:
    group = next((i for i, start in enumerate(GROUPS) if name.startswith(start)), len(GROUPS))
    colour = INK if name == "unguided" else OBJECT_COLOURS[group]
    bars = {"yerr": [[y_bar[0]], [y_bar[1]]] if y_bar else None, "xerr": [[x_bar[0]], [x_bar[1]]] if x_bar else None}
    axes.errorbar(x, y, fmt="o", color=colour, ecolor=MUTED, elinewidth=0.6, markersize=5, **bars)
    axes.annotate(name, (x, y), xytext=(5, 4), textcoords="offset points", fontsize=SMALL - 1.5, color=colour)
