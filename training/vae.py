"""Trains the autoencoder that all shipped models share: 96x96 RGB to 24x24x4 latents and back.

OMP_WAIT_POLICY=PASSIVE python -m training.vae            (about 8 minutes on two cores; resumes when interrupted)
"""

import json

import numpy as np
import torch
from diffusers import AutoencoderKL

from infsplign.shapes.world import SIZE, render, sample_scene
from training.common import MODELS, Run

STEPS, BATCH, SEED = 1600, 16, 0


def pictures(seed: int, count: int) -> torch.Tensor:
    """`count` rendered scenes, (count, 3, 96, 96) in [-1, 1]."""
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(render(sample_scene(rng))) for _ in range(count)]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 127.5 - 1


def build() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32, 48),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def main() -> None:
    torch.manual_seed(SEED)
    vae = build().to(memory_format=torch.channels_last)
    run = Run("vae", {"vae": vae}, steps=STEPS, lr=2e-3, seed=SEED)

    def loss_of(step: int) -> dict[str, torch.Tensor]:
        x = pictures(1_000_000 + step, BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            restored = vae.decode(posterior.sample()).sample
        error = restored.float() - x
        kl = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
        return {"loss": error.abs().mean() + error.square().mean() + 5e-4 * kl.float()}

    run.train(loss_of)
    vae.eval()
    x = pictures(7, 256)
    with torch.no_grad():
        posterior = vae.encode(x).latent_dist
        restored = vae.decode(posterior.mode()).sample.clamp(-1, 1)
    psnr = float(10 * torch.log10(4 / (restored - x).square().mean()))
    vae.register_to_config(scaling_factor=round(1 / float(posterior.mode().std()), 4))
    print(
        json.dumps(
            {
                "psnr_dB": psnr,
                "scaling_factor": vae.config.scaling_factor,
                "latent_mean": posterior.mode().mean((0, 2, 3)).tolist(),
                "posterior_std": float(posterior.std.mean()),
                "seconds": run.seconds,
            }
        )
    )
    vae.half().save_pretrained(MODELS / "vae")


if __name__ == "__main__":
    main()
