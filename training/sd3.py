"""Trains the shipped MMDiT: SD3Transformer2DModel with two CLIP encoders and T5, by flow matching on the latents of the shapes world.

    OMP_NUM_THREADS=1 python -m training.sd3           (an hour or two on one core; resumes when interrupted)

What makes it learn in hours what took a day: Muon for the matrices, PixArt's T5 (already trained) to begin with as the real model begins
with a trained one, patches of 3 (8 x 8 image tokens beside 64 of text), a compiled transformer.
The CLIP segment has 32 tokens (the tokenizers' own `model_max_length`), the T5 segment `T5_LENGTH`: it is what `shapes.load` asks for.
"""

import shutil

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from torch.nn.functional import pad
from transformers import CLIPTextModelWithProjection, T5EncoderModel

from infsplign.shipped.presets import T5_LENGTH
from training.common import CACHE, MODELS, Run, averaged_parts, batches, cosine, load_vae
from training.data import latents_and_captions
from training.t5 import build_t5_tokenizer
from training.text import build_text_encoder, encode, kept_tokenizer

RESTART, STEPS, BATCH, SEED, DROP = 4_500, 9_000, 32, 0, 0.1
CLIP_LENGTH, CLIP_WIDTH = 32, 32


def build(text_width: int) -> SD3Transformer2DModel:
    return SD3Transformer2DModel(
        sample_size=24,
        patch_size=3,
        in_channels=4,
        out_channels=4,
        num_layers=5,
        attention_head_dim=24,
        num_attention_heads=4,
        joint_attention_dim=text_width,
        caption_projection_dim=96,
        pooled_projection_dim=2 * CLIP_WIDTH,
        pos_embed_max_size=16,
        qk_norm="rms_norm",
    )


def rate(step: int) -> float:
    """Down to 0 at `RESTART`, when it drew too few objects well; from there on half a cosine more."""
    return cosine(step, RESTART if step < RESTART else STEPS)


def main() -> None:
    torch.manual_seed(SEED)
    latents, captions = latents_and_captions()
    clip, t5 = kept_tokenizer(MODELS / "sd3" / "tokenizer", CLIP_LENGTH), build_t5_tokenizer()
    t5_encoder = T5EncoderModel.from_pretrained(MODELS / "pixart" / "text_encoder", dtype=torch.float32)
    modules = {
        "transformer": build(t5_encoder.config.d_model),
        "text_encoder": CLIPTextModelWithProjection(build_text_encoder(clip, CLIP_WIDTH, length=CLIP_LENGTH).config),
        "text_encoder_2": CLIPTextModelWithProjection(build_text_encoder(clip, CLIP_WIDTH, length=CLIP_LENGTH).config),
        "text_encoder_3": t5_encoder,
    }
    transformer, text_encoder, text_encoder_2, text_encoder_3 = modules.values()
    clip_ids = encode(clip, [*captions, ""], CLIP_LENGTH)  # the last row is the empty caption
    t5_ids = t5([*captions, ""], padding="max_length", max_length=T5_LENGTH, truncation=True, return_tensors="pt").input_ids
    velocity_of = torch.compile(transformer)  # twice as fast on a processor without bfloat16
    run = Run("sd3", modules, steps=STEPS, lr=1e-3, seed=SEED, ema=0.999, muon=True, rate=rate)

    def loss_of(step: int) -> dict[str, torch.Tensor]:
        rows = batches(len(latents), BATCH, SEED, step)
        z, noise = latents[rows].float(), torch.randn(BATCH, *latents.shape[1:])
        sigma = torch.sigmoid(torch.randn(BATCH))  # logit-normal, arXiv 2403.03206
        rows = torch.where(torch.rand(BATCH) < DROP, len(latents), rows)
        encoded = [encoder(clip_ids[rows], output_hidden_states=True) for encoder in (text_encoder, text_encoder_2)]
        tokens = torch.cat([e.hidden_states[-2] for e in encoded], -1)
        tokens = pad(tokens, (0, t5_encoder.config.d_model - tokens.shape[-1]))
        prompt = torch.cat([tokens, text_encoder_3(t5_ids[rows]).last_hidden_state], 1)
        s = sigma.view(-1, 1, 1, 1)
        velocity = velocity_of(
            (1 - s) * z + s * noise,
            encoder_hidden_states=prompt,
            pooled_projections=torch.cat([e.text_embeds for e in encoded], -1),
            timestep=1000 * sigma,
        ).sample
        return {"loss": (velocity - (noise - z)).square().mean()}

    def save(folder, dtype) -> None:
        tokenizers = {"tokenizer": clip, "tokenizer_2": clip, "tokenizer_3": t5}
        scheduler = FlowMatchEulerDiscreteScheduler()
        pipe = StableDiffusion3Pipeline(vae=load_vae(dtype, flow=True), scheduler=scheduler, **tokenizers, **averaged_parts(run, dtype))
        pipe.save_pretrained(folder)

    run.train(loss_of, lambda step: save(CACHE / f"sd3-{step}", torch.float32) if step % 2000 == 0 else None)
    save(MODELS / "sd3", torch.float16)
    for shared in ("vae", "tokenizer_2", "tokenizer_3"):  # kept once, see `infsplign.shipped.loading`
        shutil.rmtree(MODELS / "sd3" / shared)
    run.write_facts()


if __name__ == "__main__":
    main()
