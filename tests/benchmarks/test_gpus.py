"""`docs/scale.md` shows what its command prints, the measured time of this machine aside."""

import json
from pathlib import Path

import pytest

from benchmarks.gpus import ASSUMED, IMAGES, MEANING, PROMPTS, plan, writing

ROOT = Path(__file__).parents[2]
FLOPS = json.loads((ROOT / "docs/measured/flops.json").read_text())


def test_the_page_is_up_to_date():
    page = (ROOT / "docs/scale.md").read_text("utf-8")
    assert plan(FLOPS, ASSUMED) in page
    assert all(f"- assumed: {MEANING[name]}: {value:g}" in page for name, value in ASSUMED.items())


def test_hours_follow_from_flops():
    """One model by hand: a unit of work a step, no guided step, an hour of it a GPU-hour."""
    flops = {name: {"unguided_tflop": 0.0, "guided_tflop": 0.0} for name in FLOPS}
    flops["SD1.5 at 512"] = {"unguided_tflop": 3600 / (50 * PROMPTS * IMAGES), "guided_tflop": 7.0}
    row = plan(flops, ASSUMED | {"sustained": 2.0, "half": 0.0, "load": 0.0, "price": 10.0}).splitlines()[2]
    assert [cell.strip() for cell in row.split("|")[4:9]] == ["7", "1", "0.1", "0.0", "10"]


def test_writing_is_measured():
    seconds, record = writing(1000)
    assert seconds > 0
    assert record == pytest.approx(200, abs=60)
