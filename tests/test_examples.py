"""The scripts of `examples/`: each is run, and goes as `guide` does under the scheduler of the same solver, step by step."""

import runpy
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler

import infsplign
from infsplign import PAPER, guide
from infsplign.evaluation.metrics.visor import judge
from infsplign.shapes.detector import MIN_SCORE, detect
from infsplign.shipped import PRESETS

CONFIG, GUIDANCE_SCALE = PRESETS["shapes"].config, PRESETS["shapes"].guidance_scale
EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("ddim", "k_euler", "edm_heun")
PROMPT = "a star to the right of a flower"
EVERYTHING = CONFIG.with_(
    stop=0.8, every=2, reuse=True, repeats=2, repeats_until=0.3, patience=2, schedule=lambda progress: 1 - progress / 2, scale=500.0
)
CASES = {
    **{f"{name}-shipped": (name, CONFIG) for name in NAMES},
    "ddim-everything": ("ddim", EVERYTHING),
    "k_euler-everything": ("k_euler", EVERYTHING),
    # six steps of Heun: shifts up to the bound make what two solvers round in another way grow tenfold a step
    "edm_heun-everything, below the bound": ("edm_heun", EVERYTHING.with_(scale=50.0)),
}


def script(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.fixture(scope="module")
def pipe():
    pipe = infsplign.shipped.load("shapes")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def start(rows=1):
    return torch.cat([torch.randn(1, 4, 24, 24, generator=torch.Generator().manual_seed(3 + seed)) for seed in range(rows)])


def ddim(pipe, config):
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, set_alpha_to_one=True)
    return script("ddim")["sample"](pipe, PROMPT, start(), 10, config)


def euler(pipe, config):
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.scheduler.set_timesteps(10)
    found, sigmas = script("k_euler"), pipe.scheduler.sigmas
    model = found["Model"](pipe, PROMPT, sigmas, 1, config)
    return found["euler"](model, sigmas[0] * start(), sigmas), model.steps.trace


def heun(pipe, config):
    pipe.scheduler = HeunDiscreteScheduler.from_config(pipe.scheduler.config, use_karras_sigmas=True)
    pipe.scheduler.set_timesteps(6)
    sigmas = pipe.scheduler.sigmas
    sigmas = torch.cat([sigmas[:1], sigmas[1:-1:2], torch.zeros(1)])
    return script("edm_heun")["sample"](pipe, PROMPT, sigmas[0] * start(), sigmas, config)


SAMPLERS = {"ddim": (ddim, 10), "k_euler": (euler, 10), "edm_heun": (heun, 6)}


def test_every_example_is_tested_and_short():
    scripts = {path.stem: len(path.read_text("utf-8").splitlines()) for path in EXAMPLES.glob("*.py")}
    assert set(SAMPLERS) <= set(scripts)
    assert all(scripts[name] <= 40 for name in SAMPLERS), scripts


@pytest.mark.parametrize(("name", "config"), CASES.values(), ids=CASES)
def test_it_goes_as_guide_does_at_every_step(pipe, name, config):
    sampler, n = SAMPLERS[name]
    latents, trace = sampler(pipe, config)
    with guide(pipe, PROMPT, config=config) as guidance:
        expected = pipe(PROMPT, num_inference_steps=n, guidance_scale=GUIDANCE_SCALE, latents=start(), output_type="latent").images
    assert len(trace) == len(guidance.trace)
    for ours, theirs in zip(trace, guidance.trace, strict=True):
        assert (ours.guided, ours.watched, ours.reused) == (theirs.guided, theirs.watched, theirs.reused)
        assert ours.timestep == pytest.approx(theirs.timestep, abs=1e-3)
        assert ours.weight == pytest.approx(theirs.weight, abs=1e-6)
        if theirs.loss is not None:
            assert torch.allclose(ours.loss, theirs.loss, atol=1e-5)
            assert torch.allclose(ours.centroid, theirs.centroid, atol=1e-5)
    assert any(step.guided for step in trace)
    assert torch.allclose(latents, expected, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", SAMPLERS)
def test_scale_zero_changes_no_bit(pipe, name):
    """The second pass is of the same denoiser without `Steps`: guided by nothing."""
    latents, trace = SAMPLERS[name][0](pipe, PAPER.with_(scale=0.0))
    assert not any(step.guided or step.watched for step in trace)
    plain = pipe(PROMPT, num_inference_steps=SAMPLERS[name][1], guidance_scale=GUIDANCE_SCALE, latents=start(), output_type="latent").images
    assert torch.allclose(latents, plain, atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_it_runs_as_a_script(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert (tmp_path / f"{name}.png").stat().st_size > 1000


def test_guided_images_obey_the_prompt_more_often(pipe):
    """Eight seeds at once; a shift of the wrong sign or size fails here."""
    sample, right = script("ddim")["sample"], []
    for config in (CONFIG.with_(scale=0.0), CONFIG):
        latents, _ = sample(pipe, PROMPT, start(8), 10, config)
        images = pipe.image_processor.postprocess(pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample.detach())
        seen = [[d for d in detect(image) if d.score >= MIN_SCORE] for image in images]
        right.append(sum(judge(found, "star", "right of", "flower").correct for found in seen))
    assert right[1] >= right[0] + 3, right
