"""The scripts of `examples/`, run in this process with few steps."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image, ImageChops

import infsplign
from infsplign.adapters import backbone_for
from infsplign.evaluation.metrics.visor import judge
from infsplign.prompts.tokens import token_indices
from infsplign.shapes import CONFIG
from infsplign.shapes.detector import MIN_SCORE, detect

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("ddim_loop", "k_euler")
PROMPT = "a star to the right of a flower"


def script(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """For each script what four steps gave: the unguided and the guided latents, and the written image."""
    found = {}
    for name in NAMES:
        out = tmp_path_factory.mktemp(name) / "image.png"
        latents = script(name)["main"]([PROMPT, "--seed", "3", "--steps", "4", "--out", str(out)])
        found[name] = (*latents, Image.open(out))
    return found


def halves(image):
    return image.crop((0, 0, 96, 96)), image.crop((96, 0, 192, 96))


def test_every_example_is_tested_and_short():
    scripts = {path.stem: len(path.read_text("utf-8").splitlines()) for path in EXAMPLES.glob("*.py")}
    assert set(NAMES) <= set(scripts)
    assert all(scripts[name] <= 90 for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_writes_both_images_and_guidance_moves_the_latents(sampled, name):
    unguided, guided, image = sampled[name]
    assert image.size == (192, 96)
    assert torch.isfinite(guided).all()
    assert (guided - unguided).norm() > 0.05 * unguided.norm()
    assert ImageChops.difference(*halves(image)).getbbox() is not None


@pytest.mark.parametrize("name", NAMES)
def test_scale_zero_changes_no_bit(name, tmp_path):
    unguided, guided = script(name)["main"]([PROMPT, "--steps", "2", "--scale", "0", "--out", str(tmp_path / "image.png")])
    assert torch.equal(unguided, guided)
    assert ImageChops.difference(*halves(Image.open(tmp_path / "image.png"))).getbbox() is None


def test_both_samplers_solve_the_same_equation_in_the_same_steps(sampled):
    """DDIM is Euler's method at k-diffusion's scaling, and guidance shifts the same noise prediction in both."""
    for ddim, euler in zip(sampled["ddim_loop"][:2], sampled["k_euler"][:2], strict=True):
        assert (ddim - euler).norm() < 1e-3 * ddim.norm()  # float32 over four guided steps


def test_the_sampler_finds_its_step_at_every_sigma():
    """A second-order sampler calls the denoiser at the next sigma before the step is over."""
    sigmas, seen = torch.tensor([9.0, 4.0, 1.0, 0.0]), []

    def unet(x, t, encoder_hidden_states):
        seen.append(int(t))
        return SimpleNamespace(sample=0 * x)

    model = script("k_euler")["CFGDenoiser"](unet, None, None, sigmas, torch.tensor([30, 20, 10]))
    for sigma in (9.0, 4.0, 4.0, 1.0):
        model(torch.ones(1), torch.tensor(sigma))
    assert seen == [30, 30, 20, 20, 20, 20, 10, 10]  # without and with the prompt


def test_guided_images_obey_the_prompt_more_often():
    """Eight seeds at once; a shift of the wrong sign or size fails here."""
    ddim, pipe = script("ddim_loop"), infsplign.shapes.load()
    scene = infsplign.parse_prompt(PROMPT)
    positions = token_indices(pipe.tokenizer, PROMPT, scene.objects)
    guidance = infsplign.Guidance(pipe.unet, backbone_for(pipe).source(pipe.unet), scene, positions, CONFIG)
    uncond, cond = (x.expand(8, -1, -1) for x in ddim["encode"](pipe, PROMPT))
    noise = torch.cat([torch.randn(1, 4, 24, 24, generator=torch.Generator().manual_seed(seed)) for seed in range(8)])
    right = []
    for given in (None, guidance):
        latents = ddim["sample"](pipe, noise, uncond, cond, 10, given)
        seen = [[d for d in detect(ddim["decode"](pipe, x)) if d.score >= MIN_SCORE] for x in latents.split(1)]
        right.append(sum(judge(found, "star", "right of", "flower").correct for found in seen))
    assert right[1] >= right[0] + 3, right
