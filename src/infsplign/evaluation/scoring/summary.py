"""Measures of several methods side by side: JSON for programs, a table for people."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from infsplign.evaluation.metrics.bootstrap import LEVEL, RESAMPLES, Intervals, bootstrap, paired_difference
from infsplign.evaluation.metrics.ratios import Ratios
from infsplign.evaluation.reading import printable

LOWER_IS_BETTER = ("doubled",)


def summarise(methods: Mapping[str, Ratios], *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Measures with their intervals, and each method's paired difference from the first; undefined ones are None.

    Args:
        methods: name to its measures, all of the same prompts in the same order.
        resamples, seed: of the bootstrap.
    """
    draws = {"resamples": resamples, "seed": seed}
    base, *others = methods
    return {
        "intervals": {"kind": "percentile bootstrap over prompts", "level": LEVEL, **draws},
        "methods": {name: as_dict(r.names, bootstrap(r, **draws)) for name, r in methods.items()},
        "differences": {f"{n} - {base}": as_dict(methods[n].names, paired_difference(methods[base], methods[n], **draws)) for n in others},
    }


def as_dict(names: Sequence[str], intervals: Intervals) -> dict[str, dict[str, float | None]]:
    """Measure to value, low and high."""
    columns = zip(names, *(part.tolist() for part in intervals), strict=True)
    return {name: dict(zip(Intervals._fields, map(defined, numbers), strict=True)) for name, *numbers in columns}


def markdown(summary: Mapping[str, Any], first_column: str = "method") -> str:
    """Methods as rows, measures as columns, in percent with intervals; then the differences, in points."""
    parts = [_table(summary["methods"], first_column, signed=False)]
    if summary["differences"]:
        parts.append(_table(summary["differences"], "difference, points", signed=True))
    return "\n".join(parts)


def _table(rows: Mapping[str, Mapping[str, Any]], first_column: str, *, signed: bool) -> str:
    names = list(next(iter(rows.values())))
    lines = ["| " + " | ".join([first_column, *map(heading, names)]) + " |", "|" + "---|" * (len(names) + 1)]
    for row, measures in rows.items():
        lines.append("| " + " | ".join([_in_table(row), *(cell(measures[name], signed=signed) for name in names)]) + " |")
    return "\n".join(lines) + "\n"


def _in_table(name: str) -> str:
    """A name that may hold what ends a cell: methods are called as folders are."""
    return " ".join(name.split()).replace("|", "\\|")


def heading(name: str) -> str:
    """A measure's name, marked where lower is better."""
    return f"{name} ↓" if name in LOWER_IS_BETTER else name


def cell(measure: Mapping[str, float | None], *, signed: bool = False) -> str:
    """Percent with its interval.

    >>> cell({"value": 0.852, "low": 0.801, "high": 0.899})
    '85.2 [80.1, 89.9]'
    """
    value, low, high = (_percent(measure[key], "+.1f" if signed else ".1f") for key in Intervals._fields)
    return f"{value} [{low}, {high}]" if measure["value"] is not None else value


def _percent(x: float | None, form: str) -> str:
    return "–" if x is None else f"{100 * x:{form}}"


def print_table(summary: Mapping[str, Any], title: str) -> None:
    """Prints the methods side by side, measures as rows: so it fits a terminal for any number of images a prompt."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    methods = summary["methods"]
    table = Table(
        title=Text(printable(title)), box=box.SIMPLE_HEAD, caption="percent [95% interval]", title_justify="left", caption_justify="left"
    )
    table.add_column("")
    for method in methods:
        table.add_column(escape(printable(method)), justify="right", overflow="fold")
    for name in next(iter(methods.values())):
        table.add_row(escape(heading(name)), *(escape(cell(measures[name])) for measures in methods.values()))
    Console().print(table)


def defined(x: float) -> float | None:
    """None for nan, which JSON does not know."""
    return None if isnan(x) else x
