"""The command as users run it: a subprocess of its own, on the model that ships."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import infsplign
from infsplign.cli import app
from infsplign.pipelines.description import describe
from infsplign.shipped import DEFAULT, PRESETS, load

PROMPT = "a cat to the left of a dog"
CONFIG, GUIDANCE_SCALE = PRESETS[DEFAULT].config, PRESETS[DEFAULT].guidance_scale
FILES = {"attention.png", "guided_0.png", "guided_1.png", "sheet.png", "trace.json", "trace.png", "unguided_0.png", "unguided_1.png"}


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    source = Path(infsplign.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")]), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "infsplign", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    cwd = tmp_path_factory.mktemp("generated")
    done = command("generate", PROMPT, "--steps", "4", "--images", "2", "--seed", "7", cwd=cwd)
    return done, cwd / "out" / "a-cat-to-the-left-of-a-dog"


def test_version_and_help_import_nothing_heavy(tmp_path):
    program = (
        "import sys, runpy; sys.argv = ['infsplign', sys.argv[1]]\n"
        "try: runpy.run_module('infsplign', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for option, expected in (("--version", f"infsplign {infsplign.__version__}"), ("--help", "generate")):
        done = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True, check=False, cwd=tmp_path,
                              env=os.environ | {"PYTHONPATH": str(Path(infsplign.__file__).parents[1])})  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_generate_writes_every_file(generated):
    done, folder = generated
    assert done.returncode == 0, done.stderr
    assert files_below(folder) == FILES
    assert "it/s" not in done.stderr  # no bars where nobody looks
    sizes = {name: Image.open(folder / name).size for name in FILES if name.endswith(".png")}
    assert all(sizes[f"{method}_{number}.png"] == (128, 128) for method in ("guided", "unguided") for number in (0, 1))
    assert all(sizes[name][0] > 1000 for name in ("sheet.png", "attention.png", "trace.png"))
    assert f"written to {Path('out') / folder.name}" in done.stdout


def test_generate_records_what_it_did(generated):
    record = json.loads((generated[1] / "trace.json").read_text("utf-8"))
    assert record["status"] == "complete"
    assert (record["prompt"], record["objects"]) == (PROMPT, ["cat", "dog"])
    assert record["relations"] == [["cat", "left of", "dog"]]
    assert record["seeds"] == [image["seed"] for image in record["images"]] == [7, 8]
    assert record["config"]["scale"] == CONFIG.scale
    assert record["guidance_scale"] == GUIDANCE_SCALE
    assert record["versions"]["torch"] == torch.__version__
    assert record["model"]["name"] == DEFAULT
    tokens = load().tokenizer.convert_ids_to_tokens(load().tokenizer(PROMPT).input_ids)
    for name, positions in record["token_indices"].items():
        assert "".join(tokens[i] for i in positions).replace("</w>", "") == name
    for image in record["images"]:
        assert [step["step"] for step in image["trace"]] == list(range(record["steps"])) == [0, 1, 2, 3]
        guided = [step for step in image["trace"] if step["guided"]]
        assert [step["step"] for step in guided] == [0, 1]  # CONFIG guides the first half
        assert all(np.shape(step["centroid"]) == (1, 2, 2) and step["gradient_norm"][0] > 0 for step in guided)
        assert image["files"].keys() == {"guided", "unguided"}


def test_generate_tells_a_verdict(generated):
    done, folder = generated
    verdict = json.loads((folder / "trace.json").read_text("utf-8"))["verdict"]
    held, strict = verdict["relations"]["cat left of dog"], verdict["strict"]
    counts = f"unguided {sum(held['unguided'])} of 2, guided {sum(held['guided'])} of 2"
    assert f"\ncat left of dog: {counts}\n" in done.stdout
    assert f"\nexactly as asked: unguided {sum(strict['unguided'])} of 2, guided {sum(strict['guided'])} of 2\n" in done.stdout
    for number, seed in enumerate((7, 8)):
        told = "; ".join(f"{method}: {', '.join(verdict['wrong'][method][number]) or 'as asked'}" for method in ("unguided", "guided"))
        assert f"seed {seed}: {told}\n" in done.stdout
        assert all(strict[method][number] == (not verdict["wrong"][method][number]) for method in strict)


def test_generate_samples_what_the_library_samples(generated):
    pipe = load()
    pipe.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": 4, "guidance_scale": GUIDANCE_SCALE}
    for number in (0, 1):
        stock = pipe(PROMPT, generator=torch.Generator().manual_seed(7 + number), **options).images[0]
        with infsplign.guide(pipe, PROMPT, config=CONFIG):
            guided = pipe(PROMPT, generator=torch.Generator().manual_seed(7 + number), **options).images[0]
        for name, image in (("unguided", stock), ("guided", guided)):
            written = np.asarray(Image.open(generated[1] / f"{name}_{number}.png")).astype(int)
            assert np.abs(written - np.asarray(image)).max() <= 2  # threads may add up in another order
        assert (np.asarray(stock) != np.asarray(guided)).any()


def test_describe_prints_the_description(tmp_path):
    done = command("describe", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{describe(load(), CONFIG)}\n"  # what `generate` would use, not the family's preset


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["a circle and a square", "--relation", "circle left of moon"], "'moon'"),
        (["a circle in front of a square"], "'in front of'"),
        (["a circle left of a square", "--relation", "circle in front of square"], "'in front of'"),
        (["a cat left of a dog", "--relation", "cat left of dog", "--relation", "cat right of dog"], "contradict"),
        (["a circle left of a square and right of a square"], "contradict"),
        (["a circle to the left of a circle"], "two"),
        ([""], "empty"),
        (["  ", "--relation", "cat left of dog"], "empty"),
        ([PROMPT, "--out", "file/below"], "'file/below'"),
        ([PROMPT, "--out", "file"], "'file'"),
        ([PROMPT, "--model", "./no-such-folder"], "'./no-such-folder'"),
        ([PROMPT, "--model", "shapess"], "'shapess'"),
        ([PROMPT, "--model", "."], "model_index.json"),
        ([PROMPT, "--model", "file"], "'file'"),
        ([PROMPT, "--scale", "nan"], "scale"),
        ([PROMPT, "--guidance-scale", "inf"], "guidance-scale"),
        ([PROMPT, "--height", "100"], "height"),
        ([PROMPT, "--images", "0"], "images"),
        ([PROMPT, "--dtype", "fp8"], "'fp8'"),
        ([PROMPT, "--seed", str(2**32)], "seed"),
        ([PROMPT, "--seed", str(2**32 - 1), "--images", "2"], "seed"),
    ],
)
def test_bad_input_is_one_message_and_writes_nothing(arguments, named, tmp_path):
    (tmp_path / "file").touch()
    done = command("generate", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert files_below(tmp_path) == {"file"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([", ".join(["very"] * 80) + ", " + PROMPT, "--relation", "cat left of dog"], "'cat' is cut off"),
        ([PROMPT, "--model", "no-such-owner/no-such-model"], "'no-such-owner/no-such-model'"),
        ([PROMPT, "--device", "toaster"], "'toaster'"),
    ],
)
def test_bad_input_that_only_the_model_shows_writes_nothing_either(arguments, named, tmp_path):
    done = command("generate", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert files_below(tmp_path) == set()


@pytest.mark.parametrize("arguments", [["--debug", "generate", "a circle"], ["generate", "a circle", "--debug"]])
def test_debug_shows_the_traceback(arguments, tmp_path):
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "MarkedError" in done.stderr


def test_eval_lists_and_explains_its_commands():
    assert "world" in CliRunner().invoke(app, ["eval", "--help"]).output
    world = CliRunner().invoke(app, ["eval", "world", "--help"], env={"COLUMNS": "200"}).output
    assert all(option in world for option in ("--prompts", "--images", "--methods", "--split", "--out"))
    assert CliRunner().invoke(app, ["eval", "nothing"]).exit_code == 2


def test_a_warning_is_one_line_of_the_command(tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"id": "a", "text": "a circle left of a square", "seed": 3}')
    command = [sys.executable, "-m", "infsplign", "generate", "--prompts", "prompts.jsonl", "--model", "nothing", "--out", "made"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    told, error = done.stderr.splitlines()
    assert told == "infsplign: warning: `--prompts` 'prompts.jsonl': the rows' 'seed' are not read"
    assert error.startswith("infsplign: error: `--model` must be")
