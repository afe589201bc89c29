"""The predicted clean latents of stock schedulers, and pictures of them."""

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infsplign.app.previews import clean_latents, preview, watched
from infsplign.pipelines.guide import guide
from tests import tiny, tiny_transformers

PROMPT = "a cat to the left of a dog"
LEVELS = st.floats(0.05, 0.95)


@given(LEVELS, st.integers(0, 2**31))
def test_clean_latents_are_those_that_were_noised(sigma, seed):
    x_0, noise = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    alpha = (1 - sigma**2) ** 0.5
    outputs = {"epsilon": noise, "v_prediction": alpha * noise - sigma * x_0, "sample": x_0}
    for prediction, output in outputs.items():
        assert torch.allclose(clean_latents(alpha * x_0 + sigma * noise, output, prediction, alpha=alpha, sigma=sigma), x_0)
    assert torch.allclose(clean_latents((1 - sigma) * x_0 + sigma * noise, noise - x_0, "flow", alpha=1 - sigma, sigma=sigma), x_0)


@pytest.mark.parametrize(
    "scheduler",
    [
        DDIMScheduler(**tiny.SD_SCHEDULE),
        DDIMScheduler(**tiny.SD_SCHEDULE, prediction_type="v_prediction"),
        EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
        FlowMatchEulerDiscreteScheduler(),
    ],
    ids=["ddim", "v", "euler", "flow"],
)
def test_the_watcher_sees_the_schedulers_own_prediction(scheduler):
    """With a model that knows the clean latents, each step's prediction is exactly them."""
    scheduler.set_timesteps(4)
    x_0, noise = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    flow = isinstance(scheduler, FlowMatchEulerDiscreteScheduler)
    seen, before = [], scheduler.step
    with watched(scheduler, lambda step, steps, clean: seen.append((step, steps, clean()))):
        for number, t in enumerate(scheduler.timesteps):
            if flow:
                sigma = scheduler.sigmas.tolist()[number]
                sample, output = (1 - sigma) * x_0 + sigma * noise, noise - x_0
            else:
                sample = scheduler.add_noise(x_0, noise, t[None])
                scheduler.scale_model_input(sample, t)
                alpha = scheduler.alphas_cumprod[int(t)] ** 0.5
                output = alpha * noise - (1 - alpha**2) ** 0.5 * x_0 if scheduler.config.prediction_type == "v_prediction" else noise
            scheduler.step(output, t, sample)
    assert [found[:2] for found in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(torch.allclose(found[2], x_0, atol=2e-3) for found in seen)
    assert scheduler.step == before


def test_an_exception_of_the_watcher_ends_the_sampling_and_leaves_no_trace():
    pipe = tiny.sd()

    def stop(step, steps, clean):
        raise InterruptedError

    with pytest.raises(InterruptedError), watched(pipe.scheduler, stop), guide(pipe, PROMPT):
        pipe(PROMPT, num_inference_steps=2)
    assert "step" not in vars(pipe.scheduler)
    assert "forward" not in vars(pipe.unet)


@pytest.mark.parametrize("make", [tiny.sd, tiny.sdxl, tiny_transformers.sd3])
def test_previews_of_pipelines_with_an_autoencoder(make):
    pipe, images = make(), []
    with watched(pipe.scheduler, lambda step, steps, clean: images.append(preview(pipe, clean()))):
        latents = pipe(PROMPT, num_inference_steps=2, output_type="latent").images
    assert latents.isfinite().all()
    assert len(images) == 2
    assert all(image.mode == "RGB" for image in images)


def test_packed_latents_are_unpacked():
    """Flux packs 2x2 cells into one token; the tiny one has a token a cell, so its own packing is tried."""
    pipe = tiny_transformers.flux()
    packed = pipe._pack_latents(torch.zeros(1, 4, 8, 12), 1, 4, 8, 12)
    assert size_of(preview(pipe, packed, (16, 24))) == (24, 16)


def size_of(image: Image.Image | None) -> tuple[int, int]:
    assert image is not None
    return image.size


def test_large_latents_are_shrunk_and_strange_ones_are_left_out():
    pipe = tiny.sd()
    assert size_of(preview(pipe, torch.zeros(2, 4, 128, 96))) == (96, 128)
    assert preview(pipe, torch.zeros(1, 5, 8, 8)) is None
    assert preview(pipe, torch.zeros(1, 4, 2, 8, 8)) is None


def test_an_autoencoder_that_overflows_in_half_precision_gets_its_type_back():
    pipe = tiny.sd()
    pipe.vae.register_to_config(force_upcast=True)
    pipe.vae.to(torch.float16)
    assert size_of(preview(pipe, torch.zeros(1, 4, 8, 8, dtype=torch.float16))) == (16, 16)
    assert pipe.vae.dtype == torch.float16
