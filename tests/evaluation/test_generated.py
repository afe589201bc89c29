"""Folders of `infsplign generate`, as `score` and `report` read them."""

import hashlib
import json
import warnings

import pytest
from PIL import Image
from typer.testing import CliRunner

from infsplign.cli import app
from infsplign.evaluation.generated import GeneratedError, left_out, pooled, read_generated, settings
from infsplign.evaluation.page import ReportError, write_report
from infsplign.evaluation.page.reading import read_run
from infsplign.shapes.world import Placed, Scene, render
from tests.evaluation import stub

LEFT, RIGHT = Placed("circle", 8, 30, 32), Placed("square", 56, 30, 32)


def record(key: str, **changes):
    files = {"unguided": "unguided_0.png", "guided": "guided_0.png"}
    verdict = {
        "relations": {"circle left of square": {"unguided": [False], "guided": [True]}},
        "strict": {"unguided": [False], "guided": [True]},
        "wrong": {"unguided": [["no square"]], "guided": [[]]},
    }
    return {
        "versions": {"infsplign": "1"}, "id": key, "prompt": "a circle to the left of a square", "objects": ["circle", "square"],
        "relations": [["circle", "left of", "square"]], "model": {"name": "shapes", "pipeline": "P"}, "steps": 3, "guidance_scale": 5.0,
        "images": [{"seed": 7, "files": files}], "verdict": verdict,
    } | changes  # fmt: skip


def write(folder, key: str = "prompt", **changes):
    folder.mkdir(parents=True)
    render(Scene((LEFT,), "", 1)).save(folder / "unguided_0.png")
    render(Scene((LEFT, RIGHT), "", 1)).save(folder / "guided_0.png")
    (folder / "trace.json").write_text(json.dumps(record(key, **changes)))
    return folder


@pytest.mark.parametrize("many", [False, True])
def test_both_methods_are_scored_and_reported(tmp_path, many):
    folder = tmp_path / "made"
    keys = ["a", "b"] if many else ["prompt"]
    for key in keys:
        write(folder / key if many else folder, key)
    arguments = ["score", "--images", str(folder), "--benchmark", "shapes", "--detector", "world", "--out", str(folder / "scores")]
    done = CliRunner().invoke(app, [*arguments, "--no-progress"])
    assert done.exit_code == 0, done.stderr
    results = {name: json.loads((folder / "scores" / name / "results.json").read_text()) for name in ("unguided", "guided")}
    assert results["unguided"]["methods"]["unguided"]["strict"]["value"] == 0
    assert results["guided"]["methods"]["guided"]["strict"]["value"] == 1
    assert results["guided"]["differences"]["guided - unguided"]["strict"]["value"] == 1
    assert results["guided"]["prompts"] == len(keys)
    shown = write_report([folder], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert shown == 2 * len(keys)
    assert "guided - unguided" in page
    assert 'href="made/' in page


def test_methods_with_images_of_other_prompts_are_scored_without_a_difference(tmp_path):
    """As where one of several runs, side by side, was made with `--no-unguided`: the first of its name would come first, and the other
    method was never scored."""
    folder = tmp_path / "made"
    write(folder / "a", "a", images=[{"seed": 7, "files": {"guided": "guided_0.png"}}])
    write(folder / "b", "b", model={"name": "owner/a-model-of-a-long-name", "pipeline": "P"})
    arguments = ["score", "--images", str(folder), "--benchmark", "shapes", "--detector", "world", "--out", str(folder / "scores")]
    done = CliRunner().invoke(app, [*arguments, "--no-progress"])
    assert done.exit_code == 0, done.stderr
    assert "guided and unguided have images of other prompts, so that no difference" in done.stderr
    results = {name: json.loads((folder / "scores" / name / "results.json").read_text()) for name in ("unguided", "guided")}
    assert {name: result["prompts"] for name, result in results.items()} == {"unguided": 1, "guided": 2}
    assert not results["guided"].get("differences")


def test_a_report_says_how_many_images_there_are_and_the_whole_name_of_the_model(tmp_path):
    folder, files = tmp_path / "made", {"guided": "guided_0.png"}
    write(folder / "a", "a", images=[{"seed": seed, "files": files} for seed in (7, 8, 9)], verdict=None)
    write(folder / "b", "b", model={"name": "owner/a-model-of-a-long-name", "pipeline": "P"})
    write_report([folder], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "2 prompts \u00d7 1 to 3 images" in page
    assert "owner/a-model-of-a-long-name" in page


@pytest.mark.parametrize("method", ["unguided", "guided"])
def test_recorded_detections_are_of_the_method_whose_images_were_looked_at(tmp_path, method):
    folder, found = write(tmp_path / "made"), tmp_path / f"found-{method}.json"
    common = ["score", "--images", str(folder), "--benchmark", "shapes", "--no-progress"]
    looked = CliRunner().invoke(app, [*common, "--detector", "world", "--detections", str(tmp_path / "found.json")])
    for each in ("unguided", "guided"):
        assert f"detections of {each} written to {tmp_path}/found-{each}.json" in looked.stdout.replace("\n", "")
    assert looked.exit_code == 0, looked.stderr
    done = CliRunner().invoke(app, [*common, "--detector", str(found), "--out", str(tmp_path / "scores")])
    assert done.exit_code == 0, done.stderr
    results = json.loads((tmp_path / "scores" / "results.json").read_text())
    assert results["methods"][method]["strict"]["value"] == (method == "guided")
    assert list(results["methods"]) == [method]


@pytest.mark.parametrize(("changed", "said"), [('"sha256": "0', "holds other images (unguided, guided)"), ('"sha": "', "do not say which")])
def test_recorded_detections_of_other_images_are_refused(tmp_path, changed, said):
    folder = write(tmp_path / "made")
    common = ["score", "--images", str(folder), "--benchmark", "shapes", "--no-progress", "--detector"]
    CliRunner().invoke(app, [*common, "world", "--detections", str(tmp_path / "found.json")])
    found = tmp_path / "found-guided.json"
    found.write_text(found.read_text().replace('"sha256": "', changed))
    done = CliRunner().invoke(app, [*common, str(found)])
    assert done.exit_code == 2
    assert said in done.stderr


def test_scores_of_images_that_have_changed_are_left_out_of_the_report(tmp_path):
    """`infsplign generate` writes the same names again, whatever its options."""
    folder = write(tmp_path / "made")
    arguments = ["score", "--images", str(folder), "--benchmark", "visor", "--detector", "world", "--out", str(folder / "scores")]
    assert CliRunner().invoke(app, [*arguments, "--no-progress"]).exit_code == 0
    whole = read_run(folder)
    assert whole.stale == []
    assert set(whole.measured[0].methods) == {"unguided", "guided"}
    render(Scene((RIGHT,), "", 1)).save(folder / "guided_0.png")
    run = read_run(folder)
    assert run.stale == ["scores/guided"]
    assert [set(measured.methods) for measured in run.measured] == [{"unguided"}]
    write_report([folder], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "scores/guided: left out, since these are scores of images that were here before" in page


def test_ids_are_those_that_generate_takes_and_any_folder_has_one(tmp_path):
    """`generate --prompts` takes `a+b`; folders of single prompts, put side by side, may have blanks and any letters in their names."""
    write(tmp_path / "made" / "a+b", "a+b")
    for name in ("a cat", "кот", "plain"):
        write(tmp_path / "made" / name)
    found = read_generated(tmp_path / "made")
    assert len({one.prompt().id for one in found}) == 4
    assert {"a+b", "plain"} < {one.id for one in found}


def test_images_that_were_generated_for_another_prompt_are_refused(tmp_path):
    folder = write(tmp_path / "made", "line-0001")
    arguments = ["score", "--images", str(folder), "--benchmark", "visor", "--detector", "world", "--no-progress"]
    for text, code in (("a circle to the left of a square", 0), ("a circle above a square", 2)):
        (tmp_path / "prompts.txt").write_text(text)
        done = CliRunner().invoke(app, [*arguments, "--prompts", str(tmp_path / "prompts.txt")])
        assert done.exit_code == code, done.output
    assert "'line-0001_00' was made for 'a circle to the left of a square', and `--prompts` asks for 'a circle above" in done.stderr


def test_an_object_that_is_misshapen_is_not_there(tmp_path):
    """As the detector's scores say, which count it below the threshold."""
    verdict = record("x")["verdict"] | {"wrong": {"unguided": [["square misshapen"]], "guided": [["not circle left of square"]]}}
    (one,) = read_generated(write(tmp_path / "made", verdict=verdict))
    assert [one.verdicts()[method]["prompt_00"]["both"] for method in ("unguided", "guided")] == [False, True]


def test_without_scores_the_verdicts_of_the_trace_are_shown(tmp_path):
    (one,) = read_generated(write(tmp_path / "made"))
    assert one.verdicts() == {
        "unguided": {"prompt_00": {"correct": False, "both": False}},
        "guided": {"prompt_00": {"correct": True, "both": True}},
    }
    write_report([tmp_path / "made"], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert 'data-verdict="missing"' in page
    assert 'data-verdict="right"' in page
    write(tmp_path / "other", verdict={"reason": "unknown"})
    write_report([tmp_path / "other"], tmp_path / "report.html")
    assert 'data-verdict="open"' in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "relations", "shown"),
    [
        ("a circle left of a square", [["circle", "right of", "square"]], "right of"),
        ("a circle and a square", [["circle", "above", "square"], ["circle", "near", "square"]], "above + near"),
    ],
)
def test_the_page_files_images_under_the_relation_that_was_asked_for(tmp_path, text, relations, shown):
    """`--relation` takes the place of what the text says, and the verdict is of it."""
    write(tmp_path / "made", prompt=text, relations=relations)
    write_report([tmp_path / "made"], tmp_path / "page.html")
    assert f'data-relation="{shown}"' in (tmp_path / "page.html").read_text("utf-8")


def test_several_relations_are_left_out_of_benchmarks(tmp_path):
    relations = [["circle", "left of", "square"], ["circle", "above", "square"]]
    (one,) = read_generated(write(tmp_path / "made", relations=relations, verdict=None))
    assert one.prompt().relation == ""
    arguments = ["score", "--images", str(tmp_path / "made"), "--benchmark", "shapes", "--detector", "world"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "none of the 1 prompts, such as 'a circle to the left of a square', asks for exactly one relation" in done.stderr


def test_other_folders_are_none(tmp_path):
    assert read_generated(tmp_path) == []
    assert read_generated(tmp_path / "nothing") == []
    Image.new("RGB", (8, 8)).save(tmp_path / "a_0.png")
    done = CliRunner().invoke(app, ["score", "--images", str(tmp_path), "--benchmark", "shapes", "--detector", "world"])
    assert done.exit_code == 2
    assert "`--prompts` is needed" in done.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": {}},
        {"images": [{"seed": 7, "files": {"guided": "../guided_0.png"}}]},
        {"images": [{"seed": "x", "files": {}}]},
        {"relations": [["circle", 5, "square"]]},
        {"objects": []},
        {"id": "../x"},
        {"verdict": {"strict": {"guided": [True]}}},
        {"verdict": 5},
    ],
)
def test_broken_records_are_refused(tmp_path, changes):
    folder = write(tmp_path / "made", **({"relations": []} if "objects" in changes else {}) | changes)
    with pytest.raises(GeneratedError, match=r"trace.json' is no record of `infsplign generate`"):
        read_generated(folder)


def test_folders_of_several_runs_side_by_side_are_all_read(tmp_path):
    """The ids of prompts in a file without ids are its lines: the same in each run."""
    write(tmp_path / "one", "line-0001")
    write(tmp_path / "two", "line-0001", steps=6, guidance_scale=7.5, model={"name": "other", "pipeline": "P"})
    found = read_generated(tmp_path)
    assert [one.id for one in found] == ["one", "two"]
    assert settings(found) | {"scheduler": {}} == {
        "benchmark": "infsplign generate", "pipeline": "P", "model": "shapes, other", "scheduler": {}, "device": "", "dtype": "",
        "steps": "3, 6", "guidance_scale": "5.0, 7.5",
    }  # fmt: skip
    assert write_report([tmp_path], tmp_path / "page.html") == 4
    assert "guidance scale 5.0, 7.5" in (tmp_path / "page.html").read_text("utf-8")


def test_a_run_that_was_stopped_is_told(tmp_path):
    folder = write(tmp_path / "made" / "a", "a", status="running", images=[], verdict=None).parent
    arguments = ["score", "--images", str(folder), "--benchmark", "shapes", "--detector", "world", "--no-progress"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "holds no image: `infsplign generate` was stopped before its first one" in done.stderr
    write(folder / "b", "b", status="complete")
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert "1 of 2 prompts are not finished, such as 'a'" in done.stderr
    write_report([folder], tmp_path / "report.html")
    assert "This run is not finished" in (tmp_path / "report.html").read_text("utf-8")


def test_runs_with_other_options_are_told_where_they_are_counted_together(tmp_path):
    """Three strengths side by side would be one method, and one prompt and seed three."""
    for number, bound in enumerate((0.05, 0.15)):
        write(tmp_path / "out" / f"run-{number}", config={"max_shift": bound, "stop": 0.5})
    told = "runs that differ in `max_shift` and the same prompt and seed several times, counted together as one"
    done = CliRunner().invoke(
        app, ["score", "--images", str(tmp_path / "out"), "--benchmark", "shapes", "--detector", "world", "--no-progress"]
    )
    assert told in done.stderr
    write_report([tmp_path / "out"], tmp_path / "report.html")
    assert told in (tmp_path / "report.html").read_text("utf-8")
    write(tmp_path / "alike" / "a", "a", config={"max_shift": 0.1})
    write(tmp_path / "alike" / "b", "b", config={"max_shift": 0.1}, prompt="a square to the right of a circle")
    assert pooled(read_generated(tmp_path / "alike")) is None
    assert pooled([]) is None
    for number, size in enumerate(((64, 64), (128, 32))):
        write(tmp_path / "sizes" / str(number), images=[{"seed": number, "size": size, "files": record("")["images"][0]["files"]}])
    assert "runs that differ in `size`, counted" in pooled(read_generated(tmp_path / "sizes"))


def test_an_image_that_was_replaced_has_no_verdict(tmp_path):
    folder = tmp_path / "out"
    write(folder)
    hashes = {name: hashlib.sha256((folder / f"{name}_0.png").read_bytes()).hexdigest() for name in ("unguided", "guided")}
    (image,) = record("")["images"]
    (folder / "trace.json").write_text(json.dumps(record("prompt", images=[image | {"sha256": hashes}])))
    assert (read_run(folder).replaced, len(read_run(folder).verdicts["guided"])) == (0, 1)
    Image.new("RGB", (64, 64)).save(folder / "guided_0.png")
    found = read_run(folder)
    assert (found.replaced, found.verdicts["guided"], len(found.verdicts["unguided"])) == (1, {}, 1)


def test_scores_of_an_earlier_run_are_called_so_beside_those_of_this_one(tmp_path):
    """Both runs have images that are called "guided"."""
    for name in ("one", "two"):
        write(tmp_path / name)
    score = ["score", "--benchmark", "shapes", "--detector", "world", "--no-progress"]
    CliRunner().invoke(app, [*score, "--images", str(tmp_path / "one"), "--out", str(tmp_path / "one" / "scores")])
    against = ["--out", str(tmp_path / "two" / "scores"), "--against", str(tmp_path / "one" / "scores" / "guided")]
    done = CliRunner().invoke(app, [*score, "--images", str(tmp_path / "two"), *against])
    assert done.exit_code == 0, done.stderr
    found = {name: json.loads((tmp_path / "two" / "scores" / name / "results.json").read_text()) for name in ("unguided", "guided")}
    assert set(found["unguided"]["methods"]) == {"guided (before)", "unguided"}
    assert set(found["guided"]["methods"]) == {"guided (before)", "guided"}


def test_images_that_are_not_read_with_a_folder_are_told(tmp_path):
    write(tmp_path / "one")
    assert left_out(tmp_path / "one") is None
    write(tmp_path / "one" / "below", "other")
    told = "holds images of one prompt, and folders of 1 other prompts, such as 'below', which are left out"
    score = ["score", "--benchmark", "shapes", "--detector", "world", "--no-progress", "--images", str(tmp_path / "one")]
    assert told in " ".join(CliRunner().invoke(app, score).stderr.split())
    write_report([tmp_path / "one"], tmp_path / "r.html")
    assert "holds images of one prompt, and folders of 1 other prompts" in (tmp_path / "r.html").read_text("utf-8")
    stub.run(tmp_path / "run")
    assert read_run(tmp_path / "run").beside is None
    write(tmp_path / "run" / "made")
    assert "is a run, and holds images of `infsplign generate` too" in read_run(tmp_path / "run").beside


def test_images_of_other_seeds_are_no_pairs(tmp_path):
    """Two runs of the same prompt, whose images have the same numbers."""
    for name, seed in (("one", 7), ("two", 8)):
        write(tmp_path / name, images=[record("")["images"][0] | {"seed": seed}])
    score = ["score", "--benchmark", "shapes", "--detector", "world", "--no-progress"]
    CliRunner().invoke(app, [*score, "--images", str(tmp_path / "one"), "--out", str(tmp_path / "s")])
    against = ["--against", str(tmp_path / "s" / "guided")]
    with warnings.catch_warnings(action="error"):
        assert CliRunner().invoke(app, [*score, "--images", str(tmp_path / "one"), *against]).exit_code == 0
    with pytest.warns(UserWarning, match=r"prompt_00 of seed 7 there, prompt_00 of seed 8 here\): these are no pairs"):
        assert CliRunner().invoke(app, [*score, "--images", str(tmp_path / "two"), *against]).exit_code == 0
    done = CliRunner().invoke(app, [*score, "--images", str(tmp_path / "one"), "--against", str(tmp_path / "s")])
    assert "there are scores in " in " ".join(done.stderr.split())


def test_the_folder_of_a_run_is_no_folder_of_images(tmp_path):
    stub.run(tmp_path / "run")
    score = ["score", "--benchmark", "shapes", "--detector", "world", "--images", str(tmp_path / "run")]
    told = " ".join(CliRunner().invoke(app, score, env={"COLUMNS": "400"}).stderr.split())
    assert "is a run; give the images of one of its methods: " in told
    assert "run/infsplign, " in told


def test_scores_below_a_folder_that_is_no_run_are_named(tmp_path):
    write(tmp_path / "made")
    score = ["score", "--benchmark", "shapes", "--detector", "world", "--no-progress", "--images", str(tmp_path / "made")]
    assert CliRunner().invoke(app, [*score, "--out", str(tmp_path / "out")]).exit_code == 0
    with pytest.raises(ReportError, match="; scores are in '.*/out/guided' and '.*/out/unguided': give these"):
        read_run(tmp_path / "out")
