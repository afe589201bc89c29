"""DDIM by hand, guided: no pipeline call, no `scheduler.step`. Offline, ten seconds on a CPU: `python examples/ddim.py`."""

from itertools import pairwise

import torch

import infsplign
from infsplign.adapters import backbone_for
from infsplign.prompts.tokens import token_indices
from infsplign.shipped import PRESETS


@torch.no_grad()
def sample(pipe, prompt, noise, n=30, config=PRESETS["pictures"].config):
    """DDIM (arXiv 2010.02502, eq. 12 at eta = 0) from `noise` (B, C, H, W): the latents, and what each step did."""
    scene = infsplign.parse_prompt(prompt)
    tokens = token_indices(pipe.tokenizer, prompt, scene.objects)
    guidance = infsplign.Guidance(pipe.unet, backbone_for(pipe), scene, tokens, config)
    cond, uncond = (text.expand(len(noise), -1, -1) for text in pipe.encode_prompt(prompt, "cpu", 1, True))
    alphas, x = pipe.scheduler.alphas_cumprod, noise
    timesteps = torch.linspace(len(alphas), 0, n + 1)[:-1].round().long() - 1
    steps = infsplign.Steps(guidance, timesteps, sigmas=(1 / alphas[timesteps] - 1) ** 0.5)
    for t, (alpha, alpha_next) in zip(timesteps, pairwise([*alphas[timesteps], torch.tensor(1.0)]), strict=True):
        eps_uncond = pipe.unet(x, t, encoder_hidden_states=uncond).sample
        eps_cond = steps(x, t, encoder_hidden_states=cond).sample
        eps = steps.shifted(eps_uncond + PRESETS["pictures"].guidance_scale * (eps_cond - eps_uncond))
        x_0 = (x - (1 - alpha).sqrt() * eps) / alpha.sqrt()
        x = alpha_next.sqrt() * x_0 + (1 - alpha_next).sqrt() * eps
    return x, steps.trace


if __name__ == "__main__":
    pipe = infsplign.shipped.load("pictures")
    noise = torch.randn(1, 12, 16, 16, generator=torch.Generator().manual_seed(0))
    latents, _ = sample(pipe, "a cat to the left of a dog", noise)
    image = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample.detach()
    pipe.image_processor.postprocess(image)[0].save("ddim.png")
