"""`infsplign generate` inside this process: the options, other models, and runs that stop early."""

import gc
import json

import numpy as np
import pytest
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from PIL import Image
from typer.testing import CliRunner

from infsplign.cli import _told_once, app
from infsplign.engine.config import RECOMMENDED
from infsplign.generation.job import Job
from tests import tiny

PROMPT = "a circle to the left of a square"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in an empty folder; steps are few unless given, and the model is the quickest one."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, steps: int = 2):
        model = () if "--model" in arguments else ("--model", "shapes")
        return CliRunner().invoke(app, ["generate", *arguments, *model, "--steps", str(steps)])

    return invoke


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("model")
    tiny.sd().save_pretrained(folder)
    return str(folder)


def record(folder) -> dict:
    return json.loads((folder / "trace.json").read_text("utf-8"))


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_scale_0_is_the_unguided_image(run, tmp_path):
    done = run(PROMPT, "--scale", "0", "--out", "here")
    assert done.exit_code == 0, done.stderr
    assert (pixels(tmp_path / "here/guided_0.png") == pixels(tmp_path / "here/unguided_0.png")).all()
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"guided_0.png", "unguided_0.png", "sheet.png", "trace.json"}
    assert "no step was guided" in done.stdout


def test_a_run_does_not_say_that_its_guidance_was_never_entered(run, recwarn):
    """The guidance that only checks the prompt is not entered."""
    gc.collect()  # what other tests have left
    recwarn.clear()
    assert run(PROMPT, "--no-unguided", "--out", "here", steps=1).exit_code == 0
    gc.collect()
    assert not [str(w.message) for w in recwarn if "never entered" in str(w.message)]


def test_a_wide_bound_is_told_once_for_all_prompts(run, tmp_path, recwarn):
    (tmp_path / "prompts.txt").write_text("a circle left of a square\na star above a heart\n")
    done = run("--prompts", "prompts.txt", "--strength", "1.5", "--no-unguided", "--out", "here", steps=1)
    assert done.exit_code == 0, done.stderr
    assert sum("lets the shift be larger than the noise" in str(warning.message) for warning in recwarn) == 1


def test_options_reach_the_pipeline(run, tmp_path):
    sampling = ["--width", "128", "--scale", "10", "--guidance-scale", "3", "--dtype", "bf16"]
    done = run(PROMPT, "--no-unguided", *sampling, "--negative-prompt", "a moon", "--out", "here")
    assert done.exit_code == 0, done.stderr
    assert Image.open(tmp_path / "here/guided_0.png").size == (128, 96)
    assert not (tmp_path / "here/unguided_0.png").exists()
    written = record(tmp_path / "here")
    assert (written["config"]["scale"], written["guidance_scale"], written["steps"]) == (10, 3, 2)
    assert (written["negative_prompt"], written["model"]["dtype"]) == ("a moon", "bfloat16")
    assert done.stdout.count("\nguided: ") == 1


def test_a_warning_of_a_command_is_shown_once():
    line = _told_once()
    told = [line(message, UserWarning, "file.py", 3) for message in ("one", UserWarning("two"), "one", UserWarning("two"), "three")]
    assert told == ["infsplign: warning: one\n", "infsplign: warning: two\n", "", "", "infsplign: warning: three\n"]


def test_relations_by_hand_replace_the_prompt(run, tmp_path):
    prompt = "a star fruit near a star and a heart"
    done = run(prompt, "--relation", "star fruit above star", "--relation", "the heart to the right of star", "--out", "here")
    assert done.exit_code == 0, done.stderr
    assert record(tmp_path / "here")["relations"] == [["star fruit", "above", "star"], ["heart", "right of", "star"]]
    assert list(record(tmp_path / "here")["verdict"]["relations"]) == ["star fruit above star", "heart right of star"]


def test_objects_that_the_world_does_not_know_get_no_verdict(run, tmp_path):
    done = run("a zebra to the left of a square", "--out", "here")
    assert done.exit_code == 0, done.stderr
    assert "no verdict: 'zebra' is no noun" in done.stdout
    assert "zebra" in record(tmp_path / "here")["verdict"]["reason"]


def test_a_second_run_takes_a_folder_of_its_own(run, tmp_path):
    for _ in range(2):
        assert run(PROMPT, steps=1).exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "a-circle-to-the-left-of-a-square",
        "a-circle-to-the-left-of-a-square-2",
    }


def test_a_run_into_the_same_folder_replaces_the_earlier_one(run, tmp_path):
    assert run(PROMPT, "--images", "2", "--out", "here", steps=1).exit_code == 0
    (tmp_path / "here" / "notes.txt").touch()
    assert run(PROMPT, "--out", "here", steps=1).exit_code == 0
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert names >= {"notes.txt", "guided_0.png"}
    assert not names & {"guided_1.png", "unguided_1.png"}


def test_local_folders_are_models_with_the_recommended_options(run, tiny_model, tmp_path):
    done = run(PROMPT, "--model", tiny_model, "--out", "here")
    assert done.exit_code == 0, done.stderr
    assert "no verdict" in done.stdout
    written = record(tmp_path / "here")
    assert (written["guidance_scale"], written["config"]["scale"]) == (7.5, RECOMMENDED.scale)
    assert Image.open(tmp_path / "here/guided_0.png").size == (32, 32)


def test_pipelines_without_text_attention_are_refused(run, tmp_path):
    blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",), "block_out_channels": (8,), "norm_num_groups": 4}
    DDPMPipeline(UNet2DModel(sample_size=8, layers_per_block=1, **blocks), DDPMScheduler()).save_pretrained(tmp_path / "model")
    done = run(PROMPT, "--model", "model")
    assert done.exit_code == 2
    assert "DDPMPipeline" in done.stderr
    assert "Supported" in done.stderr
    assert not (tmp_path / "out").exists()


def stopping(monkeypatch, stop: BaseException, after: int) -> None:
    """Makes sampling raise `stop` after so many images."""
    sample, made = Job.sample, []

    def limited(self, number, method):
        if len(made) == after:
            raise stop
        made.append(method)
        return sample(self, number, method)

    monkeypatch.setattr(Job, "sample", limited)


def test_ctrl_c_keeps_finished_images(run, monkeypatch, tmp_path):
    stopping(monkeypatch, KeyboardInterrupt(), 3)
    done = run(PROMPT, "--images", "3", "--out", "here", steps=1)
    assert done.exit_code == 130
    assert "interrupted; finished before that and kept in here: guided_0.png, guided_1.png, unguided_0.png" in done.stderr
    written = record(tmp_path / "here")
    assert (written["status"], len(written["images"])) == ("interrupted", 1)
    assert Image.open(tmp_path / "here/guided_1.png").size == (96, 96)


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (ValueError("too bad"), 2)])
def test_what_stops_before_the_first_image_leaves_nothing(run, monkeypatch, tmp_path, stop, code):
    stopping(monkeypatch, stop, 0)
    done = run(PROMPT, steps=1)
    assert done.exit_code == code
    assert ("nothing was written" if code == 130 else "too bad") in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_finished_images_too(run, monkeypatch, tmp_path):
    stopping(monkeypatch, ValueError("too bad"), 2)
    done = run(PROMPT, "--images", "2", "--out", "here", steps=1)
    assert done.exit_code == 2
    assert "kept in here: guided_0.png, unguided_0.png" in done.stderr
    assert record(tmp_path / "here")["status"] == "failed: too bad"


def test_faults_of_the_program_keep_their_traceback(run, monkeypatch):
    stopping(monkeypatch, KeyError("a fault"), 0)
    assert isinstance(run(PROMPT, steps=1).exception, KeyError)


class TestSeveralPrompts:
    @pytest.fixture
    def prompts(self, tmp_path):
        path = tmp_path / "asked.txt"
        path.write_text("a circle to the left of a square\na star above a heart\n")
        return path

    def test_a_prompt_that_is_cut_off_is_told_before_the_first_image(self, run, tmp_path, prompts):
        prompts.write_text(f"{PROMPT}\na {'shiny ' * 80}circle to the left of a square\n")
        done = run("--prompts", str(prompts), "--out", "here")
        assert done.exit_code == 2
        assert "`--prompts`, prompt 'line-0002'" in done.stderr
        assert not (tmp_path / "here").exists()

    def test_a_preset_is_read_once(self, run, tmp_path, prompts, monkeypatch):
        RECOMMENDED.with_(scale=7.0).save(tmp_path / "preset.json")
        begin = Job.sample

        def edited(job, *arguments):
            RECOMMENDED.with_(scale=9.0).save(tmp_path / "preset.json")
            return begin(job, *arguments)

        monkeypatch.setattr(Job, "sample", edited)
        assert run("--prompts", str(prompts), "--preset", "preset.json", "--no-unguided", "--out", "here").exit_code == 0
        assert [record(tmp_path / "here" / f"line-000{n}")["config"]["scale"] for n in (1, 2)] == [7.0, 7.0]

    def test_results_of_a_single_prompt_do_not_pass_for_theirs(self, run, tmp_path, prompts):
        assert run(PROMPT, "--out", "here", steps=1).exit_code == 0
        assert run("--prompts", str(prompts), "--no-unguided", "--out", "here", steps=1).exit_code == 0
        assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["line-0001", "line-0002"]

    def test_files_of_others_are_let_be(self, run, tmp_path, prompts):
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "trace.json").write_text("mine")
        assert run("--prompts", str(prompts), "--no-unguided", "--out", "here", steps=1).exit_code == 0
        assert (tmp_path / "here" / "trace.json").read_text() == "mine"

    def test_other_prompts_in_the_folder_are_told(self, run, prompts):
        assert "other prompts" not in run("--prompts", str(prompts), "--no-unguided", "--out", "here", steps=1).stderr
        prompts.write_text(PROMPT)
        done = run("--prompts", str(prompts), "--no-unguided", "--out", "here", steps=1)
        assert "here holds images of 1 other prompts, such as line-0002; `score` and `report` of this folder take them too" in done.stderr

    def test_a_single_prompt_in_the_folder_of_several_is_told(self, run, prompts):
        run("--prompts", str(prompts), "--no-unguided", "--out", "here", steps=1)
        done = run(PROMPT, "--no-unguided", "--out", "here", steps=1)
        assert "here holds images of 2 other prompts, such as line-0001; its `score` and `report` take this prompt alone" in done.stderr

    def test_two_runs_do_not_take_one_folder(self, run, tmp_path, prompts, monkeypatch):
        sample, seen = Job.sample, []

        def second(job, *arguments):
            if not seen:
                seen.append("the second begins when the first has chosen its folder, and ends first")
                assert run("--prompts", str(prompts), "--seed", "5", "--no-unguided", steps=1).exit_code == 0
            return sample(job, *arguments)

        monkeypatch.setattr(Job, "sample", second)
        assert run("--prompts", str(prompts), "--no-unguided", steps=1).exit_code == 0
        seeds = {path.parent.parent.name: record(path.parent)["seeds"] for path in (tmp_path / "out").glob("*/line-0002/trace.json")}
        assert seeds == {"asked": [5], "asked-2": [0]}


def test_images_of_a_process_that_was_killed_are_in_its_record(run, monkeypatch, tmp_path):
    """Nothing runs after a kill: the record is written with each image."""
    monkeypatch.setattr("infsplign.commands.generate._finish", lambda *_: None)
    run(PROMPT, "--images", "2", "--out", "here")
    written = record(tmp_path / "here")
    assert (written["status"], len(written["images"])) == ("running", 2)
    assert all((tmp_path / "here" / name).exists() for image in written["images"] for name in image["files"].values())
