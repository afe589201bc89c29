"""Benchmarks by name: thresholds, what is looked for, what is measured; and files of scores compared with each other."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.detection import Detection
from infsplign.evaluation.detectors import ImageDetections
from infsplign.evaluation.metrics.bootstrap import paired_difference
from infsplign.evaluation.metrics.t2i import SpatialScore
from infsplign.evaluation.metrics.visor import Verdict
from infsplign.evaluation.prompts import BenchmarkPrompt, PromptFileError, published, sr2d
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS, Threshold, by_relation, judge_all, read_for
from infsplign.evaluation.scoring.scored_folder import ComparisonError, Scored, read_earlier
from infsplign.shipped.worlds import WORLDS, world

PROMPT = BenchmarkPrompt("0", "a cat to the left of a dog", "cat", "left of", "dog")


def picture(*found):
    return ImageDetections((479, 479), tuple(Detection(name, score, (x - 5, 95, x + 5, 105)) for name, score, x in found))


class TestThreshold:
    @pytest.mark.parametrize(("inclusive", "kept"), [(True, [0.5, 0.6]), (False, [0.6])])
    def test_at_the_limit(self, inclusive, kept):
        found = picture(("a", 0.4, 1), ("a", 0.5, 1), ("a", 0.6, 1)).detections
        assert [d.score for d in Threshold(0.5, inclusive).keep(found)] == kept

    @given(st.floats(0.01, 0.99), st.booleans(), st.floats(0, 1))
    def test_a_detector_with_its_floor_drops_nothing_that_is_kept(self, value, inclusive, score):
        threshold = Threshold(value, inclusive)
        if threshold.keep([Detection("a", score, (0, 0, 1, 1))]):
            assert score > threshold.floor

    def test_the_floor_holds_in_single_precision(self):
        assert np.float32(0.5) > np.float32(Threshold(0.5, inclusive=True).floor)

    def test_published(self):
        limits = {name: tuple(benchmark.threshold) for name, benchmark in BENCHMARKS.items()}
        assert limits == {
            "visor": (0.1, False), "t2i": (0.1, False), "t2i-infsplign": (0.1, False), "geneval": (0.3, False), "shapes": (0.6, True),
            "pictures": (0.35, True),
        }  # fmt: skip
        assert all(limits[name][0] == world(name).min_score for name in WORLDS)


class TestJudging:
    def test_each_benchmark_applies_its_rule(self):
        """A weak second cat on the wrong side: VISOR's any pair does not mind, the authors' last box does."""
        seen = {"0_00": picture(("cat", 0.9, 50), ("dog", 0.8, 200), ("cat", 0.55, 400))}
        groups = {"0": ["0_00"]}
        first = {name: judge_all(b, [PROMPT], groups, seen)["0"][0] for name, b in BENCHMARKS.items() if name not in WORLDS}
        assert first["visor"] == first["geneval"] == Verdict(True, True)
        assert first["t2i"] == SpatialScore(pytest.approx(0.925), True, 1.0)
        assert first["t2i-infsplign"] == SpatialScore(0.0, True, 0.0)

    def test_the_threshold_can_be_another(self):
        seen = {"0_00": picture(("cat", 0.2, 50), ("dog", 0.8, 200))}
        for least, both in ((0.1, True), (0.2, False)):
            verdicts = judge_all(BENCHMARKS["visor"], [PROMPT], {"0": ["0_00"]}, seen, Threshold(least))
            assert verdicts["0"][0].both is both

    def test_shapes_minds_what_is_below_the_threshold(self):
        two = (("cat", 0.9, 50), ("dog", 0.8, 200))
        seen = {"0_00": picture(*two), "0_01": picture(*two, ("dog", 0.1, 300))}
        clean, doubled = judge_all(BENCHMARKS["shapes"], [PROMPT], {"0": ["0_00", "0_01"]}, seen)["0"]
        assert (clean.strict, clean.doubled, clean.correct) == (True, False, True)
        assert (doubled.strict, doubled.doubled, doubled.correct) == (False, True, True)

    def test_a_score_at_the_threshold_in_single_precision_is_enough_for_strict_too(self):
        least = float(np.float32(0.35))  # below 0.35 in double precision
        seen = {"0_00": picture(("cat", least, 50), ("dog", 0.8, 200))}
        (verdict,) = judge_all(BENCHMARKS["pictures"], [PROMPT], {"0": ["0_00"]}, seen)["0"]
        assert verdict.correct
        assert verdict.strict

    def test_people_are_persons_in_any_spelling(self):
        asked = BenchmarkPrompt("0", "a Girl near a dog", "Girl", "near", "dog")
        seen = {"0_00": picture(("person", 0.9, 50), ("dog", 0.8, 100))}
        assert judge_all(BENCHMARKS["t2i"], [asked], {"0": ["0_00"]}, seen)["0"][0].both

    def test_prompts_without_images_are_left_out(self):
        assert judge_all(BENCHMARKS["visor"], [PROMPT, replace(PROMPT, id="1")], {"1": ["1_00"]}, {"1_00": picture()}).keys() == {"1"}

    def test_what_is_looked_for(self):
        people = replace(PROMPT, first="girl", second="man", relation="near")
        assert BENCHMARKS["t2i"].names(people) == ("person",)
        assert BENCHMARKS["visor"].names(people) == ("girl", "man")

    def test_what_is_measured(self):
        prompts = [replace(PROMPT, id=str(n), relation=relation) for n, relation in enumerate(("above", "and", "single", "near"))]
        assert [p.relation for p in BENCHMARKS["visor"].asked(prompts)] == ["above"]
        assert [p.relation for p in BENCHMARKS["t2i"].asked(prompts)] == ["above", "near"]
        itself = replace(PROMPT, first="Cat", second="cat")  # no rule judges it: a run of the detector would end in an error
        assert BENCHMARKS["visor"].asked([PROMPT, itself]) == [PROMPT]
        with pytest.raises(ValueError, match="none of the 1 prompts, such as '.*', asks for exactly one relation .*: left of, right of, a"):
            BENCHMARKS["visor"].asked(prompts[1:2])

    def test_measures_of_each_relation(self):
        prompts = [PROMPT, replace(PROMPT, id="1", relation="above"), replace(PROMPT, id="2", relation="above")]
        right, wrong = Verdict(True, True), Verdict(False, False)
        found = by_relation(BENCHMARKS["visor"], prompts, {"0": [wrong], "1": [right], "2": [wrong]})
        assert found == {
            "above": {"OA": 0.5, "cond": 1.0, "uncond": 0.5, "VISOR-1": 0.5},
            "left of": {"OA": 0.0, "cond": None, "uncond": 0.0, "VISOR-1": 0.0},
        }


def test_prompts_are_read_from_either_form(tmp_path):
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps(published(sr2d()[:3])))
    assert read_for("visor", theirs) == sr2d()[:3]
    with pytest.raises(FileNotFoundError):
        read_for("visor", tmp_path / "nothing")


def test_published_rows_may_be_json_lines_as_in_other_commands(tmp_path):
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(row) + "\n" for row in published(sr2d()[:3])))
    found = read_for("visor", tmp_path / "lines.jsonl")
    assert [replace(prompt, extra={}) for prompt in found] == [replace(prompt, extra={}) for prompt in sr2d()[:3]]


FULL = {"id": "a", "text": "a cat above a dog", "first": "cat", "relation": "above", "second": "dog"}


@pytest.mark.parametrize(
    "row",
    [
        FULL | {"id": 7},
        {"id": "b", "text": "a cat above a dog"},
        FULL | {"id": "b", "second": None},
        {name: FULL[name] for name in ("text", "id", "first", "relation")},
        {name: FULL[name] for name in ("id", "text", "first", "relation")},
    ],
)
@pytest.mark.parametrize("alone", [False, True])
def test_rows_that_do_not_say_all_are_read_as_other_commands_read_them(tmp_path, row, alone):
    """A missing second object was looked for as "", never found, and scored 0."""
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in ([row] if alone else [FULL | {"id": "first"}, row])))
    found = read_for("visor", path)[-1]
    assert (found.id, found.first, found.relation, found.second) == (str(row["id"]), "cat", "above", "dog")


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PromptFileError, match="pipe' is a pipe, and a file is needed: it is read more than once"):
        read_for("visor", tmp_path / "pipe")


class TestScored:
    PROMPTS = tuple(replace(PROMPT, id=str(n)) for n in range(4))
    GROUPS = {str(n): [f"{n}_00", f"{n}_01"] for n in range(3)}  # noqa: RUF012

    def scored(self, *correct, label="a", threshold=0.1, groups=None):
        verdicts = {str(n): [Verdict(True, ok) for ok in row] for n, row in enumerate(correct)}
        return Scored(label, "visor", {"name": "x"}, Threshold(threshold), self.PROMPTS, groups or self.GROUPS, verdicts)

    def written(self, folder, *correct, **options):
        scored = self.scored(*correct, **options)
        scored.write(folder, scored.results())
        return read_earlier(folder)

    def test_files(self, tmp_path):
        self.written(tmp_path, (1, 1), (1, 0), (0, 0))
        assert {path.name for path in tmp_path.iterdir()} == {"results.json", "images.jsonl", "table.md"}
        results = json.loads((tmp_path / "results.json").read_text())
        assert results["methods"]["a"]["uncond"]["value"] == 0.5
        assert (results["prompts"], results["prompts_of_benchmark"], results["images"]) == (3, 4, 2)
        assert (results["benchmark"], results["detector"]) == ("visor", {"name": "x"})
        assert results["threshold"] == {"value": 0.1, "inclusive": False}
        rows = [json.loads(line) for line in (tmp_path / "images.jsonl").read_text().splitlines()]
        asked = {"prompt": "1", "text": PROMPT.text, "first": "cat", "relation": "left of", "second": "dog"}
        assert rows[3] == {"key": "1_01", **asked, "both": True, "correct": 0}
        table = (tmp_path / "table.md").read_text()
        assert "| a | 100.0 [100.0, 100.0] | 50.0 [" in table
        assert "\n| left of | 100.0 [" in table

    def test_differences_are_paired(self, tmp_path):
        earlier = self.written(tmp_path, (1, 1), (1, 0), (0, 0))
        later = self.scored((1, 1), (1, 1), (1, 0), label="b")
        found = later.results(earlier)["differences"]["b - a"]["uncond"]
        ratios = [BENCHMARKS["visor"].ratios(s.verdicts) for s in (self.scored((1, 1), (1, 0), (0, 0)), later)]
        expected = paired_difference(*ratios)
        place = ratios[0].names.index("uncond")
        assert found == {name: pytest.approx(float(getattr(expected, name)[place])) for name in ("value", "low", "high")}
        assert found["value"] == pytest.approx(2 / 6)

    def test_no_difference_from_itself(self, tmp_path):
        earlier = self.written(tmp_path, (1, 1), (1, 0), (0, 0))
        found = self.scored((1, 1), (1, 0), (0, 0)).results(earlier)["differences"]["a - a (before)"]
        assert all(measure == {"value": 0, "low": 0, "high": 0} for measure in found.values())

    def test_what_was_scored_otherwise_is_refused(self, tmp_path):
        earlier = self.written(tmp_path, (1, 1), (1, 0), (0, 0), threshold=0.2)
        with pytest.raises(ComparisonError, match="was scored otherwise:\n  threshold.value: 0.2 there, 0.1 asked for"):
            self.scored((1, 1), (1, 0), (0, 0)).results(earlier)

    def test_other_prompts_are_refused(self, tmp_path):
        earlier = self.written(tmp_path, (1, 1), (1, 0), groups={"0": ["0_00", "0_01"], "1": ["1_00", "1_01"]})
        with pytest.raises(ComparisonError, match="1 differ, such as '2': 0 images there, 2 here"):
            self.scored((1, 1), (1, 0), (0, 0)).results(earlier)

    @pytest.mark.parametrize("change", [{"text": "a cat"}, {"first": "fox"}, {"second": "cow"}, {"relation": "right of"}])
    def test_other_prompts_with_the_same_ids_are_refused(self, tmp_path, change):
        """The lines of any text file are called line-0001, ..."""
        earlier = self.written(tmp_path, (1, 1), (1, 0), (0, 0))
        later = self.scored((1, 1), (1, 0), (0, 0))
        prompts = (self.PROMPTS[0], replace(self.PROMPTS[1], **change), *self.PROMPTS[2:])
        ((name, value),) = change.items()
        with pytest.raises(ComparisonError, match=f"the same prompts; '1' is another one:\n  {name}: .* there, \"{value}\" asked for"):
            replace(later, prompts=prompts).results(earlier)

    def test_scores_of_before_rows_told_the_prompt_are_compared(self, tmp_path):
        self.written(tmp_path, (1, 1), (1, 0), (0, 0))
        rows = [json.loads(line) for line in (tmp_path / "images.jsonl").read_text().splitlines()]
        kept = [{name: value for name, value in row.items() if name not in ("text", "first", "second")} for row in rows]
        (tmp_path / "images.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
        assert self.scored((1, 1), (1, 0), (0, 0)).results(read_earlier(tmp_path))["differences"]

    def test_no_scores(self, tmp_path):
        with pytest.raises(ComparisonError, match="`--against` .* holds no scores"):
            read_earlier(tmp_path)
