"""Heun's method of EDM, guided: two passes of the denoiser a step. Offline, twenty seconds on a CPU: `python examples/edm_heun.py`."""

from itertools import pairwise

import torch

import infsplign
from infsplign.adapters import backbone_for
from infsplign.prompts.tokens import token_indices
from infsplign.shipped import PRESETS


@torch.no_grad()
def sample(pipe, prompt, x, sigmas, config=PRESETS["pictures"].config):
    """Algorithm 1 of Karras et al. (arXiv 2206.00364) from `x` (B, C, H, W) at `sigmas[0]` to `sigmas[-1] == 0`; also the trace."""
    scene, alphas = infsplign.parse_prompt(prompt), pipe.scheduler.alphas_cumprod
    tokens = token_indices(pipe.tokenizer, prompt, scene.objects)
    guidance = infsplign.Guidance(pipe.unet, backbone_for(pipe), scene, tokens, config)
    cond, uncond = (text.expand(len(x), -1, -1) for text in pipe.encode_prompt(prompt, "cpu", 1, True))
    steps = infsplign.Steps(guidance, infsplign.timesteps_of(sigmas[:-1], alphas), sigmas=sigmas[:-1])

    def slope(x, sigma):  # dx/dsigma, the noise where the model predicts the noise
        x_in, t = x / (sigma**2 + 1) ** 0.5, infsplign.timesteps_of(sigma[None], alphas)[0]
        eps_uncond = pipe.unet(x_in, t, encoder_hidden_states=uncond).sample
        eps_cond = steps(x_in, t, encoder_hidden_states=cond).sample
        return steps.shifted(eps_uncond + PRESETS["pictures"].guidance_scale * (eps_cond - eps_uncond))

    for sigma, sigma_next in pairwise(sigmas):
        d = slope(x, sigma)
        if sigma_next > 0:
            d = (d + slope(x + (sigma_next - sigma) * d, sigma_next)) / 2
        x = x + (sigma_next - sigma) * d
    return x, steps.trace


if __name__ == "__main__":
    pipe = infsplign.shipped.load("pictures")
    sigmas = torch.cat([torch.linspace(14.0 ** (1 / 7), 0.05 ** (1 / 7), 15) ** 7, torch.zeros(1)])
    x, _ = sample(pipe, "a cat to the left of a dog", sigmas[0] * torch.randn(1, 12, 16, 16), sigmas)
    pipe.image_processor.postprocess(pipe.vae.decode(x / pipe.vae.config.scaling_factor).sample.detach())[0].save("edm_heun.png")
