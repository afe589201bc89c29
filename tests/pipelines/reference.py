"""The published way, written plainly: replaced processors, the whole batch under grad, an explicit sampling loop.

Independent of the package: its own attention, its own statistics, its own loss. Only the scheduler and the UNet are shared.
"""

import math

import torch
import torch.nn.functional as F


class StoringProcessor:
    """Computes attention step by step and stores the probabilities of the conditional half."""

    def __init__(self, name: str, store: dict) -> None:
        self.name, self.store = name, store

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states

        def heads(x):
            return x.reshape(x.shape[0], x.shape[1], attn.heads, -1).permute(0, 2, 1, 3)

        q, k, v = heads(attn.to_q(hidden_states)), heads(attn.to_k(context)), heads(attn.to_v(context))
        probabilities = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1)
        if encoder_hidden_states is not None:
            self.store[self.name] = probabilities.chunk(2)[1]
        out = (probabilities @ v).permute(0, 2, 1, 3).flatten(2)
        return attn.to_out[1](attn.to_out[0](out))


def loss(store, coarse, middle, tokens, height, width, *, alpha, margin, spatial, presence, balance):
    """'first left of second' on every layer, presence on the coarse ones, balance on the middle ones; summed over rows."""
    total = 0.0
    for names, level in ((coarse, "coarse"), (middle, "middle")):
        for name in names:
            p = store[name].mean(1)  # (B, S, T)
            side = round(math.sqrt(p.shape[1] * height / width))
            maps = p.reshape(p.shape[0], side, -1, p.shape[-1])
            x, y = torch.linspace(0, 1, maps.shape[2]), torch.linspace(0, 1, maps.shape[1])
            stats = []
            for indices in tokens:
                a = maps[..., list(indices)].mean(-1)
                m = a.sum((1, 2))
                cx, cy = (a * x).sum((1, 2)) / m, (a * y[:, None]).sum((1, 2)) / m
                d2 = (x - cx[:, None, None]) ** 2 + (y[:, None] - cy[:, None, None]) ** 2
                stats.append((cx, (a * d2).sum((1, 2)) / m))
            (ca, va), (cb, vb) = stats
            value = spatial * F.gelu(alpha * (margin - (cb - ca)))
            value = value + (presence * (va + vb) if level == "coarse" else balance * (va - vb).abs())
            total = total + value.sum()
    return total / (len(coarse) + len(middle))


def sample(pipe, prompt, tokens, *, layers, steps, scale, seed, options, guidance_scale=7.5, height=32, width=32, wrt_input=True):
    """Guided sampling with a plain loop; returns the final latents."""
    embeds, negative = pipe.encode_prompt(prompt, "cpu", 1, True)
    embeds = torch.cat([negative, embeds])
    generator = torch.Generator().manual_seed(seed)
    scheduler, unet, store = pipe.scheduler, pipe.unet, {}
    scheduler.set_timesteps(steps)
    factor = pipe.vae_scale_factor
    latents = torch.randn((1, 4, height // factor, width // factor), generator=generator) * scheduler.init_noise_sigma
    before = unet.attn_processors
    unet.set_attn_processor({name: StoringProcessor(name.removesuffix(".processor"), store) for name in before})
    extra = pipe.prepare_extra_step_kwargs(generator, 0.0)
    try:
        for t in scheduler.timesteps:
            z = scheduler.scale_model_input(latents, t).detach().requires_grad_()
            noise = unet(torch.cat([z, z]), t, encoder_hidden_states=embeds).sample
            (gradient,) = torch.autograd.grad(loss(store, layers["coarse"], layers["middle"], tokens, height, width, **options), z)
            uncond, cond = noise.detach().chunk(2)
            noise_pred = uncond + guidance_scale * (cond - uncond) + scale * gradient
            latents = scheduler.step(noise_pred, t, latents, **extra, return_dict=False)[0].detach()
    finally:
        unet.set_attn_processor(before)
    return latents
