"""Checks what `results.json` and `images.jsonl` hold before a page is made of it: anyone may have written them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infsplign.evaluation.metrics.bootstrap import Intervals
from infsplign.evaluation.reading import member, parse_json, read_text, short
from infsplign.evaluation.running.method_folder import Record


def checked_results(value: Any) -> dict[str, Any]:
    """Results of a run or of scores: all that a page shows is there, in the right form.

    Raises:
        ValueError: something is not; the message names it.
    """
    for name in ("settings", "versions", "detector", "threshold", "methods", "differences", "relations"):
        member(value, name, dict, missing=True)
    for name in ("label", "rule", "benchmark", "seed_rule"):
        member(value, name, str, missing=True)
    for name in ("prompts", "images"):
        member(value, name, int, missing=True)
    if "label" in value or value.get("methods"):
        member(value, "methods", dict)
        _check_measures(value)
    return value


def _check_measures(value: dict[str, Any]) -> None:
    """All methods have the same measures, at least one; each is a value with its interval."""
    columns: list[str] | None = None
    for part in ("methods", "differences"):
        for name, measures in value.get(part, {}).items():
            columns = list(member(value[part], name, dict)) if columns is None else columns
            if not columns or set(measures) != set(columns):
                raise ValueError(f"expected the same measures for all `{part}`, got {short(measures)} for {short(name)}")
            for measure in measures:
                for number in Intervals._fields:
                    member(member(measures, measure, dict), number, float, None)
    if columns is None:
        raise ValueError("expected `methods` to have at least one, got none")
    for method, relations in value.get("relations", {}).items():
        for relation in member(value["relations"], method, dict):
            for measure in member(relations, relation, dict):
                member(relations[relation], measure, float, None)


def verdict_rows(path: Path) -> Iterator[Record]:
    """The verdicts on the images of scores; what is no verdict is passed over."""
    try:
        lines = read_text(path).split("\n")
    except (OSError, ValueError):
        return
    for line in lines:
        try:
            row = parse_json(line, surrogates=True)
            member(row, "key", str)
            member(row, "correct", bool, missing=True)
            member(row, "sha256", str, missing=True)
        except ValueError:
            continue
        yield row
