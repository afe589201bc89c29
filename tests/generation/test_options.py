"""Options: how presets and the command line go together, prompts from a file, memory, progress, unknown words."""

import io
import sys
import warnings
from dataclasses import replace

import pytest
from tqdm import tqdm

from infsplign import RECOMMENDED, PromptError
from infsplign.generation.fitting import fitted
from infsplign.generation.options import GenerateOptions
from infsplign.generation.progress import bar_options
from infsplign.generation.vocabulary import unknown_words, warning
from infsplign.shipped import load


def test_options_change_the_preset_and_the_preset_the_model_s_own(tmp_path):
    RECOMMENDED.with_(margin=0.3, stop=0.9).save(tmp_path / "preset.json")
    options = GenerateOptions("p", preset=tmp_path / "preset.json", strength=0.3, plan="checkpoint")
    config = options.guided_by(RECOMMENDED)
    assert (config.margin, config.stop, config.max_shift, config.plan) == (0.3, 0.9, 0.3, "checkpoint")
    assert GenerateOptions("p", stop=0.25).guided_by(RECOMMENDED) == RECOMMENDED.with_(stop=0.25)
    assert GenerateOptions("p", strength=0).guided_by(RECOMMENDED).scale == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strength": -1.0}, "`--strength`"),
        ({"strength": float("nan")}, "`--strength`"),
        ({"strength": 0.0, "scale": 100.0}, "`--strength 0` does not guide, and `--scale 100` would"),
        ({"stop": 1.5}, "`--stop`"),
        ({"stop": float("nan")}, "`--stop`"),
        ({"plan": "fast"}, "`--plan` must be one of auto, split"),
        ({"memory": "12 apples"}, "`--memory` must be an amount"),
        ({"memory": "12", "plan": "auto"}, "`--memory` chooses the plan"),
        ({"offload": "all"}, "`--offload`"),
        ({"offload": "model", "device": "cpu"}, "`--offload`"),
        ({"scheduler": "fast"}, "`--scheduler`"),
        ({"loras": ("=1",)}, "`--lora`"),
    ],
)
def test_values_out_of_range_name_their_option(options, said):
    with pytest.raises(ValueError, match=said):
        GenerateOptions("p", **options).check()


def test_a_file_gives_one_request_a_prompt(tmp_path):
    (tmp_path / "p.txt").write_text("a cat above a dog\n\na red car left of a bus\n")
    each = GenerateOptions(prompts=tmp_path / "p.txt", images=3).each()
    assert [(one.key, one.prompt, one.images) for one in each] == [
        ("line-0001", "a cat above a dog", 3),
        ("line-0003", "a red car left of a bus", 3),
    ]
    with pytest.raises(ValueError, match="got both"):
        GenerateOptions("a cat", prompts=tmp_path / "p.txt").each()
    with pytest.raises(ValueError, match="`--relation` belongs to one PROMPT"):
        GenerateOptions(prompts=tmp_path / "p.txt", relations=("a left of b",)).each()
    (tmp_path / "q.txt").write_text("a cat above a dog\nnothing here\n")
    with pytest.raises(PromptError, match="prompt 'line-0002'"):
        [one.scene() for one in GenerateOptions(prompts=tmp_path / "q.txt").each()]


def test_the_first_plan_that_fits_the_memory():
    pipe, options = load("shapes"), GenerateOptions("p")
    assert fitted(pipe, options, "cpu") == (options, "")
    roomy, told = fitted(pipe, replace(options, memory="12"), "cpu")
    assert (roomy.plan, roomy.offload) == ("split", None)
    assert "plan split takes" in told
    with pytest.raises(ValueError, match=r"`--memory` '1MB' does not suffice: plan \w+ takes"):
        fitted(pipe, replace(options, memory="1MB"), "cuda")
    needed = float(fitted(pipe, replace(options, memory="12", plan="checkpoint"), "cuda")[1].split(" takes ")[1].split(" MB")[0])
    tight, told = fitted(pipe, replace(options, memory=f"{needed - 1:.1f}MB", plan="checkpoint"), "cuda")
    assert (tight.plan, tight.offload) == ("checkpoint", "model")
    assert "with offload model" in told


def test_a_log_gets_lines_instead_of_a_bar(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    for _ in tqdm(range(3), **bar_options("guided 1 of 2")):
        pass
    assert "\r" not in log.getvalue()
    lines = log.getvalue().splitlines()
    assert lines[0].startswith("guided 1 of 2: step 0 of 3")
    assert lines[-1].startswith("guided 1 of 2: step 3 of 3")


def test_words_that_a_shipped_model_has_never_seen():
    assert unknown_words("shapes", "A photo of a star fruit above the Circle, a moon in the top left corner") == []
    assert unknown_words("shapes", "a red zebra near 2 circles") == ["red", "zebra", "2", "circles"]
    assert unknown_words("owner/name", "a red zebra") == []
    assert "trained without 'zebra' and will ignore or misread it; its nouns: circle," in str(warning("shapes", "a zebra above a star"))
    assert warning("shapes", "a star above a moon") is None


@pytest.mark.parametrize(("model", "told"), [("pictures", False), ("pictures-v", True)])
def test_a_preset_of_another_model_is_told(tmp_path, model, told):
    RECOMMENDED.save(tmp_path / "preset.json", model="pictures")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        GenerateOptions("a cat left of a dog", model=model, preset=tmp_path / "preset.json").check()
    assert any("was calibrated for 'pictures', and the model is" in str(warning.message) for warning in seen) is told
