"""Trains `pictures`, the Stable Diffusion of the world of pictures: UNet2DConditionModel and CLIPTextModel, epsilon.

    OMP_WAIT_POLICY=PASSIVE python -m training.pictures.unet [--minutes 600] [--device cuda --batch 512]

Resumes when interrupted. `pictures-v` grows out of it: the same weights, trained on with the target of v-prediction.

    python -m training.pictures.unet --v [--minutes 120]
"""

import copy

import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from training.common import CACHE
from training.pictures.data import latents_and_captions
from training.pictures.run import Clock, Run
from training.pictures.sheet import sheet
from training.pictures.text import WIDTH, build_text_encoder, load_tokenizer
from training.pictures.vae import load_vae
from training.text import encode

DROP = 0.1
"""How often the caption is left out, for classifier-free guidance."""
SCHEDULE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


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
    clock = Clock.read(minutes=600, batch=32, v="train `pictures-v`, from the weights of `pictures`")
    velocity = "v" in clock.chosen
    torch.manual_seed(0)
    tokenizer = load_tokenizer()
    unet, text_encoder = build(), build_text_encoder(tokenizer)
    modules = {"unet": unet, "text_encoder": text_encoder}
    name = "pictures-v" if velocity else "pictures"
    if velocity:
        _begin_from(CACHE / "pictures.pt", modules)
    for module in modules.values():
        module.to(clock.device)
    unet.to(memory_format=torch.channels_last)
    if clock.device == "cpu":  # a third of a step is the backward pass of fused attention; the plain one takes half of that
        unet.set_attn_processor(AttnProcessor())
        text_encoder.set_attn_implementation("eager")
    run = Run(name, modules, clock, lr=5e-4 if velocity else 1e-3, ema=0.999)
    latents, texts = latents_and_captions(clock.device)
    several = len(texts[0])
    ids = encode(tokenizer, [text for row in texts for text in row]).view(len(texts), several, -1).to(clock.device)
    empty = encode(tokenizer, [""]).to(clock.device)
    kind = "v_prediction" if velocity else "epsilon"
    scheduler = DDPMScheduler(prediction_type=kind, clip_sample=False, **SCHEDULE)
    alphas = scheduler.alphas_cumprod.to(clock.device)
    snr = alphas / (1 - alphas)

    def loss_of(step: int) -> torch.Tensor:
        size = clock.batch
        rows = torch.randint(len(latents), (size,), device=clock.device)
        z = latents[rows].float().contiguous(memory_format=torch.channels_last)
        noise = torch.randn_like(z)
        # spread evenly over the steps within a batch, so that the loss is less noisy
        t = ((torch.arange(size, device=clock.device) + torch.rand(size, device=clock.device)) / size * 1000).long()
        dropped = torch.rand(size, 1, device=clock.device) < DROP
        said = ids[rows, torch.randint(several, (size,), device=clock.device)]
        with torch.autocast(clock.device, torch.bfloat16):
            prompt = text_encoder(torch.where(dropped, empty, said)).last_hidden_state
            output = unet(scheduler.add_noise(z, noise, t), t, prompt).sample.float()
        if velocity:
            target, weight = scheduler.get_velocity(z, noise, t), snr[t].clamp(max=5.0) / (snr[t] + 1)
        else:
            target, weight = noise, snr[t].clamp(max=5.0) / snr[t]  # min-SNR weighting, arXiv 2303.09556
        return ((output - target).square().mean((1, 2, 3)) * weight).mean()

    def export(step: int) -> None:
        pipe = pipeline(run, tokenizer, kind)
        pipe.save_pretrained(CACHE / name)
        sheet(pipe.to(clock.device), name)

    run.train(loss_of, export)


def _begin_from(path, modules: dict[str, torch.nn.Module]) -> None:
    """Copies the averaged weights of another training."""
    state = torch.load(path, weights_only=True, map_location="cpu")["averaged"]
    for key, module in modules.items():
        module.load_state_dict(state[key])


def pipeline(run: Run, tokenizer, prediction_type: str) -> StableDiffusionPipeline:
    """The averaged weights as a stock pipeline, with DPM-Solver++ as its scheduler."""

    scheduler = DPMSolverMultistepScheduler(prediction_type=prediction_type, timestep_spacing="trailing", **SCHEDULE)
    parts = {key: copy.deepcopy(module).eval() for key, module in run.averaged.items()}
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
