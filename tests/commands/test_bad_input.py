"""Bad options and files of every command: one message and exit code 2, before a model is loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import infsplign
from infsplign.cli import app, explained
from infsplign.commands import describe, eval_common
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.running import ray_workers
from infsplign.generation import models
from infsplign.generation.memory import parse_memory
from tests.evaluation import stub
from tests.evaluation.test_image_reading import png

PROMPT = "a circle to the left of a square"
SR2D = ["eval", "sr2d", "--model", "shapes", "--out", "out"]
SCORE = ["score", "--benchmark", "visor", "--prompts", "prompts.jsonl"]


@pytest.fixture
def unloaded(monkeypatch, tmp_path):
    """A folder with a file of prompts; whatever loads a model, or Ray, fails the test."""

    def load(*_, **__):
        pytest.fail("a model was loaded")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(eval_common.Loading, "__call__", load)
    monkeypatch.setattr(ray_workers, "_ray", load)
    monkeypatch.setitem(sys.modules, "diffusers.pipelines.pipeline_utils", None)
    (tmp_path / "prompts.jsonl").write_text('{"id": "a", "text": "a cat above a dog"}\n')
    return tmp_path


def message(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code == 2
    assert done.stdout == ""
    before, sign, text = done.stderr.partition("infsplign: error: ")
    assert (before, sign) == ("", "infsplign: error: ")
    return text.rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["generate", PROMPT, "--device", "meta"], "`--device` must be cpu, cuda"),
        (["describe", "--device", "meta"], "`--device` must be cpu, cuda"),
        (["generate", PROMPT, "--device", "META"], "`--device` must be cpu, cuda"),
        (["generate", PROMPT, "--device", "lazy"], "`--device` 'lazy' cannot be used here"),
        (["generate", PROMPT, "--device", ""], "`--device` must be cpu, cuda"),
        ([*SR2D, "--device", "meta"], "`--device` must be cpu, cuda"),
        (["generate", "a \udcff to the left of a square"], "`PROMPT` must be a text in UTF-8"),
        (["generate", PROMPT, "--negative-prompt", "\udcff"], "`--negative-prompt` must be a text in UTF-8"),
        (["generate", PROMPT, "--relation", "\udcff left of square"], "`--relation` must be a text in UTF-8"),
        (["describe", "--size", "1000000000"], "Invalid value for '--size'"),
        (["describe", "--batch", "1000000000000"], "Invalid value for '--batch'"),
        (["describe", "--size", "16384", "--batch", "2"], "must be at most 268435456 pixels"),
        (["describe", "--memory", "12 parsecs"], "`--memory` must be an amount"),
        (["generate", PROMPT, "--height", "1000000000"], "Invalid value for '--height'"),
        (["generate", PROMPT, "--steps", "1000000000"], "Invalid value for '--steps'"),
        (["generate", PROMPT, "--steps", "0"], "generate --help`"),
        (["generate", PROMPT, "--model", "~nobody-here/x"], "there is no model folder '~nobody-here/x'"),
        (["generate", PROMPT, "--lora", "~nobody-here/x=1"], "`--lora` '~nobody-here/x' is neither a file"),
        (["generate", PROMPT, "--vae", "~nobody-here/x"], "`--vae` '~nobody-here/x' is neither a file"),
        (["generate", PROMPT, "--nothing"], "No such option"),
        (["generate"], "Missing argument"),
        (["nothing"], "No such command"),
        (["--nothing"], "No such option"),
        (["eval", "nothing"], "No such command"),
        ([*SR2D, "--ray", "no.such:1"], "`--ray` must be"),
        ([*SR2D, "--ray", "no.such:6379"], "no cluster can be used there"),
        ([*SR2D, "--ray", "127.0.0.1:1029"], "no cluster can be used there: Connection refused"),
        ([*SR2D, "--dtype", "fp8"], "`--dtype` must be"),
        (["eval", "sr2d", "--out", "out", "--model", "./nowhere"], "there is no model folder"),
        ([*SR2D, "--prompts", "long.jsonl"], "ids of `prompts` name files and must be at most 241 bytes, got 245"),
        ([*SR2D, "--prompts", "number.json"], "expected `obj_1_attributes` to be a list or null, got 5"),
        ([*SR2D, "--prompts", "twice.jsonl"], "ids of `prompts` must differ"),
        ([*SR2D, "--prompts", "nowhere.jsonl"], "Invalid value for '--prompts': file 'nowhere.jsonl' does not exist"),
        ([*SR2D, "--prompts", "prompts.jsonl", "--world"], "no prompt relates two nouns of the world of 'shapes' by a direction"),
        ([*SR2D, "--prompts", "."], "Invalid value for '--prompts': file '.' is a directory"),
        (["generate", "--prompts", "nowhere"], "Invalid value for '--prompts': file 'nowhere' does not exist"),
        (["generate", PROMPT, "--preset", "nowhere"], "Invalid value for '--preset': file 'nowhere' does not exist"),
        (["calibrate", "--out", "a.json", "--prompts", "nowhere"], "Invalid value for '--prompts': file 'nowhere' does not exist"),
        (["prompts", "geneval", "--out", "a", "--from", "nowhere"], "Invalid value for '--from': file 'nowhere' does not exist"),
        (["app", "--preset", "nowhere"], "Invalid value for '--preset': file 'nowhere' does not exist"),
        ([*SCORE, "--detector", "nowhere.json"], "`--detector` 'nowhere.json' must be a file of detections"),
        ([*SCORE, "--detector", "owlvit", "--detections", "."], "`--detections` must be a file, got the folder"),
        (["eval", "world", "--model", "shapes", "--world", "pictures"], "`--world` must be shapes, which the shipped model 'shapes' draws"),
        (["eval", "world", "--methods", "unguided", "--scale", "3"], "`--scale` is of no use without a guided method"),
        (["eval", "world", "--out", "out", "--prompts", "99999"], "`--prompts` must be 1 to"),
    ],
)
def test_cases_27_to_29_one_message_before_a_model_is_loaded(unloaded, arguments, expected):
    (unloaded / "long.jsonl").write_text(json.dumps({"id": "x" * 245, "text": "a cat above a dog"}))
    (unloaded / "number.json").write_text(json.dumps([{"unique_id": 1, "text": "a cat above a dog", "obj_1_attributes": 5}]))
    (unloaded / "twice.jsonl").write_text((unloaded / "prompts.jsonl").read_text() * 2)
    before = sorted(unloaded.rglob("*"))
    said = message(*arguments)
    assert expected in said
    assert "\n" not in said
    assert sorted(unloaded.rglob("*")) == before


@pytest.mark.parametrize("device", ["cuda:999", "privateuseone", "toaster", "cpu:x", "cuda:-1"])
def test_devices_that_are_not_here(device):
    with pytest.raises(ValueError, match="`--device`"):
        models.choose_device(device)


@pytest.mark.parametrize(
    ("text", "size"), [("12", 12e9), ("12GB", 12e9), ("8 GiB", 8 * 2**30), ("800mb", 8e8), ("1TB", 1e12), ("512b", 512)]
)
def test_case_27_amounts_of_memory(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["0", "-1", "1" * 400, "nan", "", "1e3", "12.5.1", "12000000000", "GB"])
def test_case_27_no_amounts_of_memory(text):
    with pytest.raises(ValueError, match="`--memory` must be an amount such as 12GB"):
        parse_memory(text)


def test_case_27_describe_shows_what_makes_a_large_scale_safe(monkeypatch):
    config = GuidanceConfig(scale=5000.0, max_shift=0.1, patience=3, margin_hold=0.2, every=4, repeats=2, plan="checkpoint", normalise=True)
    monkeypatch.setattr(describe, "defaults_for", lambda model: models.Defaults(None, None, config))
    said = CliRunner().invoke(app, ["describe"]).stdout
    for part in ("scale 5000, bound 0.1", "pauses where the scene held in 3 looks, gaps >= 0.2", "every 4", "repeats 2", "plan checkpoint"):
        assert part in said


class TestScore:
    @pytest.fixture
    def made(self, tmp_path, monkeypatch):
        """A run with its prompts and its detections."""
        monkeypatch.chdir(tmp_path)
        stub.run(tmp_path / "run", count=2, images=1)
        assert CliRunner().invoke(app, ["prompts", "shapes", "--out", "shapes.jsonl"]).exit_code == 0
        done = CliRunner().invoke(app, [*self.COMMON, "world", "--images", "run/unguided", "--detections", "found.json"])
        assert done.exit_code == 0, done.output
        return tmp_path

    COMMON = ("score", "--no-progress", "--benchmark", "shapes", "--prompts", "shapes.jsonl", "--detector")

    def test_case_29_a_number_of_400_digits_in_a_box(self, made):
        text = (made / "found.json").read_text()
        start = text.index('"box": [') + len('"box": [')
        (made / "found.json").write_text(text[:start] + "1" + "0" * 400 + text[text.index(",", start) :])
        assert "expected `box` to be numbers [x0, y0, x1, y1]" in message(*self.COMMON, "found.json")

    def test_case_29_json_that_is_nested_deep(self, made):
        for name in ("found.json", "shapes.jsonl"):
            whole = (made / name).read_text()
            (made / name).write_text("[" * 100_000)
            assert "nested more than 64 deep" in message(*self.COMMON, "found.json")
            (made / name).write_text(whole)

    @pytest.mark.parametrize("name", ["[/x]", "[bold]mine", "[link=file:///etc/passwd]", "\x1b[31mred"])
    def test_case_29_names_with_markup(self, made, name):
        recording = json.loads((made / "found.json").read_text())
        recording["detector"] |= {"name": name, "model": name}
        (made / "[bold].json").write_text(json.dumps(recording))
        done = CliRunner().invoke(app, [*self.COMMON, "[bold].json"], env={"COLUMNS": "300"})
        assert done.exit_code == 0, done.output
        told = "".join(f"detector {name} {name}".replace("\x1b", "\\x1b").split())
        assert told in "".join(done.stdout.split())

    @pytest.mark.parametrize("version", [7, [1], {"a": 1}])
    def test_case_29_versions_that_are_no_text(self, made, version):
        recording = json.loads((made / "found.json").read_text())
        recording["detector"] |= {"weights": version, "source": version, "version": version, "commit": version}
        (made / "found.json").write_text(json.dumps(recording))
        assert CliRunner().invoke(app, [*self.COMMON, "found.json"]).exit_code == 0

    def test_case_29_an_image_that_would_fill_the_memory(self, made):
        next((made / "run" / "unguided").glob("*.png")).write_bytes(png(20_000, 20_000))
        assert "is an image of too many pixels" in message(*self.COMMON, "world", "--images", "run/unguided")

    def test_a_threshold_that_is_no_number(self, made):
        assert "threshold" in message(*self.COMMON, "found.json", "--threshold", "nan")

    @pytest.mark.parametrize("change", [{"correct": "yes"}, {"prompt": ["a"]}, {"shape": None}])
    def test_case_29_earlier_scores_of_another_form(self, made, change):
        assert CliRunner().invoke(app, [*self.COMMON, "found.json", "--out", "scores"]).exit_code == 0
        first, *rest = (made / "scores" / "images.jsonl").read_text().splitlines(keepends=True)
        (made / "scores" / "images.jsonl").write_text("".join([json.dumps(json.loads(first) | change) + "\n", *rest]))
        assert "`--against` 'scores' holds no scores" in message(*self.COMMON, "found.json", "--against", "scores")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "memory has run out: MemoryError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "memory has run out: DefaultCPU"),
        (ValueError("a\x1b[31mb\u202ec"), "a\\x1b[31mb\\u202ec"),
        (ValueError("x" * 10_000), "x" * 4000 + "..."),
        (BrokenPipeError(32, "Broken pipe"), None),
        (KeyError("a fault"), None),
        (RuntimeError("a fault"), None),
    ],
)
def test_what_is_said(error, expected):
    said = explained(error)
    assert said is None if expected is None else said is not None and said.startswith(expected)


@pytest.mark.parametrize("name", [b"\xff.jsonl", "é.jsonl".encode()])
def test_paths_that_are_no_text(tmp_path, monkeypatch, name):
    """The work must not end at its last line, where the path is told."""
    monkeypatch.chdir(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(Path(infsplign.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "infsplign", "prompts", "shapes", "--out", name], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"504 prompts in ")
    assert os.listdir(b".") == [name]


def test_a_model_that_is_not_there_is_told_before_torch_is_imported(unloaded):
    script = (
        "import sys\nfrom infsplign.cli import app\n"
        "try:\n    app(['generate', 'a cat above a dog', '--model', 'nowhere'])\nfinally:\n    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "`--model` must be" in done.stderr
    assert done.stdout.strip() == "False"


def test_a_prompt_without_quotes_has_a_hint():
    assert "(cat above it); a prompt of several words needs quotes around it; see `" in message("generate", "a", "cat", "above", "it")
