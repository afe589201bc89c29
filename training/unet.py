"""Trains the shipped Stable Diffusion: UNet2DConditionModel and CLIPTextModel on the latents of the shapes world.

    OMP_WAIT_POLICY=PASSIVE python -m training.unet          (about an hour on two cores; resumes when interrupted)

The UNet has Stable Diffusion's layout: up_blocks.1 works at a quarter of the latents' side, up_blocks.2 at half of it.
"""

import shutil

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel

from training.common import CACHE, MODELS, Run, averaged_parts, batches, load_vae
from training.data import latents_and_captions
from training.text import build_text_encoder, encode, kept_tokenizer, name_as_published

STEPS, BATCH, SEED, DROP = 5000, 32, 0, 0.1
SCHEDULER = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}


def build(width: int = 96) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=24,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(32, 64, 96, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=width,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def main() -> None:
    torch.manual_seed(SEED)
    latents, captions = latents_and_captions()
    tokenizer = kept_tokenizer(MODELS / "sd" / "tokenizer")
    unet, text_encoder = build(), build_text_encoder(tokenizer)
    ids, empty = encode(tokenizer, captions), encode(tokenizer, [""])
    scheduler = DDPMScheduler(timestep_spacing="trailing", **SCHEDULER)
    snr = scheduler.alphas_cumprod / (1 - scheduler.alphas_cumprod)
    run = Run("unet", {"unet": unet, "text_encoder": text_encoder}, steps=STEPS, lr=1e-3, seed=SEED, ema=0.999)

    def loss_of(step: int) -> dict[str, torch.Tensor]:
        rows = batches(len(latents), BATCH, SEED, step)
        z, noise = latents[rows].float(), torch.randn(BATCH, *latents.shape[1:])
        t = torch.randint(0, 1000, (BATCH,))
        dropped = torch.rand(BATCH, 1) < DROP
        prompt = text_encoder(torch.where(dropped, empty, ids[rows])).last_hidden_state
        predicted = unet(scheduler.add_noise(z, noise, t), t, prompt).sample
        weight = snr[t].clamp(max=5.0) / snr[t]  # min-SNR weighting, arXiv 2303.09556
        loss = ((predicted - noise).square().mean((1, 2, 3)) * weight).mean()
        return {"loss": loss}

    def export(step: int) -> None:
        save(run, tokenizer, scheduler, CACHE / f"unet-{step}", torch.float32)

    run.train(loss_of, export)
    save(run, tokenizer, scheduler, MODELS / "sd", torch.float16)
    name_as_published(MODELS / "sd" / "text_encoder")
    shutil.rmtree(MODELS / "sd" / "vae")  # it is kept once, in MODELS / "vae"
    run.write_facts()


def save(run: Run, tokenizer, scheduler, folder, dtype) -> None:
    """Writes the averaged weights as a stock pipeline."""
    StableDiffusionPipeline(
        vae=load_vae(dtype),
        tokenizer=tokenizer,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **averaged_parts(run, dtype),
    ).save_pretrained(folder)


if __name__ == "__main__":
    main()
