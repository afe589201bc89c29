"""The guided pipeline gives what a plain hand-written loop gives, under every scheduler."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, PNDMScheduler

from infsplign import PAPER, guide
from infsplign.adapters import sd
from tests import tiny
from tests.pipelines import reference

PROMPT = "a circle to the left of a square"
TOKENS = ((2,), (8,))
OPTIONS = {"alpha": PAPER.alpha, "margin": PAPER.margin, "spatial": PAPER.spatial, "presence": PAPER.presence, "balance": PAPER.balance}
SCHEDULERS = {
    "DDPM": lambda c: DDPMScheduler.from_config(c, timestep_spacing="trailing"),
    "DDIM": DDIMScheduler.from_config,
    "PNDM": lambda c: PNDMScheduler.from_config(c, skip_prk_steps=True),
    "Euler": EulerDiscreteScheduler.from_config,
    "DPM++2M": lambda c: DPMSolverMultistepScheduler.from_config(c, algorithm_type="dpmsolver++"),
}


@pytest.mark.parametrize("size", [(32, 32), (32, 48)], ids=["square", "wide"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_equals_the_hand_written_loop(name, size):
    pipe = tiny.sd()
    pipe.scheduler = SCHEDULERS[name](pipe.scheduler.config)
    height, width = size
    config = PAPER.with_(scale=2000.0)  # large, so that a random UNet's small gradients move the latents visibly
    common = {"num_inference_steps": 5, "height": height, "width": width, "output_type": "latent"}
    plain = pipe(PROMPT, generator=torch.Generator().manual_seed(3), **common).images
    with guide(pipe, PROMPT, config=config) as guidance:
        ours = pipe(PROMPT, generator=torch.Generator().manual_seed(3), **common).images
    assert guidance.token_indices[0] == TOKENS
    theirs = reference.sample(
        pipe, PROMPT, TOKENS, layers=sd.layers(pipe.unet), steps=5, scale=2000.0, seed=3, options=OPTIONS, height=height, width=width
    )
    moved = (ours - plain).norm() / plain.norm()
    assert moved > 1e-3
    assert (ours - theirs).norm() / (ours - plain).norm() < 1e-3


def test_the_pipeline_hands_the_scheduler_its_generator_and_eta():
    """Pipelines read the signature of `scheduler.step`; a wrapper that hides it would silently drop `eta`."""
    pipe = tiny.sd()
    call = {"prompt": PROMPT, "num_inference_steps": 3, "eta": 1.0, "output_type": "latent"}
    plain = pipe(generator=torch.Generator().manual_seed(0), **call).images
    with guide(pipe, PROMPT, config=PAPER.with_(scale=1e-9)):
        ours = pipe(generator=torch.Generator().manual_seed(0), **call).images
    assert torch.allclose(ours, plain, atol=1e-4)
