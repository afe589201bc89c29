"""The table and the JSON of measures."""

import json

import numpy as np
import pytest

from infsplign.evaluation.metrics.ratios import Ratios
from infsplign.evaluation.scoring.summary import cell, markdown, print_table, summarise


def ratios(values, both=1):
    return Ratios.of(("OA", "cond", "doubled"), [[(v, 1), (v * both, both), (1 - v, 1)] for v in values])


@pytest.fixture
def summary():
    rng = np.random.default_rng(0)
    return summarise({"unguided": ratios(rng.random(20) * 0.4, both=0), "ours": ratios(0.5 + rng.random(20) * 0.5, both=0)})


def test_undefined_is_none_and_a_dash(summary):
    assert summary["methods"]["ours"]["cond"] == {"value": None, "low": None, "high": None}
    assert summary["differences"]["ours - unguided"]["cond"]["value"] is None
    json.dumps(summary, allow_nan=False)
    assert cell({"value": None, "low": None, "high": None}) == "–"


def test_cells():
    assert cell({"value": 0.8524, "low": 0.8, "high": 1.0}) == "85.2 [80.0, 100.0]"
    assert cell({"value": -0.1, "low": -0.2, "high": 0.05}, signed=True) == "-10.0 [-20.0, +5.0]"


def test_markdown_has_a_row_a_method_and_the_differences(summary):
    lines = markdown(summary).splitlines()
    assert lines[0] == "| method | OA | cond | doubled ↓ |"
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")] == [
        "| method",
        "| unguided",
        "| ours",
        "| difference, points",
        "| ours - unguided",
    ]
    assert {line.count("|") for line in lines if line} == {5}


def test_a_single_method_has_no_differences():
    assert "difference" not in markdown(summarise({"ours": ratios([0.5, 1.0])}))


def test_the_first_method_is_what_others_are_compared_with():
    summary = summarise({"a": ratios([0.5, 0.5]), "b": ratios([0.75, 0.75]), "c": ratios([0.25, 0.25])}, resamples=50)
    assert list(summary["differences"]) == ["b - a", "c - a"]
    assert summary["differences"]["b - a"]["OA"] == {"value": 0.25, "low": 0.25, "high": 0.25}
    assert summary["intervals"] == {"kind": "percentile bootstrap over prompts", "level": 0.95, "resamples": 50, "seed": 0}


def test_printed_whole_in_80_columns(summary, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_table(summary, "a title")
    printed = capsys.readouterr().out
    assert "…" not in printed
    for part in ("a title", "unguided", "ours", "OA", "doubled ↓", cell(summary["methods"]["ours"]["OA"])):
        assert part in printed
