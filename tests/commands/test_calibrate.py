"""`infsplign calibrate`: bad input in one line, and a run on a folder's model from the shell's side."""

import sys

import pytest
from diffusers import StableDiffusionImg2ImgPipeline
from typer.testing import CliRunner

import infsplign
from infsplign.calibration import Judge
from infsplign.cli import app
from infsplign.commands import eval_common
from infsplign.commands.calibrate import WORK, parse_bounds
from infsplign.generation import models
from tests import tiny, tiny_transformers


def run(*arguments: str):
    return CliRunner().invoke(app, ["calibrate", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "preset.txt"], "`--out` must be the name of a JSON file"),
        (["--out", "folder.json"], "`--out` must be the name of a JSON file"),
        (["--out", "notes.json"], "`--out` 'notes.json' would replace notes.md of something else"),
        (["--out", "mine.json", "--prompts", "mine.json"], "`--out` 'mine.json' is no preset and would be replaced"),
        (["--out", "done.json", "--bounds", "x"], "`--bounds` must be numbers > 0"),  # its preset was removed, to be made anew
        (["--out", "file/preset.json"], "cannot be written"),
        (["--out", "p.json", "--bounds", "0.1,x"], "`--bounds` must be numbers > 0"),
        (["--out", "p.json", "--bounds", ","], "`--bounds` must be numbers > 0"),
        (["--out", "p.json", "--bounds", "0"], "`--bounds` must be numbers > 0"),
        (["--out", "p.json", "--bounds", "inf"], "`--bounds` must be numbers > 0"),
        (["--out", "p.json", "--detector", "eye"], "`--detector` must be one of"),
        (["--out", "p.json", "--detector-model", "x/y"], "`--detector-model` needs `--detector`"),
        (["--out", "p.json", "--detector", "world", "--bounds", "0.1,0.1"], "`--detector` is of no use with a single bound"),
        (["--out", "p.json", "--model", "shapess"], "'shapess'"),
        (["--out", "p.json", "--device", "meta"], "`--device` must be"),
        (["--out", "p.json", "--dtype", "fp8"], "`--dtype` must be"),
        (["--out", "p.json", "--guidance-scale", "nan"], "`--guidance-scale` must be a finite number"),
        (["--out", "p.json", "--prompts", "missing.txt"], "missing.txt"),
        (["--out", "p.json", "--prompts", "empty.txt"], "is empty"),
        (["--out", "p.json", "--prompts", "alone.txt"], "line 2"),
        (["--out", "p.json", "--count", "1"], "--count"),
        (["--out", "p.json", "--count", "2", "--prompts", "alone.txt"], "`--count` is of no use with `--prompts`"),
        (["--out", "p.json", "--steps", "0"], "--steps"),
        ([], "--out"),
    ],
)
def test_bad_input_is_one_line_before_a_model_is_loaded(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "diffusers.pipelines.pipeline_utils", None)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "mine.json").write_text('["a cat above a dog"]')
    for name in ("notes.md", "done.md"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "done.calibration").mkdir()
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "alone.txt").write_text("a cat above a dog\na cat\n")
    before = sorted(tmp_path.rglob("*"))
    done = run(*arguments)
    assert done.exit_code == 2
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.startswith("infsplign: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny.sd().save_pretrained(folder)
    return folder


def test_a_strangers_model_gets_a_preset(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--model", str(saved), "--out", "preset.json", "--count", "2", "--images", "1", "--steps", "2", "--no-progress"]
    done = run(*options, "--bounds", "0.05,0.1")
    assert done.exit_code == 0, done.stderr
    assert "it/s" not in done.stderr  # no bar of the step that is tried
    assert f"infsplign generate PROMPT --model {saved} --preset preset.json" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"preset.json", "preset.png", "preset.md", f"preset{WORK}"}
    assert infsplign.GuidanceConfig.load("preset.json").max_shift in (0.05, 0.1)
    words = {"--model": str(saved), "--preset": "preset.json", "--steps": "2", "--out": "images"}
    again = CliRunner().invoke(app, ["generate", "a cat to the left of a dog", *(part for item in words.items() for part in item)])
    assert again.exit_code == 0, again.stderr


def test_the_detector_of_the_models_world_judges(monkeypatch, tmp_path):
    from infsplign import calibration

    asked = {}

    def calibrate(_pipe, prompts, **options):
        asked.update(options, prompts=prompts)
        raise ValueError("far enough")

    monkeypatch.setattr(calibration, "calibrate", calibrate)
    monkeypatch.setattr(models, "load_pipeline", lambda *_, **__: tiny.sd())
    done = run("--out", str(tmp_path / "p.json"), "--detector", "world", "--count", "3", "--model", "shapes")
    assert "far enough" in done.stderr
    assert isinstance(asked["judge"], Judge)
    assert (asked["judge"].least, len(asked["prompts"]), asked["sampling"].steps) == (0.6, 3, 30)


def test_objects_that_the_world_does_not_know_are_told_by_its_detector(monkeypatch, tmp_path):
    """It would find them in no image, and the least bound would be taken."""
    monkeypatch.setattr(models, "load_pipeline", lambda *_, **__: tiny.sd())
    (tmp_path / "prompts.txt").write_text("A Star above a moon\na tree near a star\n")
    done = run("--out", str(tmp_path / "p.json"), "--detector", "world", "--model", "shapes", "--prompts", str(tmp_path / "prompts.txt"))
    assert done.exit_code == 2
    told = " ".join(done.stderr.split())
    assert "`--detector` world cannot judge these prompts: the world of shapes does not know 'tree'; leave these prompts" in told


def test_bounds():
    assert parse_bounds("0.1, 0.2") == (0.1, 0.2)
    assert parse_bounds("") == (0.025, 0.05, 0.1, 0.2)


def test_a_guidance_scale_that_the_model_does_not_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model_index.json").write_text("{}")
    monkeypatch.setattr(models, "load_pipeline", lambda *_, **__: tiny_transformers.flux())
    monkeypatch.setattr(eval_common, "load_pipeline", lambda *_, **__: tiny_transformers.flux())
    done = run("--out", "p.json", "--model", "./folder", "--guidance-scale", "7")
    assert (done.exit_code, done.stderr.count("`--guidance-scale` changes nothing: this FluxPipeline has")) == (2, 1), done.stderr
    with pytest.raises(ValueError, match="`--guidance-scale` changes nothing"):
        eval_common.Loading("./folder", "cpu", "fp32", None, 7.0)()


def test_a_model_that_needs_an_image_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = tiny.sd().components
    image_to_image = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)
    monkeypatch.setattr(models, "load_pipeline", lambda *_, **__: image_to_image)
    done = run("--out", "p.json")
    assert done.exit_code == 2
    assert "needs an image beside the prompt" in done.stderr
    assert not list(tmp_path.iterdir())
