"""Trains `pictures-xl`, the SDXL of the world of pictures, on from its weights that ship.

    OMP_WAIT_POLICY=PASSIVE python -m training.pictures.xl [--minutes 180] [--fresh] [--device cuda --batch 512]

SDXL's layout: a first level without text, several transformer blocks in a row at the coarse level, two text encoders whose last but one
states stand side by side, the second encoder's pooled text, and time ids. The first encoder is that of `pictures`, not trained on, so that
it ships once; the second is smaller and begins as the first two layers of it. With `--fresh`, or where no weights ship,
the UNet begins with the weights of `pictures` where the layouts agree; blocks that are new add nothing yet. Do so when `pictures` has
changed. Resumes when interrupted.
"""

import copy

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor
from transformers import CLIPTextModelWithProjection

from training.common import CACHE
from training.pictures import unet as first
from training.pictures.checkpoints import WEIGHTS
from training.pictures.denoising import SCHEDULE, Denoising
from training.pictures.run import Clock, Run
from training.pictures.sheet import sheet
from training.pictures.text import WIDTH, build_text_encoder, load_tokenizer
from training.pictures.vae import load_vae

NAME = "pictures-xl"
SIDE = 128
TIME_IDS = (SIDE, SIDE, 0, 0, SIDE, SIDE)
"""Original size, crop, and size that is asked for, as the pipeline gives them by default."""
TIME_WIDTH = 32
SECOND_LAYERS = 2
"""Of the second text encoder."""


def build() -> UNet2DConditionModel:
    """Two levels of `training.pictures.unet`, 16 and 8 cells a side; the coarse one reads the text, in two transformer blocks each time."""
    config = {name: value for name, value in first.build().config.items() if not name.startswith("_")} | {
        "block_out_channels": (96, 128),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2),
        "cross_attention_dim": 2 * WIDTH,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME_WIDTH,
        "projection_class_embeddings_input_dim": len(TIME_IDS) * TIME_WIDTH + WIDTH,
    }
    return UNet2DConditionModel.from_config(config)


SILENT = (".to_out.0.weight", ".to_out.0.bias", ".ff.net.2.weight", ".ff.net.2.bias", ".linear_2.weight", ".linear_2.bias")
"""Ends of the names of what adds its output to the rest; new ones begin at zero."""


def in_first(name: str) -> str:
    """The name that a weight has in `pictures`, whose decoder has one block more at its coarse end."""
    parts = name.split(".")
    return ".".join(["up_blocks", str(int(parts[1]) + 1), *parts[2:]]) if parts[0] == "up_blocks" else name


@torch.no_grad()
def begin(unet: UNet2DConditionModel, one: torch.nn.Module, two: torch.nn.Module, kept: dict[str, dict[str, Tensor]], ids: Tensor) -> None:
    """Copies the weights of `pictures`; what is new has no effect yet.

    Args:
        unet: of this model.
        one: the text encoder of `pictures`, with its weights.
        two: the second text encoder.
        kept: weights of `pictures`, by component.
        ids: token numbers of some captions (N, L).
    """
    texts = two.state_dict()
    old = {f"text_model.{name}": value for name, value in kept["text_encoder"].items()} | kept["text_encoder"]
    two.load_state_dict(texts | {name: old[name] for name in texts if name in old})
    # keys and values of the states that `pictures` reads, from those that are read here: the linear map with the least squared error
    here, there = side_by_side(one, two, ids)[0].flatten(0, 1), one(ids).last_hidden_state.flatten(0, 1)
    change = torch.linalg.lstsq(here, there).solution.T
    for name, value in unet.state_dict().items():
        found = kept["unet"].get(in_first(name))
        if found is not None:
            value.copy_(found if found.shape == value.shape else found @ change)
        elif name.endswith(SILENT):
            value.zero_()


def states(encoder: torch.nn.Module, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The last but one hidden states (B, L, C), as SDXL reads them, and the pooled text (B, C)."""
    found = encoder(ids, output_hidden_states=True)
    return found.hidden_states[-2], found[0]


def side_by_side(left: torch.nn.Module, right: torch.nn.Module, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The states of both encoders (B, L, 2 WIDTH) and the pooled text of the second (B, WIDTH)."""
    with torch.no_grad():
        one, _ = states(left, ids)
    two, pooled = states(right, ids)
    return torch.cat([one, two], -1), pooled


def main() -> None:
    clock = Clock.read(minutes=180, batch=32, fresh="begin from the weights of `pictures`, not from those of `pictures-xl` that ship")
    onward = "fresh" not in clock.chosen and (WEIGHTS / NAME).exists()
    torch.manual_seed(0)
    tokenizer, kept = load_tokenizer(), first.shipped("pictures")
    denoising = Denoising(tokenizer, clock.device, "epsilon")
    unet, one = build(), build_text_encoder(tokenizer)
    one.load_state_dict(kept["text_encoder"])
    two = CLIPTextModelWithProjection(build_text_encoder(tokenizer, layers=SECOND_LAYERS).config)
    modules = {"unet": unet, "text_encoder_2": two}
    for module in (one.requires_grad_(False), *modules.values()):
        module.to(clock.device)
    if onward:
        first.begin_from_shipped(NAME, modules)
    else:
        begin(unet, one, two, kept, denoising.ids[:256, 0])
    unet.to(memory_format=torch.channels_last)
    if clock.device == "cpu":  # see training.pictures.unet
        unet.set_attn_processor(AttnProcessor())
        one.set_attn_implementation("eager")
        two.set_attn_implementation("eager")
    run = Run(NAME, modules, clock, lr=5e-4, ema=0.999, onward=onward)
    time_ids = torch.tensor([TIME_IDS], dtype=torch.float32, device=clock.device)

    def loss_of(step: int) -> Tensor:
        batch = denoising.batch(clock.batch)
        with torch.autocast(clock.device, torch.bfloat16):
            prompt, pooled = side_by_side(one, two, batch.ids)
            prompt = prompt.masked_fill(batch.dropped[..., None], 0.0)  # the pipeline gives zeros for an empty prompt
            further = {"text_embeds": pooled.masked_fill(batch.dropped, 0.0), "time_ids": time_ids.expand(clock.batch, -1)}
            asked = {"encoder_attention_mask": batch.seen, "added_cond_kwargs": further}
            output = unet(batch.noisy, batch.timesteps, prompt, **asked).sample
        return denoising.loss(output, batch)

    def export(step: int) -> None:
        pipe = pipeline(run, one, tokenizer)
        pipe.save_pretrained(CACHE / NAME)
        sheet(pipe.to(clock.device), NAME)

    run.train(loss_of, export)


def pipeline(run: Run, text_encoder: torch.nn.Module, tokenizer) -> StableDiffusionXLPipeline:
    """The averaged weights as a stock pipeline, with DPM-Solver++ as its scheduler."""
    parts = {key: copy.deepcopy(module).eval() for key, module in ({"text_encoder": text_encoder} | run.averaged).items()}
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
