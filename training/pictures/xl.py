"""Trains `pictures-xl`, the SDXL of the world of pictures, from the weights of `pictures`.

    OMP_WAIT_POLICY=PASSIVE python -m training.pictures.xl [--minutes 180] [--device cuda --batch 512]

SDXL's layout: two text encoders whose last but one states stand side by side, the second encoder's pooled text, time ids, and two
transformer blocks where the first model has one. All that is new begins without an effect: the second encoder is a copy of the first and
shares its keys and values, new blocks and the embedding of pooled text and time ids add zero. Resumes when interrupted.
"""

import copy

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor
from transformers import CLIPTextModelWithProjection

from training.common import CACHE
from training.pictures import unet as first
from training.pictures.denoising import SCHEDULE, Denoising
from training.pictures.run import Clock, Run
from training.pictures.sheet import sheet
from training.pictures.text import WIDTH, build_text_encoder, load_tokenizer
from training.pictures.vae import load_vae

SIDE = 128
TIME_IDS = (SIDE, SIDE, 0, 0, SIDE, SIDE)
"""Original size, crop, and size that is asked for, as the pipeline gives them by default."""
TIME_WIDTH = 32


def build() -> UNet2DConditionModel:
    """The layout of `training.pictures.unet` with SDXL's further inputs and two transformer blocks at 8 x 8."""
    config = {name: value for name, value in first.build().config.items() if not name.startswith("_")} | {
        "transformer_layers_per_block": (1, 2, 1),
        "cross_attention_dim": 2 * WIDTH,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME_WIDTH,
        "projection_class_embeddings_input_dim": len(TIME_IDS) * TIME_WIDTH + WIDTH,
    }
    return UNet2DConditionModel.from_config(config)


SILENT = (".to_out.0.weight", ".to_out.0.bias", ".ff.net.2.weight", ".ff.net.2.bias", ".linear_2.weight", ".linear_2.bias")
"""Ends of the names of what adds its output to the rest; new ones begin at zero."""


@torch.no_grad()
def begin(unet: UNet2DConditionModel, encoders: list[torch.nn.Module], averaged: dict[str, dict[str, Tensor]]) -> None:
    """Copies the averaged weights of `pictures`; what is new has no effect yet."""
    own, first_unet, text = unet.state_dict(), averaged["unet"], averaged["text_encoder"]
    for name, value in own.items():
        if name in first_unet:
            old = first_unet[name]
            value.copy_(old if old.shape == value.shape else torch.cat([old, old], 1) / 2)  # keys and values of both encoders
        elif name.endswith(SILENT):
            value.zero_()
    for encoder in encoders:
        has = encoder.state_dict()
        kept = text | {f"text_model.{name}": value for name, value in text.items()}
        encoder.load_state_dict(has | {name: value for name, value in kept.items() if name in has})


def states(encoder: torch.nn.Module, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The last but one hidden states (B, L, C), as SDXL reads them, and the pooled text (B, C)."""
    found = encoder(ids, output_hidden_states=True)
    return found.hidden_states[-2], found[0]


def main() -> None:
    clock = Clock.read(minutes=180, batch=32)
    torch.manual_seed(0)
    tokenizer = load_tokenizer()
    unet = build()
    one = build_text_encoder(tokenizer, layers=4)
    two = CLIPTextModelWithProjection(build_text_encoder(tokenizer, layers=4).config)
    begin(unet, [one, two], first.shipped("pictures"))
    modules = {"unet": unet, "text_encoder": one, "text_encoder_2": two}
    for module in modules.values():
        module.to(clock.device)
    unet.to(memory_format=torch.channels_last)
    if clock.device == "cpu":  # see training.pictures.unet
        unet.set_attn_processor(AttnProcessor())
        one.set_attn_implementation("eager")
        two.set_attn_implementation("eager")
    run = Run("pictures-xl", modules, clock, lr=5e-4, ema=0.999)
    denoising = Denoising(tokenizer, clock.device, "epsilon")
    time_ids = torch.tensor([TIME_IDS], dtype=torch.float32, device=clock.device)

    def loss_of(step: int) -> Tensor:
        batch = denoising.batch(clock.batch)
        with torch.autocast(clock.device, torch.bfloat16):
            (left, _), (right, pooled) = states(one, batch.ids), states(two, batch.ids)
            # the pipeline gives zeros for an empty prompt
            prompt = torch.cat([left, right], -1).masked_fill(batch.dropped[..., None], 0.0)
            further = {"text_embeds": pooled.masked_fill(batch.dropped, 0.0), "time_ids": time_ids.expand(clock.batch, -1)}
            output = unet(batch.noisy, batch.timesteps, prompt, added_cond_kwargs=further).sample
        return denoising.loss(output, batch)

    def export(step: int) -> None:
        pipe = pipeline(run, tokenizer)
        pipe.save_pretrained(CACHE / "pictures-xl")
        sheet(pipe.to(clock.device), "pictures-xl")

    run.train(loss_of, export)


def pipeline(run: Run, tokenizer) -> StableDiffusionXLPipeline:
    """The averaged weights as a stock pipeline, with DPM-Solver++ as its scheduler."""
    parts = {key: copy.deepcopy(module).eval() for key, module in run.averaged.items()}
    parts["unet"].set_attn_processor(AttnProcessor2_0())
    pipe = StableDiffusionXLPipeline(
        vae=load_vae(),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=DPMSolverMultistepScheduler(timestep_spacing="trailing", **SCHEDULE),
        add_watermarker=False,
        **parts,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


if __name__ == "__main__":
    main()
