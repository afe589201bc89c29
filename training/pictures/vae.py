"""Trains the autoencoder that all models of the world of pictures share: 128x128 RGB to 16x16x12 latents and back.

    OMP_WAIT_POLICY=PASSIVE python -m training.pictures.vae [--minutes 15] [--device cuda]

Resumes when interrupted. `--decoder` goes on with the decoder alone: latents, and the models trained on them, stay as they are.
"""

import copy
import json

import torch
from diffusers import AutoencoderKL
from diffusers.models.resnet import ResnetBlock2D
from infsplign_models.world import SIZE, load_sprites, render, sample_scenes
from PIL import Image
from torch.nn import functional as F

from training.pictures.checkpoints import RUNS, WEIGHTS
from training.pictures.run import Clock, Run

FOLDER = WEIGHTS / "vae"
KL = 2e-4


def build() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32, 64, 96),
        layers_per_block=1,
        latent_channels=12,
        norm_num_groups=1,
        sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def begin_plain(vae: AutoencoderKL) -> AutoencoderKL:
    """Lets each residual block begin as the identity."""
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            torch.nn.init.zeros_(module.conv2.weight)
            torch.nn.init.zeros_(module.conv2.bias)
    return vae


def load_vae() -> AutoencoderKL:
    """The trained autoencoder, in float32."""
    return AutoencoderKL.from_pretrained(FOLDER, dtype=torch.float32)


def pictures(seed: int, count: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` scenes (count, 3, SIZE, SIZE) in [-1, 1], and where their objects are (count, 1, SIZE, SIZE)."""
    sprites = load_sprites().to(device)
    drawn, opacity = render(sample_scenes(sprites, count, seed, counts=(0.05, 0.2, 0.4, 0.35)), sprites)
    return 2 * drawn - 1, opacity.amax(1, keepdim=True)


def main() -> None:
    clock = Clock.read(minutes=15, batch=8, decoder="train the decoder alone, so that latents stay as they are")
    decoder_alone = "decoder" in clock.chosen
    torch.manual_seed(0)
    vae = begin_plain(build()) if not decoder_alone else load_vae()
    vae = vae.to(clock.device, memory_format=torch.channels_last)
    if decoder_alone:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    run = Run(
        "pictures-vae-decoder" if decoder_alone else "pictures-vae", {"vae": vae}, clock, lr=1e-3 if decoder_alone else 2e-3, ema=0.995
    )

    def loss_of(step: int) -> torch.Tensor:
        x, mask = pictures(step, clock.batch, clock.device)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(clock.device, torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            restored = vae.decode(posterior.sample()).sample.float()
        error = restored - x
        weight = 1 + 2 * mask
        weight = weight / weight.mean()
        edges = sum((weight.narrow(d, 1, SIZE - 1) * error.diff(dim=d).abs()).mean() for d in (2, 3))
        kl = 0.5 * (posterior.mean.float() ** 2 + posterior.var.float() - 1 - posterior.logvar.float()).mean()
        # colours of whole cells, which a loss of single pixels learns last
        coarse = F.avg_pool2d(error, 4).abs().mean() + 2 * F.avg_pool2d(error, 8).abs().mean()
        return (weight * (error.abs() + error**2)).mean() + 0.5 * edges + coarse + KL * kl

    run.train(loss_of, lambda step: export(run, clock.device))


@torch.no_grad()
def export(run: Run, device: str) -> None:
    """Saves the averaged autoencoder, and what it makes of 16 pictures."""
    vae = run.averaged["vae"]
    x, _ = pictures(2**30, 64, device)
    posterior = vae.encode(x).latent_dist
    restored = vae.decode(posterior.mode()).sample.clamp(-1, 1)
    psnr = float(10 * torch.log10(4 / (restored - x).square().mean((1, 2, 3))).mean())
    if run.name == "pictures-vae":
        vae.register_to_config(scaling_factor=round(1 / float(posterior.mode().std()), 4))
    copy.deepcopy(vae).half().save_pretrained(FOLDER)
    facts = {
        "step": run.step,
        "psnr_dB": round(psnr, 2),
        "scaling_factor": vae.config.scaling_factor,
        "posterior_std": float(posterior.std.mean()),
    }
    print(json.dumps(facts), flush=True)
    with (RUNS / run.name / "psnr.jsonl").open("a") as file:
        file.write(json.dumps(facts) + "\n")
    both = torch.cat([x[:16], restored[:16]]).reshape(4, 8, 3, SIZE, SIZE).permute(0, 3, 1, 4, 2).reshape(4 * SIZE, 8 * SIZE, 3)
    Image.fromarray(((both + 1) * 127.5).byte().cpu().numpy()).save(RUNS / run.name / "restored.png")


if __name__ == "__main__":
    main()
