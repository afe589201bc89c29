"""Spatial guidance inside a k-diffusion style `CFGDenoiser`: the sampler never learns of it. Offline, ten seconds on a CPU.

    python examples/k_euler.py "a heart to the right of a diamond" --seed 0 --out k_euler.png

writes the unguided (left) and the guided image (right) of one seed.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from PIL import Image
from torch import Tensor

import infsplign
from infsplign.adapters import backbone_for
from infsplign.prompts.tokens import token_indices
from infsplign.shapes import CONFIG, GUIDANCE_SCALE, STEPS


class CFGDenoiser:
    """`(x, sigma)` to `denoised` for an epsilon UNet, at k-diffusion's scaling `x = x_0 + sigma eps`."""

    def __init__(self, unet: Any, uncond: Tensor, cond: Tensor, sigmas: Tensor, timesteps: Tensor, guidance: Any = None) -> None:
        self.unet, self.uncond, self.cond, self.guidance = unet, uncond, cond, guidance
        self.sigmas, self.timesteps = sigmas, timesteps

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        step = int((self.sigmas > sigma).sum())  # found, not counted: second-order samplers call twice a step
        x_in, t = x / (sigma**2 + 1) ** 0.5, self.timesteps[step]
        eps_uncond = self.unet(x_in, t, encoder_hidden_states=self.uncond).sample
        if self.guidance is not None and self.guidance.config.guides(step, len(self.timesteps)):
            # the gradient is with respect to what the UNet gets, so that `scale` means what it means in DDIM
            output, gradient, _ = self.guidance(x_in, t, encoder_hidden_states=self.cond)
            eps = eps_uncond + GUIDANCE_SCALE * (output.sample - eps_uncond)
            return x - sigma * (eps + self.guidance.shift(gradient, eps))
        eps_cond = self.unet(x_in, t, encoder_hidden_states=self.cond).sample
        return x - sigma * (eps_uncond + GUIDANCE_SCALE * (eps_cond - eps_uncond))


def to_d(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    return (x - denoised) / sigma


@torch.no_grad()
def sample_euler(model: Callable[[Tensor, Tensor], Tensor], x: Tensor, sigmas: Tensor) -> Tensor:
    """Algorithm 2 of Karras et al. (arXiv 2206.00364) without churn and second-order correction."""
    for sigma, sigma_next in pairwise(sigmas):
        denoised = model(x, sigma)
        x = x + to_d(x, sigma, denoised) * (sigma_next - sigma)
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
    parser.add_argument("--out", default="k_euler.png")
    args = parser.parse_args(argv)
    pipe = infsplign.shapes.load()
    scene = infsplign.parse_prompt(args.prompt)
    positions, source = token_indices(pipe.tokenizer, args.prompt, scene.objects), backbone_for(pipe).source(pipe.unet)
    guidance = infsplign.Guidance(pipe.unet, source, scene, positions, CONFIG.with_(scale=args.scale))
    tokens = pipe.tokenizer(["", args.prompt], padding="max_length", truncation=True, return_tensors="pt").input_ids
    uncond, cond = pipe.text_encoder(tokens).last_hidden_state.detach().split(1)
    alphas = pipe.scheduler.alphas_cumprod
    timesteps = torch.linspace(len(alphas), 0, args.steps + 1)[:-1].round().long() - 1
    sigmas = torch.cat([(1 / alphas[timesteps] - 1).sqrt(), torch.zeros(1)])
    x = torch.randn(1, 4, 24, 24, generator=torch.Generator().manual_seed(args.seed)) * (sigmas[0] ** 2 + 1) ** 0.5
    models = (CFGDenoiser(pipe.unet, uncond, cond, sigmas, timesteps, given) for given in (None, guidance))
    unguided, guided = (sample_euler(model, x, sigmas) for model in models)
    decode(pipe, torch.cat([unguided, guided])).save(args.out)
    return unguided, guided


if __name__ == "__main__":
    main()
