"""Which images a comparison shows, and what is said under them."""

import json

import pytest

from benchmarks.cases import changed, failures, records, verdict
from tests.evaluation.stub import run

RIGHT = {"strict": True, "both": True, "correct": True, "doubled": False}


def record(**wrong):
    return RIGHT | {"strict": False} | wrong


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (RIGHT, "strict"),
        (record(both=False, correct=False), "an object is missing"),
        (record(both=False, correct=False, doubled=True), "an object is missing, one doubled"),
        (record(correct=False), "relation wrong"),
        (record(correct=False, doubled=True), "relation wrong, doubled"),
        (record(doubled=True), "doubled"),
        (record(), "something else is there"),
    ],
)
def test_verdict_says_what_is_wrong(found, said):
    assert verdict(found) == said


def test_prompts_of_an_earlier_longer_run_are_no_part(tmp_path):
    """Beside a table of fewer prompts their images would count in the percents."""
    run(tmp_path, count=4)
    assert len(records(tmp_path, "infsplign")) == 8
    run(tmp_path, count=2)
    assert len((tmp_path / "infsplign.jsonl").read_text().splitlines()) == 8
    assert list(records(tmp_path, "infsplign")) == ["tune-0000_00", "tune-0000_01", "tune-0001_00", "tune-0001_01"]


def test_the_first_image_of_each_prompt_is_shown_and_no_more_than_asked_for():
    before = {"a_00": record(), "a_01": record(), "b_00": RIGHT, "b_01": record(), "c_00": record(), "d_00": record(), "e_00": RIGHT}
    after = {"a_00": record(), "a_01": RIGHT, "b_00": record(), "b_01": RIGHT, "c_00": RIGHT, "d_00": RIGHT, "e_00": RIGHT}
    assert changed(before, after, each=3) == {"won": ["a_01", "b_01", "c_00"], "lost": ["b_00"]}


def test_a_prompt_that_only_one_of_the_methods_has_is_not_compared():
    assert changed({}, {"a_00": RIGHT}, each=1) == {"won": [], "lost": []}


def test_failures_are_counted_once_each_and_add_up(tmp_path):
    once, twice = [{}, {}], [{}, {}, {}]
    rows = [RIGHT | {"detections": once}] * 4 + [record(correct=False, detections=once), record(detections=twice)]
    rows += [record(doubled=True, detections=twice), record(correct=False, doubled=True, detections=twice)]
    rows += [record(both=False, correct=False, detections=[{}]), record(both=False, correct=False, doubled=True, detections=once)]
    lines = "".join(json.dumps(row | {"key": f"p_{number:02d}"}) + "\n" for number, row in enumerate(rows))
    (tmp_path / "mine.jsonl").write_text(lines)
    assert failures(tmp_path, ["mine"]).splitlines()[-1] == "| mine | 50.0 | 40.0 | 20.0 | 20.0 | 10.0 | 10.0 |"
