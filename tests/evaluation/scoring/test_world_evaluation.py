"""The run of the shapes benchmark with a stub for the model: figures known beforehand, going on, refusing."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from infsplign.detection import Detection
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.evaluation.running.run_folder import SettingsError
from infsplign.evaluation.scoring import world_evaluation
from infsplign.evaluation.scoring.world_evaluation import evaluate_listed, inspect_image
from infsplign.shapes import detector
from infsplign.shapes.world import Placed
from infsplign.shipped.worlds import World
from tests.evaluation.stub import StubSampler, contents, nothing, right, run


def values(results, method):
    return {name: measure["value"] for name, measure in results["methods"][method].items()}


def test_a_score_at_the_threshold_in_single_precision_is_enough():
    """As `infsplign score` compares them; 0.35 in single precision is less in double precision."""
    least = float(np.float32(0.35))
    seen = [Detection("cat", least, (0, 0, 9, 9)), Detection("dog", 0.9, (50, 0, 59, 9))]
    drawn = World("pictures", ("cat", "dog"), lambda images: [seen for _ in images], 0.35, ())
    record = inspect_image(Image.new("RGB", (64, 64)), BenchmarkPrompt("1", "a cat to the left of a dog", "cat", "left of", "dog"), drawn)
    assert record["correct"]
    assert record["strict"]


class TestFigures:
    def test_all_right_and_all_wrong(self, tmp_path):
        results = run(tmp_path, count=8)
        good, bad = values(results, "infsplign"), values(results, "unguided")
        assert [good[name] for name in ("OA", "cond", "uncond", "VISOR-1", "VISOR-2", "strict", "doubled")] == [1, 1, 1, 1, 1, 1, 0]
        assert [bad[name] for name in ("OA", "cond", "uncond", "VISOR-1", "VISOR-2", "strict", "doubled")] == [1, 0, 0, 0, 0, 0, 0]
        assert good["shape"] > 0.8
        assert results["differences"]["infsplign - unguided"]["strict"] == {"value": 1, "low": 1, "high": 1}

    def test_nothing_detected(self, tmp_path):
        results = run(tmp_path, StubSampler(nothing), methods={"unguided": None})
        assert results["methods"]["unguided"]["cond"] == {"value": None, "low": None, "high": None}
        assert {name: v for name, v in values(results, "unguided").items() if v} == {}
        assert "| – |" in (tmp_path / "table.md").read_text()

    def test_one_image_right_and_one_with_an_object_twice(self, tmp_path):
        firsts = {seed("tune", p.text, 0) for p in prompts("tune", 4)}

        def first_right_second_doubled(text, image_seed):
            drawn = right(text, image_seed)
            return drawn if image_seed in firsts else (*drawn, Placed(drawn[0].name, 2, 2, 24))

        names = ("OA", "cond", "uncond", "VISOR-2", "strict", "doubled")
        found = values(run(tmp_path, StubSampler(first_right_second_doubled), methods={"unguided": None}, count=4), "unguided")
        assert [found[name] for name in names] == [1, 1, 1, 1, 0.5, 0.5]

    def test_one_image_right_and_one_empty(self, tmp_path):
        firsts = {seed("tune", p.text, 0) for p in prompts("tune", 4)}
        sampler = StubSampler(lambda text, image_seed: right(text, image_seed) if image_seed in firsts else ())
        found = values(run(tmp_path, sampler, methods={"unguided": None}, count=4), "unguided")
        assert [found[name] for name in ("OA", "cond", "uncond", "VISOR-1", "VISOR-2", "strict")] == [0.5, 1, 0.5, 1, 0, 0.5]

    def test_by_relation(self, tmp_path):
        def only_left_and_above(text, image_seed):
            return right(text, image_seed) if " left " in text or " above " in text else nothing(text, image_seed)

        relations = run(tmp_path, StubSampler(only_left_and_above), count=8, methods={"unguided": None})["relations"]["unguided"]
        assert {name: row["OA"] for name, row in relations.items()} == {"left of": 1, "right of": 0, "above": 1, "below": 0}

    def test_files(self, tmp_path):
        results = run(tmp_path, count=1, images=2)
        assert json.loads((tmp_path / "results.json").read_text()) == results
        assert sorted(contents(tmp_path)) == [
            *("infsplign.jsonl", "infsplign/tune-0000_00.png", "infsplign/tune-0000_01.png", "manifest.json", "results.json", "table.md"),
            *("unguided.jsonl", "unguided/tune-0000_00.png", "unguided/tune-0000_01.png"),
        ]
        (line, _) = (tmp_path / "infsplign.jsonl").read_text().splitlines()
        record = json.loads(line)
        assert record["prompt"] == "a fish to the left of a circle"
        assert record["seed"] == seed("tune", record["prompt"], 0)
        assert {d["name"] for d in record["detections"]} == {"fish", "circle"}
        assert (record["both"], record["correct"], record["strict"], record["doubled"]) == (True, True, True, False)
        table = (tmp_path / "table.md").read_text()
        assert table.startswith("| method | OA | cond | uncond | VISOR-1 | VISOR-2 | strict | doubled ↓ | shape |\n")
        assert "| infsplign | 100.0 [–, –] |" in table
        assert results["seed_rule"]
        assert results["detector"]["min_score"] == 0.6


class TestGoingOn:
    def test_done_is_not_done_again(self, tmp_path):
        first = run(tmp_path)
        before, again = contents(tmp_path), StubSampler()
        assert run(tmp_path, again) == first
        assert again.calls == []
        assert contents(tmp_path) == before

    @pytest.mark.parametrize("dies_at", range(8))
    def test_interrupted_and_resumed_is_as_if_never_interrupted(self, tmp_path, dies_at):
        run(tmp_path / "whole")
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", StubSampler(dies_at=dies_at))
        rest = StubSampler()
        run(tmp_path / "cut", rest)
        assert len(rest.calls) == 8 - dies_at
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

    def test_more_prompts_and_images_keep_what_is_there(self, tmp_path):
        run(tmp_path, count=4, images=3)
        kept = contents(tmp_path / "unguided")
        more = StubSampler()
        run(tmp_path, more, count=8, images=3)
        assert sum(map(len, more.calls)) == 2 * 4 * 3
        assert kept.items() <= contents(tmp_path / "unguided").items()
        assert run(tmp_path, count=4, images=3)["prompts"] == 4
        assert len((tmp_path / "unguided.jsonl").read_text().splitlines()) == 24

    def test_methods_can_be_added(self, tmp_path):
        run(tmp_path, methods={"unguided": None})
        more = StubSampler()
        run(tmp_path, more, methods={"unguided": None, "strong": GuidanceConfig(scale=3000)})
        assert sum(map(len, more.calls)) == 10
        assert list(json.loads((tmp_path / "manifest.json").read_text())["methods"]) == ["unguided", "strong"]

    def test_missing_changed_and_cut_images_are_made_anew(self, tmp_path):
        run(tmp_path)
        before = contents(tmp_path)
        (tmp_path / "unguided" / "tune-0000_00.png").unlink()
        Image.new("RGB", (96, 96)).save(tmp_path / "unguided" / "tune-0002_01.png")
        cut = tmp_path / "infsplign" / "tune-0004_00.png"
        cut.write_bytes(cut.read_bytes()[:100])
        run(tmp_path)
        assert contents(tmp_path) == before

    def test_a_line_cut_short_costs_one_image(self, tmp_path):
        run(tmp_path)
        before, lines = contents(tmp_path), tmp_path / "unguided.jsonl"
        lines.write_bytes(lines.read_bytes()[:-40])
        again = StubSampler()
        run(tmp_path, again)
        assert len(again.calls) == 1
        assert contents(tmp_path) == before

    def test_another_detector_looks_again_without_new_images(self, tmp_path, monkeypatch):
        run(tmp_path)
        monkeypatch.setattr(world_evaluation.fingerprint, "sources", lambda *modules: "another")
        monkeypatch.setattr(detector, "detect", lambda image: [])
        again = StubSampler()
        results = run(tmp_path, again)
        assert again.calls == []
        assert values(results, "infsplign")["OA"] == 0
        lines = (tmp_path / "unguided.jsonl").read_text().splitlines()
        assert all(json.loads(line)["inspected_by"].startswith("another: ") for line in lines)

    def test_an_object_that_was_corrected_in_the_file_of_prompts_is_looked_for(self, tmp_path):
        """The text, and so the image, is the same."""
        asked = BenchmarkPrompt("1", "a star to the left of a moon", "star", "left of", "heart")
        other = BenchmarkPrompt("2", "a fish above a moon", "fish", "above", "moon")
        options = {"name": "shapes", "images": 2, "methods": {"infsplign": GuidanceConfig()}, "progress": False}
        results = evaluate_listed("sr2d", [asked, other], StubSampler(), tmp_path, **options)
        assert values(results, "infsplign")["OA"] == 0.5
        before = (tmp_path / "infsplign.jsonl").read_text().splitlines()
        again = StubSampler()
        results = evaluate_listed("sr2d", [replace(asked, second="moon"), other], again, tmp_path, **options)
        assert again.calls == []
        assert values(results, "infsplign")["OA"] == 1
        assert (tmp_path / "infsplign.jsonl").read_text().splitlines()[2:] == before[2:]  # the other prompt's were not looked at again

    def test_batches_do_not_matter_but_in_rounding_so_a_run_keeps_its_own(self, tmp_path):
        """The stub rounds nothing: its images and their figures are the same."""
        one, many = run(tmp_path / "one", batch=1), run(tmp_path / "many", batch=100)
        assert one["methods"] == many["methods"]
        assert contents(tmp_path / "one" / "infsplign") == contents(tmp_path / "many" / "infsplign")
        with pytest.raises(SettingsError, match="settings.batch: 1 there, 100 asked for"):
            run(tmp_path / "one", batch=100)
