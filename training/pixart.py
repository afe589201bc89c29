"""Trains the shipped PixArt: PixArtTransformer2DModel and T5EncoderModel on the latents of the shapes world.

    OMP_NUM_THREADS=1 python -m training.pixart        (hours on two cores; resumes when interrupted)

In stretches: 14,000 steps, after which it drew both objects in half of the images, 1,500 more that begin at a fifth of the rate, and 2,000
in which the rate falls to nothing. (The first 15,500 on another machine, by latents encoded in bfloat16.)
The learned-sigma half of the output is there, as in the real model, and untrained: DPM-Solver and DDPM with fixed variance drop it.
"""

import shutil

import torch
from diffusers import DDPMScheduler, PixArtAlphaPipeline, PixArtTransformer2DModel

from training.common import CACHE, MODELS, Run, averaged_parts, batches, cosine, load_vae
from training.data import latents_and_captions
from training.t5 import build_t5_encoder, build_t5_tokenizer
from training.unet import SCHEDULER

FIRST, LAST, STEPS, BATCH, SEED, DROP, PADDED = 14_000, 15_500, 17_500, 32, 0, 0.1, 32


def build(width: int = 96) -> PixArtTransformer2DModel:
    return PixArtTransformer2DModel(
        num_attention_heads=4,
        attention_head_dim=32,
        in_channels=4,
        out_channels=8,
        num_layers=6,
        sample_size=24,
        patch_size=2,
        cross_attention_dim=128,
        caption_channels=width,
        use_additional_conditions=False,
    )


def rate(step: int) -> float:
    """Learning-rate factor: a cosine to the end of the first stretch, then the tail of one of 20,000 steps, and a line down to 0."""
    if step < FIRST:
        return cosine(step, FIRST)
    return cosine(min(step, LAST), 20_000) * min(1.0, (STEPS - step) / (STEPS - LAST))


def main() -> None:
    torch.manual_seed(SEED)
    latents, captions = latents_and_captions()
    tokenizer = build_t5_tokenizer()
    transformer, text_encoder = build(), build_t5_encoder(tokenizer)
    encoded = tokenizer([*captions, ""], padding="max_length", max_length=PADDED, truncation=True, return_tensors="pt")
    ids, masks = encoded.input_ids, encoded.attention_mask
    scheduler = DDPMScheduler(timestep_spacing="trailing", **SCHEDULER)
    snr = scheduler.alphas_cumprod / (1 - scheduler.alphas_cumprod)
    run = Run("pixart", {"transformer": transformer, "text_encoder": text_encoder}, steps=STEPS, lr=1e-3, seed=SEED, ema=0.999, rate=rate)

    predict = torch.compile(transformer)

    def loss_of(step: int) -> dict[str, torch.Tensor]:
        rows = batches(len(latents), BATCH, SEED, step)
        z, noise = latents[rows].float(), torch.randn(BATCH, *latents.shape[1:])
        t = torch.randint(0, 1000, (BATCH,))
        rows = torch.where(torch.rand(BATCH) < DROP, len(latents), rows)  # the last row is the empty caption
        mask = masks[rows]
        prompt = text_encoder(ids[rows], attention_mask=mask).last_hidden_state
        output = predict(
            scheduler.add_noise(z, noise, t),
            encoder_hidden_states=prompt,
            encoder_attention_mask=mask,
            timestep=t,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        ).sample
        weight = snr[t].clamp(max=5.0) / snr[t]
        return {"loss": ((output[:, :4] - noise).square().mean((1, 2, 3)) * weight).mean()}

    def export(step: int) -> None:
        if step % 1000 == 0 or step == STEPS:
            save(run, tokenizer, scheduler, CACHE / f"pixart-{step}", torch.float32)

    run.train(loss_of, export)
    save(run, tokenizer, scheduler, MODELS / "pixart", torch.float16)
    shutil.rmtree(MODELS / "pixart" / "vae")  # it is kept once, in MODELS / "vae"
    run.write_facts()


def save(run: Run, tokenizer, scheduler, folder, dtype) -> None:
    PixArtAlphaPipeline(vae=load_vae(dtype), tokenizer=tokenizer, scheduler=scheduler, **averaged_parts(run, dtype)).save_pretrained(folder)


if __name__ == "__main__":
    main()
