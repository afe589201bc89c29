"""Case 40: `PUBLISHED` gives the published loop's latents to rounding, under schedulers that scale their input too."""

import pytest
import torch
import torch.nn.functional as F
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
)

from infsplign import PAPER, PAPER_SDXL, PUBLISHED, PUBLISHED_SDXL, GuidanceConfig, guide
from infsplign.adapters import sd
from infsplign.core import hardtanh, leaky_relu, sigmoid
from infsplign.pipelines.noise_schedule import input_factor
from tests import tiny
from tests.pipelines import published_loop

PROMPT, OTHER = "a circle to the left of a square", "a square above a circle"
TOKENS = {PROMPT: ((2,), (8,)), OTHER: ((2,), (5,))}
RELATION = {PROMPT: "left of", OTHER: "above"}
SCALE = 2000.0  # large, so that a random UNet's small gradients move the latents visibly
SCHEDULERS = {
    "DDPM": lambda c: DDPMScheduler.from_config(c, timestep_spacing="trailing"),
    "DDIM": lambda c: DDIMScheduler.from_config(c, timestep_spacing="trailing"),
    "PNDM": lambda c: PNDMScheduler.from_config(c, skip_prk_steps=True),
    "DPM++2M": lambda c: DPMSolverMultistepScheduler.from_config(c, algorithm_type="dpmsolver++"),
    "Euler": EulerDiscreteScheduler.from_config,
    "Euler a": EulerAncestralDiscreteScheduler.from_config,
    "LMS": LMSDiscreteScheduler.from_config,
    "Heun": HeunDiscreteScheduler.from_config,
}
SCALING = ("Euler", "Euler a", "LMS", "Heun")
STEPS = 4


def pipeline(name):
    pipe = tiny.sd()
    pipe.scheduler = SCHEDULERS[name](pipe.scheduler.config)
    return pipe.to(torch.float64)


def ours(pipe, prompts, config, steps=STEPS):
    with guide(pipe, prompts, config=config) as guidance:
        call = {"generator": torch.Generator().manual_seed(3), "num_inference_steps": steps, "height": 32, "width": 32}
        latents = pipe(prompts, output_type="latent", **call).images
    assert config.scale == 0 or guidance.token_indices == [TOKENS[prompt] for prompt in prompts]
    return latents


def theirs(pipe, prompts, *, penalty=F.gelu, steps=STEPS, guided=1000, **change):
    options = {"alpha": 1.5, "margin": 0.25, "spatial": 0.5, "presence": 1.0, "balance": 1.0} | change
    found = sd.layers(pipe.unet)
    return published_loop.sample(
        pipe, prompts, [TOKENS[p] for p in prompts], [RELATION[p] for p in prompts], layers=(*found["coarse"], *found["middle"]),
        steps=steps, guided=guided, scale=SCALE, seed=3, penalty=penalty, **options,
    )  # fmt: skip


def distance(one, other):
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("name", SCHEDULERS)
def test_case_40_equals_the_published_loop(name):
    pipe = pipeline(name)
    expected = theirs(pipe, [PROMPT])
    found = ours(pipe, [PROMPT], PUBLISHED.with_(scale=SCALE))
    assert distance(found, expected) < 1e-9
    assert distance(ours(pipe, [PROMPT], PUBLISHED.with_(scale=0)), expected) > 1e-3  # it was guided


@pytest.mark.parametrize("name", ["DDPM", "Euler"])
def test_several_prompts_at_once(name):
    pipe = pipeline(name)
    assert distance(ours(pipe, [PROMPT, OTHER], PUBLISHED.with_(scale=SCALE)), theirs(pipe, [PROMPT, OTHER])) < 1e-9


@pytest.mark.parametrize(
    ("penalty", "published"),
    [(sigmoid, torch.sigmoid), (leaky_relu, lambda x: F.leaky_relu(x, 0.05)), (hardtanh, lambda x: F.hardtanh(x, min_val=0, max_val=1))],
)
def test_other_constants_and_penalties(penalty, published):
    pipe, change = pipeline("DDPM"), {"alpha": 0.75, "margin": 0.5, "spatial": 1.0, "presence": 0.0}
    found = ours(pipe, [OTHER], PUBLISHED.with_(scale=SCALE, penalty=penalty, stop=0.5, **change))
    assert distance(found, theirs(pipe, [OTHER], penalty=published, guided=STEPS // 2, **change)) < 1e-9


@pytest.mark.parametrize("plan", ["batched", "checkpoint"])
def test_every_plan(plan):
    pipe = pipeline("Euler")
    assert distance(ours(pipe, [PROMPT], PUBLISHED.with_(scale=SCALE, plan=plan)), theirs(pipe, [PROMPT])) < 1e-9


def test_each_of_the_two_habits_is_needed():
    """Without one of them the latents are others: that is what the options are for."""
    pipe = pipeline("Euler")
    expected = theirs(pipe, [PROMPT])
    for change in ({"resize": None}, {"wrt": "input"}):
        assert distance(ours(pipe, [PROMPT], PUBLISHED.with_(scale=SCALE, **change)), expected) > 1e-5


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_factor_of_the_input_is_the_schedulers_own(name):
    scheduler = pipeline(name).scheduler
    scheduler.set_timesteps(STEPS)
    t, x = scheduler.timesteps[0], torch.randn(3, dtype=torch.float64)
    factor = input_factor(scheduler, t, x)
    assert torch.allclose(scheduler.scale_model_input(x, t), factor * x, atol=0, rtol=1e-12)
    assert (float(factor) == 1) is (name not in SCALING)


def test_the_constants_are_those_of_the_published_sweeps():
    for published, paper in ((PUBLISHED, PAPER), (PUBLISHED_SDXL, PAPER_SDXL)):
        assert published.with_(update="epsilon", resize=None, wrt="input") == paper
        assert (published.resize, published.wrt, published.update, published.scale) == (64, "latents", "direct", 1000.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resize": 1}, "`resize` must be None or a whole number >= 2"),
        ({"resize": 64.0}, "`resize` must"),
        ({"resize": True}, "`resize` must"),
        ({"wrt": "noise"}, '`wrt` must be "input" or "latents"'),
        ({"wrt": "latents", "repeats": 2}, '`repeats` must be 1 with `wrt="latents"`'),
        ({"penalty": "relu"}, "`penalty` must be a function"),
    ],
)
def test_what_cannot_be_asked_for(change, message):
    with pytest.raises(ValueError, match=message):
        GuidanceConfig(**change)


@pytest.mark.parametrize("name", ["normalise", "reuse"])
@pytest.mark.parametrize("value", ["no", "yes", "False", "", 1, 0, None])
def test_case_10_flags_are_true_or_false(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be True or False, got {value!r}"):
        GuidanceConfig(**{name: value})
