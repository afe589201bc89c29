"""k-diffusion's `denoised = model(x, sigma)`, guided; the sampler never learns of it. Offline: `python examples/k_euler.py`."""

from itertools import pairwise

import torch

import infsplign
from infsplign.adapters import backbone_for
from infsplign.prompts.tokens import token_indices
from infsplign.shipped import PRESETS


class Model:
    """`(x, sigma)` to `denoised` at k-diffusion's scaling `x = x_0 + sigma eps`, for a UNet that predicts the noise."""

    def __init__(self, pipe, prompt, sigmas, rows, config=PRESETS["pictures"].config):
        scene, self.alphas = infsplign.parse_prompt(prompt), pipe.scheduler.alphas_cumprod
        guidance = infsplign.Guidance(pipe.unet, backbone_for(pipe), scene, token_indices(pipe.tokenizer, prompt, scene.objects), config)
        cond, uncond = (text.expand(rows, -1, -1) for text in pipe.encode_prompt(prompt, "cpu", 1, True))
        self.steps = infsplign.Steps(guidance, infsplign.timesteps_of(sigmas[:-1], self.alphas), sigmas=sigmas[:-1])
        self.passes = ((pipe.unet, uncond), (self.steps, cond))

    @torch.no_grad()
    def __call__(self, x, sigma):
        x_in, t = x / (sigma**2 + 1) ** 0.5, infsplign.timesteps_of(sigma[None], self.alphas)[0]
        uncond, cond = (run(x_in, t, encoder_hidden_states=text).sample for run, text in self.passes)
        return x - sigma * self.steps.shifted(uncond + PRESETS["pictures"].guidance_scale * (cond - uncond))


def euler(model, x, sigmas):
    for sigma, sigma_next in pairwise(sigmas):
        x = x + (x - model(x, sigma)) / sigma * (sigma_next - sigma)
    return x


if __name__ == "__main__":
    pipe = infsplign.shipped.load("pictures")
    sigmas = torch.cat([torch.linspace(14.0 ** (1 / 7), 0.05 ** (1 / 7), 30) ** 7, torch.zeros(1)])
    x = euler(Model(pipe, "a cat to the left of a dog", sigmas, 1), sigmas[0] * torch.randn(1, 12, 16, 16), sigmas)
    pipe.image_processor.postprocess(pipe.vae.decode(x / pipe.vae.config.scaling_factor).sample.detach())[0].save("k_euler.png")
