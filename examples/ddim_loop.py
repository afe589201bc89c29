"""Spatial guidance in a DDIM loop written by hand: no pipeline call, no `scheduler.step`. Offline, ten seconds on a CPU.

    python examples/ddim_loop.py "a heart to the right of a diamond" --seed 0 --out ddim.png

writes the unguided (left) and the guided image (right) of one seed. What a loop of yours needs is the branch in `sample` and the
four lines in `main` that build `guidance`.
"""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from PIL import Image
from torch import Tensor

import infsplign
from infsplign.adapters import backbone_for
from infsplign.prompts.tokens import token_indices
from infsplign.shapes import CONFIG, GUIDANCE_SCALE, STEPS


@torch.no_grad()
def encode(pipe: Any, prompt: str) -> tuple[Tensor, Tensor]:
    """Text embeddings of the empty prompt and of `prompt`, (1, 77, channels) each."""
    tokens = pipe.tokenizer(["", prompt], padding="max_length", truncation=True, return_tensors="pt")
    uncond, cond = pipe.text_encoder(tokens.input_ids).last_hidden_state.split(1)
    return uncond, cond


@torch.no_grad()
def sample(pipe: Any, x: Tensor, uncond: Tensor, cond: Tensor, steps: int, guidance: infsplign.Guidance | None = None) -> Tensor:
    """DDIM (arXiv 2010.02502, eq. 12 at eta = 0) with classifier-free guidance, from noise `x` (B, 4, H, W)."""
    unet, alphas_cumprod = pipe.unet, pipe.scheduler.alphas_cumprod
    times = torch.linspace(len(alphas_cumprod), 0, steps + 1).round().long() - 1
    alphas = torch.cat([alphas_cumprod[times[:-1]], torch.ones(1)])  # at the end the image is clean
    for i, (alpha, alpha_next) in enumerate(pairwise(alphas)):
        eps_uncond = unet(x, times[i], encoder_hidden_states=uncond).sample
        if guidance is not None and guidance.config.guides(i, steps):
            output, gradient, _ = guidance(x, times[i], encoder_hidden_states=cond)
            eps = eps_uncond + GUIDANCE_SCALE * (output.sample - eps_uncond)
            eps = eps + guidance.shift(gradient, eps)
        else:
            eps_cond = unet(x, times[i], encoder_hidden_states=cond).sample
            eps = eps_uncond + GUIDANCE_SCALE * (eps_cond - eps_uncond)
        x_0 = (x - (1 - alpha).sqrt() * eps) / alpha.sqrt()
        x = alpha_next.sqrt() * x_0 + (1 - alpha_next).sqrt() * eps
    return x


@torch.no_grad()
def decode(pipe: Any, latents: Tensor) -> Image.Image:
    """The images of all rows, side by side."""
    pixels = torch.cat(list(pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample), -1)
    return Image.fromarray(((pixels / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


def main(argv: Sequence[str] | None = None) -> tuple[Tensor, Tensor]:
    """Samples one seed twice and writes both images; returns the unguided and the guided latents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--scale", type=float, default=CONFIG.scale, help="of spatial guidance; 0 switches it off")
    parser.add_argument("--out", default="ddim.png")
    args = parser.parse_args(argv)

    pipe = infsplign.shapes.load()
    scene = infsplign.parse_prompt(args.prompt)
    positions = token_indices(pipe.tokenizer, args.prompt, scene.objects)
    source = backbone_for(pipe).source(pipe.unet)
    guidance = infsplign.Guidance(pipe.unet, source, scene, positions, CONFIG.with_(scale=args.scale))

    uncond, cond = encode(pipe, args.prompt)
    noise = torch.randn(1, 4, 24, 24, generator=torch.Generator().manual_seed(args.seed))
    unguided, guided = (sample(pipe, noise, uncond, cond, args.steps, given) for given in (None, guidance))
    decode(pipe, torch.cat([unguided, guided])).save(args.out)
    return unguided, guided


if __name__ == "__main__":
    main()
