"""Trains `pictures`, the Stable Diffusion of the world of pictures: UNet2DConditionModel and CLIPTextModel, epsilon.

    OMP_WAIT_POLICY=PASSIVE python -m training.pictures.unet [--minutes 600] [--device cuda --batch 512]

Resumes when interrupted; without a checkpoint it begins from the weights that ship. `pictures-v` grows out of it: the same weights,
trained on with the target of v-prediction. The text encoder stays as it is then, so that both models share one that ships.

    python -m training.pictures.unet --v [--fresh] [--minutes 120]

With `--fresh`, or where none ship, `pictures` begins from nothing, and `pictures-v` from `pictures`: do so when `pictures` has changed.
"""

import copy

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from safetensors.torch import load_file

from training.common import CACHE
from training.pictures.checkpoints import WEIGHTS
from training.pictures.denoising import SCHEDULE, Denoising
from training.pictures.run import Clock, Run
from training.pictures.sheet import sheet
from training.pictures.text import WIDTH, build_text_encoder, load_tokenizer
from training.pictures.vae import load_vae


def build() -> UNet2DConditionModel:
    """Stable Diffusion's layout with three levels: 16, 8 and 4 cells a side; the two finer ones read the text."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=12,
        out_channels=12,
        layers_per_block=1,
        block_out_channels=(96, 128, 128),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def main() -> None:
    more = {"v": "train `pictures-v`", "fresh": "begin from nothing, or `pictures-v` from `pictures`; not from the weights that ship"}
    clock = Clock.read(minutes=600, batch=32, **more)
    velocity = "v" in clock.chosen
    torch.manual_seed(0)
    tokenizer = load_tokenizer()
    unet, text_encoder = build(), build_text_encoder(tokenizer)
    modules = {"unet": unet, "text_encoder": text_encoder}
    name = "pictures-v" if velocity else "pictures"
    onward = "fresh" not in clock.chosen and (WEIGHTS / name).exists()
    if velocity:
        begin_from_shipped("pictures", modules)  # the text encoder is that of `pictures` in any case
    if onward:  # a checkpoint in the cache, where there is one, replaces them
        begin_from_shipped(name, modules)
    for module in modules.values():
        module.to(clock.device)
    if velocity:
        modules.pop("text_encoder").requires_grad_(False)
    unet.to(memory_format=torch.channels_last)
    if clock.device == "cpu":  # a third of a step is the backward pass of fused attention; the plain one takes half of that
        unet.set_attn_processor(AttnProcessor())
        text_encoder.set_attn_implementation("eager")
    run = Run(name, modules, clock, lr=5e-4 if velocity else 1e-3, ema=0.999, onward=onward)
    kind = "v_prediction" if velocity else "epsilon"
    denoising = Denoising(tokenizer, clock.device, kind)

    def loss_of(step: int) -> torch.Tensor:
        batch = denoising.batch(clock.batch)
        with torch.autocast(clock.device, torch.bfloat16):
            prompt = text_encoder(batch.ids).last_hidden_state
            output = unet(batch.noisy, batch.timesteps, prompt, encoder_attention_mask=batch.seen).sample
        return denoising.loss(output, batch)

    def export(step: int) -> None:
        pipe = pipeline(run, text_encoder, tokenizer, kind)
        pipe.save_pretrained(CACHE / name)
        sheet(pipe.to(clock.device), name)

    run.train(loss_of, export)


def shipped(name: str) -> dict[str, dict[str, torch.Tensor]]:
    """The weights of a model that ships, by component; only of the components that it does not share."""
    kept = {path.parent.name: load_file(path) for path in sorted((WEIGHTS / name).glob("*/*.safetensors"))}
    return {key: {part.removeprefix("text_model."): value.float() for part, value in found.items()} for key, found in kept.items()}


def begin_from_shipped(name: str, modules: dict[str, torch.nn.Module]) -> None:
    """Loads the weights of a model that ships, so that a training goes on from them."""
    for key, kept in shipped(name).items():
        known = modules[key].state_dict()
        modules[key].load_state_dict({part: kept[part.removeprefix("text_model.")] for part in known})


def pipeline(run: Run, text_encoder: torch.nn.Module, tokenizer, prediction_type: str) -> StableDiffusionPipeline:
    """The averaged weights as a stock pipeline, with DPM-Solver++ as its scheduler; `text_encoder` where none was trained."""
    scheduler = DPMSolverMultistepScheduler(prediction_type=prediction_type, timestep_spacing="trailing", **SCHEDULE)
    parts = {key: copy.deepcopy(module).eval() for key, module in ({"text_encoder": text_encoder} | run.averaged).items()}
    parts["unet"].set_attn_processor(AttnProcessor2_0())
    pipe = StableDiffusionPipeline(
        vae=load_vae(),
        tokenizer=tokenizer,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **parts,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


if __name__ == "__main__":
    main()
