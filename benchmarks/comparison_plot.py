"""One picture of a comparison: a line a method, with what it gives, what goes wrong, and what it costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infsplign.visuals.style import INK, LABEL, MUTED, OBJECT_COLOURS, SMALL, drawing, heading, light_axes, rendered

PANELS = ("strict", "uncond", "cond", "OA", "doubled")
"""Measures in percent, best methods above by the first one; behind them what an image costs."""
COST = "FLOPs"
GROUPS = ("infsplign", "paper")


def draw(quality: Mapping[str, Any], spent: Mapping[str, Any], path: Path, *, title: str) -> None:
    """Writes a PNG with a line for each method and a column for each of `PANELS` and the cost; bars are 95% intervals over prompts."""
    names = sorted(quality, key=lambda name: (quality[name][PANELS[0]]["value"] or 0.0))
    with drawing(11.6, 1.3 + 0.27 * len(names)) as figure:
        heading(figure, title, 0.6)
        for number, measure in enumerate((*PANELS, COST), start=1):
            axes = figure.add_subplot(1, len(PANELS) + 1, number)
            light_axes(axes)
            for row, name in enumerate(names):
                value, bar = _value(quality, spent, name, measure)
                if value is None:  # such as cond where no image has both objects
                    continue
                axes.errorbar(value, row, xerr=bar, fmt="o", color=_colour(name), ecolor=MUTED, elinewidth=0.8, markersize=4.5)
            axes.set_yticks(range(len(names)), names if number == 1 else [""] * len(names), fontsize=SMALL)
            axes.tick_params(axis="y", length=3 if number == 1 else 0)
            axes.set_ylim(-0.6, len(names) - 0.4)
            for label, name in zip(axes.get_yticklabels(), names, strict=True):
                label.set_color(_colour(name))
            if measure == COST:
                axes.set_xlim(left=0.95)
            axes.set_xlabel(f"{measure} / unguided" if measure == COST else f"{measure}, %", fontsize=LABEL)
        figure.tight_layout(rect=(0, 0, 1, 0.94))
        path.parent.mkdir(parents=True, exist_ok=True)
        rendered(figure).save(path, optimize=True)


def _value(quality: Mapping[str, Any], spent: Mapping[str, Any], name: str, what: str) -> tuple[float | None, list[list[float]] | None]:
    if what == COST:
        return spent[name]["flops"], None
    measure = quality[name][what]
    if measure["value"] is None or measure["low"] is None:  # of one prompt there is no interval
        return measure["value"] and 100 * measure["value"], None
    value, low, high = (100 * measure[part] for part in ("value", "low", "high"))
    return value, [[value - low], [high - value]]


def _colour(name: str) -> str:
    group = next((i for i, start in enumerate(GROUPS) if name.startswith(start)), len(GROUPS))
    return INK if name == "unguided" else OBJECT_COLOURS[group]
