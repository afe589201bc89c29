"""`infsplign score`: the same numbers as the run that made the images, and again from what it has kept."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from infsplign.cli import app
from infsplign.evaluation.detectors.recorded import FORMAT
from infsplign.evaluation.detectors.world import WorldDetector
from infsplign.evaluation.page import write_report
from tests import tiny_detectors
from tests.evaluation import stub

PROMPTS = "a cat on the left of a dog\na girl near a lamp\n"


def run(*arguments):
    return CliRunner().invoke(app, ["score", "--no-progress", *map(str, arguments)], env={"COLUMNS": "200"})


def said(done):
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of five prompts and two images, unguided wrong and guided right, beside the file of all prompts of its world."""
    folder = tmp_path_factory.mktemp("made")
    results = stub.run(folder / "run")
    assert CliRunner().invoke(app, ["prompts", "shapes", "--out", str(folder / "shapes.jsonl")]).exit_code == 0
    return folder, results


def scored(made, method, out, *more):
    folder, _ = made
    common = ["--prompts", folder / "shapes.jsonl", "--benchmark", "shapes", "--images", folder / "run" / method, "--out", out]
    done = run(*common, *(("--detector", "world") if "--detector" not in more else ()), *more)
    assert done.exit_code == 0, done.output
    return done, json.loads((out / "results.json").read_text())


class TestShapes:
    @pytest.mark.parametrize("method", ["unguided", "infsplign"])
    def test_the_measures_are_those_of_the_run(self, made, method, tmp_path):
        done, results = scored(made, method, tmp_path / "out")
        assert results["methods"][method] == made[1]["methods"][method]
        assert results["relations"][method] == made[1]["relations"][method]
        assert results["detector"] == WorldDetector("shapes").settings()
        assert "5 of 504 prompts x 2 images" in said(done)
        assert "detector world shapes" in said(done)
        assert "score >= 0.6" in said(done)

    def test_scored_again_without_looking(self, made, tmp_path, monkeypatch):
        kept = tmp_path / "kept.json"
        _, before = scored(made, "infsplign", tmp_path / "a", "--detections", kept)
        monkeypatch.setattr(WorldDetector, "detect", lambda *_: pytest.fail("looked again"))
        _, again = scored(made, "infsplign", tmp_path / "b", "--detections", kept)
        _, recorded = scored(made, "infsplign", tmp_path / "c", "--detector", kept)
        assert before == again == recorded
        assert (tmp_path / "a" / "images.jsonl").read_bytes() == (tmp_path / "c" / "images.jsonl").read_bytes()

    def test_only_new_and_changed_images_are_looked_at(self, made, tmp_path, monkeypatch):
        images, kept = tmp_path / "images", tmp_path / "kept.json"
        shutil.copytree(made[0] / "run" / "infsplign", images)
        common = ["--prompts", made[0] / "shapes.jsonl", "--benchmark", "shapes", "--detector", "world", "--images", images]
        assert run(*common, "--detections", kept, "--count", "1").exit_code == 0
        Image.new("RGB", (96, 96), "white").save(images / "tune-0000_00.png")
        looked, detect = [], WorldDetector.detect
        monkeypatch.setattr(WorldDetector, "detect", lambda self, found, names: looked.extend(found) or detect(self, found, names))
        assert run(*common, "--detections", kept).exit_code == 0
        assert len(looked) == 6  # the second images of five prompts, and the changed one
        done = run(*common[:-4], "--detector", kept, "--images", made[0] / "run" / "infsplign")
        assert done.exit_code == 2
        assert "tune-0000_00.png' has changed since it was looked at" in said(done)

    def test_paired_differences(self, made, tmp_path):
        scored(made, "unguided", tmp_path / "a")
        _, results = scored(made, "infsplign", tmp_path / "b", "--against", tmp_path / "a")
        assert results["differences"] == made[1]["differences"]

    def test_images_that_their_run_made_for_another_prompt_are_refused(self, made, tmp_path, monkeypatch):
        """As when a line was put into a text of prompts, whose ids are the numbers of the lines."""
        rows = [json.loads(line) for line in (made[0] / "shapes.jsonl").read_text().splitlines()]
        ids, first, second = [row["id"] for row in rows], rows[0]["text"], rows[1]["text"]
        moved = [row | {"id": name} for row, name in zip([*rows[1:], rows[0]], ids, strict=True)]
        (tmp_path / "moved.jsonl").write_text("".join(json.dumps(row) + "\n" for row in moved))
        monkeypatch.chdir(made[0] / "run" / "unguided")
        common = ["--prompts", tmp_path / "moved.jsonl", "--benchmark", "shapes", "--images", ".", "--detector"]
        done = run(*common, "world")
        assert done.exit_code == 2
        assert f"the image 'tune-0000_00' was made for '{first}', and `--prompts` asks for '{second}'; give the prompts that" in said(done)
        scored(made, "unguided", tmp_path / "a", "--detections", tmp_path / "kept.json")
        done = run(*common, tmp_path / "kept.json")
        assert done.exit_code == 2
        assert "was made for" in said(done)
        shutil.copytree(".", tmp_path / "elsewhere")  # without its run nothing tells what the images were made for
        common[5] = tmp_path / "elsewhere"
        assert run(*common, "world").exit_code == 0

    def test_the_threshold_is_named(self, made, tmp_path):
        done, results = scored(made, "infsplign", tmp_path / "a", "--threshold", "0.99")
        assert results["threshold"] == {"value": 0.99, "inclusive": True}
        assert "score >= 0.99" in said(done)
        assert results["methods"]["infsplign"]["OA"]["value"] < made[1]["methods"]["infsplign"]["OA"]["value"]


@pytest.fixture
def t2i(tmp_path):
    """Prompts of T2I-CompBench with images under their published names."""
    (tmp_path / "spatial_val.txt").write_text(PROMPTS)
    (tmp_path / "samples").mkdir()
    for text in PROMPTS.splitlines():
        for number in range(2):
            Image.new("RGB", (48, 40), (number * 90, 30, 200)).save(tmp_path / "samples" / f"{text}_{number:06d}.png")
    return tmp_path


class TestT2I:
    def test_with_a_transformers_detector(self, t2i):
        tiny_detectors.owl(t2i / "owl")
        common = ["--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--images", t2i / "samples"]
        common += ["--detector", "owlvit", "--model", t2i / "owl", "--device", "cpu", "--detections", t2i / "kept.json"]
        done = run(*common, "--threshold", "0.2", "--out", t2i / "out")
        assert done.exit_code == 0, done.output
        kept = json.loads((t2i / "kept.json").read_text())
        assert kept["detector"]["name"] == "owlvit"
        assert kept["images"]["a girl near a lamp_000001"]["names"] == ["person", "lamp"]
        assert kept["images"]["a girl near a lamp_000001"]["size"] == [48, 40]
        assert all(row["detections"] for row in kept["images"].values())
        results = json.loads((t2i / "out" / "results.json").read_text())
        assert results["detector"]["model"] == str(t2i / "owl")
        assert set(results["methods"]["samples"]) == {"score", "both", "position"}
        assert set(results["relations"]["samples"]) == {"left of", "near"}
        done = run(*common, "--threshold", "0.3")
        assert done.exit_code == 2
        assert "holds detections with other settings" in said(done)

    def detections(self, folder, **change):
        def row(*found):
            return {"size": [479, 479], "detections": [{"name": n, "score": s, "box": [x - 5, 5, x + 5, 15]} for n, s, x in found]}

        images = {
            "a cat on the left of a dog_000000": row(("cat", 0.9, 50), ("dog", 0.7, 300), ("cat", 0.6, 400)),
            "a cat on the left of a dog_000001": row(("cat", 0.9, 50), ("dog", 0.1, 300)),
            "a girl near a lamp_000000": row(("person", 0.8, 50), ("lamp", 0.6, 60)),
            "a girl near a lamp_000001": row(("girl", 0.8, 50), ("lamp", 0.6, 60)),
        }
        path = folder / "theirs.json"
        path.write_text(json.dumps({"format": FORMAT, "detector": {"name": "unidet"} | change, "images": images}))
        return path

    @pytest.mark.parametrize(("benchmark", "expected"), [("t2i", (0.9 + 0.85) / 4), ("t2i-infsplign", 0.85 / 4)])
    def test_detections_made_elsewhere(self, t2i, benchmark, expected):
        """By hand: 0.25 (0.9 + 0.7) + 0.5 = 0.9 and 0 below the threshold; 0.25 (0.8 + 0.6) + 0.5 = 0.85 and 0 without a person."""
        path, out = self.detections(t2i), t2i / "out"
        done = run("--prompts", t2i / "spatial_val.txt", "--benchmark", benchmark, "--detector", path, "--out", out)
        assert done.exit_code == 0, done.output
        results = json.loads((out / "results.json").read_text())
        assert results["methods"]["theirs"]["score"]["value"] == pytest.approx(expected)
        assert "detector unidet of unknown version, score > 0.1" in said(done)

    @pytest.mark.parametrize("looked", ["with a detector", "before", "before, with the images"])
    def test_images_of_no_prompt_are_counted(self, t2i, looked):
        """A slip in their names would be scored as fewer images."""
        (t2i / "some.txt").write_text(PROMPTS.splitlines()[1])
        common = ["--prompts", t2i / "some.txt", "--benchmark", "t2i"]
        if looked == "with a detector":
            tiny_detectors.owl(t2i / "owl")
            common += ["--images", t2i / "samples", "--detector", "owlvit", "--model", t2i / "owl", "--device", "cpu"]
        else:
            common += ["--detector", self.detections(t2i), *(["--images", t2i / "samples"] if "images" in looked else [])]
        done = run(*common)
        assert done.exit_code == 0, done.output
        assert "2 of 4 images are left out: they belong to no prompt that is measured, such as 'a cat on the left of a dog_" in said(done)

    def test_a_detector_that_sees_the_asked_objects_alone_is_told_beside_strict(self, t2i):
        tiny_detectors.owl(t2i / "owl")
        common = ["--prompts", t2i / "spatial_val.txt", "--images", t2i / "samples", "--detector", "owlvit", "--model", t2i / "owl"]
        told = "`strict` cannot tell whether something else is in an image"
        (t2i / "spatial_val.txt").write_text(next(line for line in PROMPTS.splitlines() if "left" in line))
        for benchmark in ("shapes", "t2i"):
            done = run(*common, "--device", "cpu", "--benchmark", benchmark)
            assert done.exit_code == 0, done.output
            assert (told in said(done)) == (benchmark == "shapes")
            done = run(*common, "--device", "cpu", "--benchmark", benchmark, "--detections", t2i / "found.json")
            assert done.exit_code == 0, done.output
            done = run(*common[:4], "--benchmark", benchmark, "--detector", t2i / "found.json")
            assert done.exit_code == 0, done.output
            assert (told in said(done)) == (benchmark == "shapes"), "detections that were kept are of the same objects"
            (t2i / "found.json").unlink()

    def test_detections_kept_above_a_higher_score_are_refused(self, t2i):
        path = self.detections(t2i, threshold=0.6)
        done = run("--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--detector", path)
        assert done.exit_code == 2
        assert "kept above a score of 0.6, and 0.1 is needed" in said(done)
        path = self.detections(t2i, threshold=float(np.float32(0.1)))  # as a detector in single precision tells it
        assert run("--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--detector", path).exit_code == 0

    def test_a_hash_may_be_in_capitals(self, t2i):
        """As PowerShell writes it."""
        path, samples = self.detections(t2i), t2i / "samples"
        found = json.loads(path.read_text())
        for key, row in found["images"].items():
            row["sha256"] = hashlib.sha256((samples / f"{key}.png").read_bytes()).hexdigest().upper()
        path.write_text(json.dumps(found))
        done = run("--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--detector", path, "--images", samples)
        assert done.exit_code == 0, done.output

    def test_an_image_without_detections_is_refused(self, t2i):
        samples = t2i / "samples"
        for text in PROMPTS.splitlines():
            shutil.copy(samples / f"{text}_000001.png", samples / f"{text}_000002.png")
        done = run("--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--detector", self.detections(t2i), "--images", samples)
        assert done.exit_code == 2
        assert "_000002' is not among the detections" in said(done)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--detector", "yolo", "--images", "{0}/samples"], "`--detector` must be owlvit"),
            (["--detector", "owlvit"], "`--images` is needed"),
            (["--detector", "owlvit", "--images", "{0}/nothing"], "there is no folder of images"),
            (["--detector", "owlvit", "--images", "{0}"], "no image belongs to a prompt"),
            (["--detector", "owlvit", "--images", "{0}/samples", "--count", "3"], "2 of 2 prompts have fewer than 3 images"),
            (["--detector", "owlvit", "--images", "{0}/samples", "--model", "{0}/none"], "could not be loaded"),
            (["--detector", "world", "--images", "{0}/samples", "--model", "x"], "`world` must be one of shapes, pictures"),
            (["--detector", "{0}/none.json"], "none.json"),
            (["--detector", "{0}/none.json", "--model", "x"], "--model is of no use"),
            (["--detector", "{0}/none.json", "--device", "cuda"], "--device is of no use"),
            (["--detector", "owlvit", "--images", "{0}/samples", "--against", "{0}"], "holds no scores"),
            (["--detector", "owlvit", "--images", "{0}/samples", "--out", "{0}/spatial_val.txt"], "cannot be written"),
        ],
    )
    def test_one_message_and_nothing_written(self, t2i, arguments, message):
        before = sorted(t2i.rglob("*"))
        done = run("--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", *(argument.format(t2i) for argument in arguments))
        assert done.exit_code == 2
        assert message in said(done)
        assert sorted(t2i.rglob("*")) == before

    def test_a_file_that_is_no_image(self, t2i):
        (t2i / "samples" / "a cat on the left of a dog_000001.png").write_text("no")
        done = run("--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--detector", "world", "--images", t2i / "samples")
        assert done.exit_code == 2
        assert "dog_000001.png' is no image that can be read" in said(done)

    def test_prompts_whose_objects_the_world_does_not_know_are_left_out(self, t2i):
        """It finds nothing of them, whatever the images show: they would be scored 0."""
        common = ["--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--detector", "world", "--images", t2i / "samples"]
        done = run(*common, "--out", t2i / "out")
        assert done.exit_code == 0, done.output
        assert "1 of 2 prompts with images are left out: the world of pictures does not know 'lamp'" in said(done)
        assert json.loads((t2i / "out" / "results.json").read_text())["prompts"] == 1
        done = run(*common, "--model", "shapes")
        assert done.exit_code == 2
        assert "the world of shapes does not know 'cat', 'dog', 'lamp', 'person'; use another detector, or name another world" in said(done)

    def test_a_threshold_below_what_the_detector_keeps_is_refused(self, t2i):
        common = ["--prompts", t2i / "spatial_val.txt", "--benchmark", "t2i", "--detector", "world", "--images", t2i / "samples"]
        done = run(*common, "--threshold", "0.1")
        assert done.exit_code == 2
        assert "are kept above a score of 0.2, and 0.1 is needed; give a `--threshold` that is not below it" in said(done)
        assert run(*common, "--threshold", "0.2").exit_code == 0


def test_what_was_found_is_kept_when_looking_is_interrupted(tmp_path, monkeypatch):
    from infsplign.evaluation.detectors.recorded import read_recording
    from infsplign.evaluation.scoring.detecting import detect_all

    for number in range(5):
        Image.new("RGB", (9, 9)).save(tmp_path / f"{number}.png")
    files = {str(number): tmp_path / f"{number}.png" for number in range(5)}
    calls, detect = [], WorldDetector.detect

    def dies(self, images, names):
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return detect(self, images, names)

    monkeypatch.setattr(WorldDetector, "detect", dies)
    asked = {"names": dict.fromkeys(files, ("star",)), "detector": WorldDetector("shapes")}
    options = asked | {"keep": tmp_path / "kept.json", "batch": 2, "progress": False}
    with pytest.raises(KeyboardInterrupt):
        detect_all(files, **options)
    assert list(read_recording(tmp_path / "kept.json").images) == ["0", "1", "2", "3"]
    assert list(detect_all(files, **options).images) == ["0", "1", "2", "3", "4"]
    assert calls == [2, 2, 1, 1]


class TestWhereScoresGo:
    @pytest.fixture
    def own(self, made, tmp_path):
        shutil.copytree(made[0] / "run", tmp_path / "run")
        return tmp_path / "run", ["--prompts", made[0] / "shapes.jsonl", "--benchmark", "shapes", "--detector", "world"]

    def page(self, folder, tmp_path):
        write_report([folder], tmp_path / "page.html")
        return (tmp_path / "page.html").read_text("utf-8")

    def test_the_results_of_a_run_are_not_replaced(self, own):
        folder, common = own
        before = (folder / "results.json").read_bytes()
        done = run(*common, "--images", folder / "infsplign", "--out", folder)
        assert done.exit_code == 2
        assert "is the folder of a run, whose results would be replaced; give one below it, such as" in said(done)
        assert (folder / "results.json").read_bytes() == before

    @pytest.mark.parametrize("below", ["scores", "scores/world/shapes/infsplign"])
    def test_scores_anywhere_below_a_run_are_reported(self, own, tmp_path, below):
        folder, common = own
        assert run(*common, "--images", folder / "infsplign", "--out", folder / below).exit_code == 0
        assert "detector world shapes" in self.page(folder, tmp_path)

    def test_scores_of_no_method_of_the_run_are_told(self, own, tmp_path):
        folder, common = own
        found = tmp_path / "found.json"
        assert run(*common, "--images", folder / "infsplign", "--detections", found).exit_code == 0
        again = [found if part == "world" else part for part in common]
        assert run(*again, "--out", folder / "scores" / "again").exit_code == 0
        assert "scores/again: left out, since these are scores of found, which is no method of this run" in self.page(folder, tmp_path)

    def test_a_method_that_is_a_link_keeps_its_name(self, own, tmp_path):
        folder, common = own
        (folder / "infsplign").rename(tmp_path / "elsewhere")
        (folder / "infsplign").symlink_to(tmp_path / "elsewhere")
        assert run(*common, "--images", folder / "infsplign", "--out", folder / "scores").exit_code == 0
        assert "detector world shapes" in self.page(folder, tmp_path)

    def test_scores_of_other_numbers_of_images_stand_apart(self, own, tmp_path):
        folder, common = own
        assert run(*common, "--images", folder / "infsplign", "--out", folder / "scores" / "a").exit_code == 0
        assert run(*common, "--images", folder / "unguided", "--count", 1, "--out", folder / "scores" / "b").exit_code == 0
        page = self.page(folder, tmp_path)
        assert page.count("score ≥ 0.6; 5 prompts × 1 images</h3>") == 1


@pytest.mark.parametrize("recorded", [False, True])
def test_a_label_is_the_whole_name_of_the_folder(made, tmp_path, recorded):
    shutil.copytree(made[0] / "run" / "infsplign", tmp_path / "sd1.5")
    common = ["--prompts", made[0] / "shapes.jsonl", "--benchmark", "shapes", "--images", tmp_path / "sd1.5", "--out", tmp_path / "out"]
    assert run(*common, "--detector", "world", "--detections", tmp_path / "found.json").exit_code == 0
    if recorded:
        assert run(*common, "--detector", tmp_path / "found.json").exit_code == 0
    assert json.loads((tmp_path / "out" / "results.json").read_text())["label"] == "sd1.5"


def test_a_bad_place_for_detections_is_told_by_their_option(tmp_path):
    (tmp_path / "asked.txt").write_text("a circle above a square\n")
    done = run("--prompts", tmp_path / "asked.txt", "--images", tmp_path, "--benchmark", "shapes", "--detector", "world",
               "--detections", tmp_path / "asked.txt" / "found.json")  # fmt: skip
    assert done.exit_code == 2
    assert "`--detections` " in said(done)
