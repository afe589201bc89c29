"""The shipped model through the runner and the command, end to end at few steps."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import infsplign
from infsplign.cli import app
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.evaluation.running.methods import choose_methods
from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.evaluation.scoring.world_evaluation import evaluate_world
from infsplign.prompts.tokens import token_indices
from infsplign.shipped import DEFAULT, PRESETS, load

CONFIG, GUIDANCE_SCALE = PRESETS["shapes"].config, PRESETS["shapes"].guidance_scale
STEPS_HERE = 4
LISTED = prompts("tune", 6)
TEXTS = [p.text for p in LISTED]
SEEDS = [seed("tune", text, 0) for text in TEXTS]


@pytest.fixture(scope="module")
def pipe():
    return load("shapes")


@pytest.fixture(scope="module")
def sampler(pipe):
    return PipelineSampler(pipe, steps=STEPS_HERE, guidance_scale=GUIDANCE_SCALE)


def pixels(images):
    return np.stack([np.asarray(image, dtype=int) for image in images])


def test_unguided_is_the_stock_call(pipe, sampler):
    stock = pipe(
        TEXTS[0], num_inference_steps=STEPS_HERE, guidance_scale=GUIDANCE_SCALE, generator=torch.Generator().manual_seed(SEEDS[0])
    ).images
    assert np.array_equal(pixels(sampler(TEXTS[:1], SEEDS[:1], None)), pixels(stock))


def test_guided_is_the_guided_call(pipe, sampler):
    options = {"num_inference_steps": STEPS_HERE, "guidance_scale": GUIDANCE_SCALE}
    with infsplign.guide(pipe, TEXTS[0], config=CONFIG):
        guided = pipe(TEXTS[0], generator=torch.Generator().manual_seed(SEEDS[0]), **options).images
    found = pixels(sampler(TEXTS[:1], SEEDS[:1], CONFIG))
    assert np.array_equal(found, pixels(guided))
    assert not np.array_equal(found, pixels(sampler(TEXTS[:1], SEEDS[:1], None)))


@pytest.mark.parametrize("config", [None, CONFIG])
def test_batches_do_not_matter(sampler, config):
    whole = pixels(sampler(TEXTS, SEEDS, config))
    alone = pixels([image for text, s in zip(TEXTS, SEEDS, strict=True) for image in sampler([text], [s], config)])
    back = pixels(sampler(TEXTS[::-1], SEEDS[::-1], config))[::-1]
    assert abs(whole - alone).max() <= 2  # of 255: rounding of batched sums
    assert abs(whole - back).max() <= 2
    again = pixels(sampler(TEXTS, SEEDS, config))
    assert np.array_equal(whole, again)


def test_the_pipeline_is_left_as_it_was(pipe, sampler):
    pipe.set_progress_bar_config(leave=False)
    sampler(TEXTS[:1], SEEDS[:1], CONFIG)
    assert pipe._progress_bar_config == {"leave": False}
    assert "forward" not in pipe.unet.__dict__


def test_settings_tell_all_that_decides_an_image(pipe, sampler):
    settings = sampler.settings()
    assert settings["scheduler"]["class"] == "DDPMScheduler"
    assert (settings["steps"], settings["guidance_scale"], settings["dtype"]) == (STEPS_HERE, GUIDANCE_SCALE, "torch.float32")
    assert json.loads(json.dumps(settings)) == PipelineSampler(load("shapes"), steps=STEPS_HERE, guidance_scale=GUIDANCE_SCALE).settings()


def test_every_prompt_of_both_splits_can_be_guided(pipe):
    for split, count in (("tune", 280), ("heldout", 224)):
        listed = prompts(split, count)
        infsplign.guide(pipe, [p.text for p in listed], config=CONFIG)
        for p in listed:
            tokens = token_indices(pipe.tokenizer, p.text, (p.first, p.second))
            assert [len(positions) for positions in tokens] == [len(p.first.split()), len(p.second.split())]
            assert not set(tokens[0]) & set(tokens[1])


def test_run_and_resume(sampler, tmp_path):
    results = evaluate_world(sampler, tmp_path, count=2, images=2, split="tune", batch=3, name="shapes", progress=False)
    assert set(results["methods"]) == {"unguided", "infsplign"}
    before = (tmp_path / "infsplign.jsonl").read_bytes()
    (tmp_path / "infsplign" / "tune-0001_01.png").unlink()
    assert evaluate_world(sampler, tmp_path, count=2, images=2, split="tune", batch=3, name="shapes", progress=False) == results
    assert (tmp_path / "infsplign.jsonl").read_bytes() == before


class TestCommand:
    def invoke(self, *args):
        result = CliRunner().invoke(app, ["eval", "world", *map(str, args)])
        return result.exit_code, " ".join(result.output.split())

    def test_as_a_subprocess(self, tmp_path):
        options = ["--prompts", "2", "--images", "2", "--steps", "2", "--split", "tune", "--out", str(tmp_path / "run")]
        done = subprocess.run([sys.executable, "-m", "infsplign", "eval", "world", *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "infsplign" in done.stdout
        assert "8/8" in done.stderr  # the progress bar: two methods
        assert json.loads((tmp_path / "run" / "results.json").read_text())["prompts"] == 2
        assert (tmp_path / "run" / "table.md").read_text().count("\n| infsplign") == 2

    @pytest.mark.parametrize("model", PRESETS)
    def test_every_shipped_model(self, tmp_path, model):
        options = ["--model", model, "--prompts", 1, "--images", 1, "--steps", 1, "--split", "tune", "--no-progress", "--out", tmp_path]
        code, output = self.invoke(*options)
        assert code == 0, output
        assert set(json.loads((tmp_path / "results.json").read_text())["methods"]) == {"unguided", "infsplign"}

    def test_goes_on_and_refuses_other_settings(self, tmp_path):
        options = ["--prompts", 1, "--images", 1, "--methods", "unguided", "--split", "tune", "--no-progress", "--out", tmp_path]
        assert self.invoke(*options, "--steps", 1)[0] == 0
        made = (tmp_path / "unguided" / "tune-0000_00.png").stat().st_mtime_ns
        assert self.invoke(*options, "--steps", 1)[0] == 0
        assert (tmp_path / "unguided" / "tune-0000_00.png").stat().st_mtime_ns == made
        code, output = self.invoke(*options, "--steps", 2)
        assert code == 2
        assert "settings.steps: 1 there, 2 asked for" in output

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--methods", "unguided,magic"], "`--methods` must be one or more of unguided, infsplign"),
            (["--methods", " , "], "`--methods` must be one or more of"),
            (["--model", "no-such-model"], "no-such-model"),
            (["--model", "./no/such/folder"], "no model folder"),
            (["--prompts", "99999"], "`--prompts` must be 1 to"),
            (["--prompts", "0"], "--prompts"),
            (["--images", "0"], "--images"),
            (["--steps", "0"], "--steps"),
            (["--split", "test"], "--split"),
            (["--scale", "-1"], "--scale"),
            (["--batch", "0"], "--batch"),
            (["--device", "abacus"], "abacus"),
        ],
    )
    def test_bad_input_is_a_clear_error_and_leaves_nothing(self, tmp_path, args, message):
        code, output = self.invoke(*args, "--out", tmp_path / "out")
        assert code == 2
        assert message in output
        assert not (tmp_path / "out").exists()

    def test_a_folder_that_cannot_be_written_is_found_before_the_model_is_loaded(self, tmp_path, monkeypatch):
        monkeypatch.setattr("infsplign.commands.eval_common.load_pipeline", lambda *args, **options: pytest.fail("loaded"))
        (tmp_path / "file").write_text("")
        code, output = self.invoke("--out", tmp_path / "file" / "out")
        assert code == 2
        assert "cannot be written" in output

    def test_defaults(self):
        assert (DEFAULT, PRESETS[DEFAULT].steps, PRESETS[DEFAULT].guidance_scale) == ("pictures", 20, 5.0)
        assert choose_methods("unguided, infsplign", own=CONFIG) == {"unguided": None, "infsplign": CONFIG}
        assert choose_methods("infsplign,unguided", 7.0, CONFIG) == {"infsplign": CONFIG.with_(scale=7.0), "unguided": None}
        with pytest.raises(ValueError, match="each once"):
            choose_methods("unguided,unguided")
