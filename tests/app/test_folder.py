"""The folder of everything: `infsplign report` and `infsplign score` read it."""

import json
import re
import zipfile
from dataclasses import replace

import pytest
from PIL import Image
from typer.testing import CliRunner

from infsplign.app.folder import NAME, write_results, zipped
from infsplign.cli import app
from infsplign.core.scenes import Scene
from infsplign.generation.verdicts import judged


@pytest.fixture(scope="module")
def results(result):
    """Two of one model and one of another; the third prompt has no relation that benchmarks measure."""
    again = replace(result, options=replace(result.options, seed=1))
    placed = Scene.of([("heart", "at the top"), ("heart", "left of", "diamond")])
    other = replace(result, options=replace(result.options, prompt="a heart at the top left of a diamond", model="some/Other model"))
    return [result, replace(other, scene=placed, verdicts=replace(result.verdicts, outcomes={})), again]


@pytest.fixture(scope="module")
def root(results, tmp_path_factory):
    """The unpacked zip file."""
    folder = tmp_path_factory.mktemp("zip")
    path = zipped(results, folder)
    assert [file.name for file in folder.iterdir()] == [f"{NAME}.zip"]
    with zipfile.ZipFile(path) as file:
        file.extractall(folder / "out")
    assert [file.name for file in (folder / "out").iterdir()] == [NAME]
    return folder / "out" / NAME


def test_each_model_has_a_folder(root):
    assert {path.name for path in root.iterdir()} == {"README.txt", "shapes", "some-other-model"}
    assert (root / "shapes" / "figures" / "0003_curves.png").exists()
    lines = [json.loads(line) for line in (root / "shapes" / "guided.jsonl").read_text().splitlines()]
    assert [(line["key"], line["seed"]) for line in lines] == [("0001_00", 0), ("0003_00", 1)]
    assert (root / "some-other-model" / "guided" / "0002_00.png").exists()  # the numbers of the gallery
    assert Image.open(root / "shapes" / "unguided" / "0001_00.png").size == (96, 96)


def test_names_of_folders_differ(results, tmp_path):
    write_results(
        [replace(one, options=replace(one.options, model=model)) for one, model in zip(results, ("a/b", "a-b", "A b"), strict=True)],
        tmp_path,
    )
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"a-b", "a-b-2", "a-b-3"}


def test_the_report_reads_it(root, tmp_path):
    done = CliRunner().invoke(app, ["report", str(root / "shapes"), str(root / "some-other-model"), "--out", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "2 runs, 6 images" in done.output
    alone = CliRunner().invoke(app, ["report", str(root / "shapes"), "--out", str(tmp_path / "one.html")])
    assert "one.html: 1 run, " in alone.output.replace("\n", "")
    assert "a heart to the right of a diamond" in page
    assert "is not finished" not in page
    assert "4 steps" in page


def test_the_commands_of_the_readme_work(root, monkeypatch):
    monkeypatch.chdir(root)
    commands = re.findall(r"^  infsplign (.+)$", (root / "README.txt").read_text(), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["report", "score"]  # the other model has nothing to score
    report, score = (CliRunner().invoke(app, command.split(), env={"COLUMNS": "200"}) for command in commands)
    assert report.exit_code == 0, report.output
    assert score.exit_code == 0, score.output
    assert "2 of 2 prompts x 1 images" in " ".join(score.output.split())


def test_images_with_other_options_are_told_where_they_are_counted_together(results, tmp_path, monkeypatch):
    """Presses of the button with several strengths are no images of one method."""
    weaker = replace(results[0], record={**results[0].record, "config": {**results[0].record["config"], "max_shift": 0.01}})
    write_results([results[0], weaker], tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^  infsplign (.+)$", (tmp_path / "README.txt").read_text(), re.MULTILINE)
    score = CliRunner().invoke(app, commands[1].split())
    told = "images that differ in `max_shift` and the same prompt and seed several times, counted together as one"
    assert told in " ".join(score.stderr.split())
    CliRunner().invoke(app, commands[0].split())
    assert told in (tmp_path / "report.html").read_text("utf-8")


def test_prompts_of_other_relations_are_not_scored(root):
    assert not (root / "some-other-model" / "prompts.jsonl").exists()
    assert len((root / "shapes" / "prompts.jsonl").read_text().splitlines()) == 2


def test_a_relation_by_hand_that_the_prompt_contradicts_is_not_scored(results, tmp_path):
    """`score` would refuse the whole file of prompts."""
    turned = replace(results[0], scene=Scene.of([("heart", "left of", "diamond")]))
    write_results([turned, results[2]], tmp_path)
    (row,) = (tmp_path / "shapes" / "prompts.jsonl").read_text().splitlines()
    assert json.loads(row)["id"] == "0002"
    places = {"images": "shapes/guided", "prompts": "shapes/prompts.jsonl", "out": "scores"}
    options = [f"--{name}={tmp_path / place}" for name, place in places.items()]
    done = CliRunner().invoke(app, ["score", "--benchmark", "visor", "--detector", "world", *options])
    assert done.exit_code == 0, done.output


def test_objects_that_the_detector_does_not_know_are_not_scored(results, tmp_path):
    """The page has no verdict on them, and `score` would count them as missing."""
    prompt = "a red heart to the right of a diamond"
    scene = Scene.of([("red heart", "right of", "diamond")])
    verdicts = judged("shapes", scene, [0], {})
    coloured = replace(results[0], options=replace(results[0].options, prompt=prompt), scene=scene, verdicts=verdicts)
    other = replace(coloured, options=replace(coloured.options, model="some/other"), verdicts=judged("some/other", scene, [0], {}))
    write_results([coloured, results[2], other], tmp_path, first=41)
    rows = {model: [json.loads(line) for line in (tmp_path / model / "prompts.jsonl").open()] for model in ("shapes", "some-other")}
    assert {model: [row["id"] for row in found] for model, found in rows.items()} == {"shapes": ["0042"], "some-other": ["0043"]}


def test_a_misshapen_object_is_not_there(results, tmp_path):
    """As `infsplign eval` counts it: the detector's score is too low."""
    found = results[0].verdicts.outcomes
    spoilt = {method: [replace(each[0], wrong=("heart misshapen",))] for method, each in found.items()}
    write_results([replace(results[0], verdicts=replace(results[0].verdicts, outcomes=spoilt))], tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "shapes" / "guided.jsonl").read_text().splitlines()]
    assert [row["both"] for row in rows] == [False]
