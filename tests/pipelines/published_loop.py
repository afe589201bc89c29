"""The published loop for Stable Diffusion, written again in few lines and independent of the package.

As published: the whole batch runs under grad, tapped layers compute their probabilities a second time, these are averaged over heads and
resized to 64x64, the loss of each prompt is a mean over layers, and its gradient is taken with respect to the latents before the scheduler
scales them and added to the combined noise prediction.
"""

import math

import torch
import torch.nn.functional as F

SIDE = 64


class Keeping:
    """An attention processor that keeps the conditional half's probabilities, (prompts, SIDE, SIDE, tokens)."""

    def __init__(self, kept, name, tapped):
        self.kept, self.name, self.tapped = kept, name, tapped

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        projected = (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        q, k, v = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in projected)
        if self.tapped:
            shares = torch.softmax(q @ k.mT * attn.scale, dim=-1).mean(1)  # over heads
            side = math.isqrt(shares.shape[1])
            maps = shares.reshape(len(shares), side, side, -1).permute(0, 3, 1, 2)
            maps = maps if side == SIDE else F.interpolate(maps, (SIDE, SIDE), mode="bilinear", antialias=True)
            self.kept[self.name] = maps.permute(0, 2, 3, 1).chunk(2)[1]
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](out))


def centre_and_spread(map_):
    places = torch.linspace(0, 1, SIDE, dtype=map_.dtype)
    y, x = torch.meshgrid(places, places, indexing="ij")
    total = map_.sum()
    cx, cy = (map_ * x).sum() / total, (map_ * y).sum() / total
    return cx, cy, (map_ * ((x - cx) ** 2 + (y - cy) ** 2)).sum() / total


def loss_of(kept, prompt, tokens, relation, *, penalty, alpha, margin, spatial, presence, balance):
    """The mean over layers for one prompt; "blocks.1" in a layer's name means presence, all others balance."""
    losses = []
    for name, maps in kept.items():
        (ax, ay, av), (bx, by, bv) = (centre_and_spread(maps[prompt][..., list(one)].mean(-1)) for one in tokens)
        gap = {"left of": bx - ax, "right of": ax - bx, "above": by - ay, "below": ay - by}[relation]
        energy = presence * (av + bv) if "blocks.1" in name else balance * (av - bv).abs()
        losses.append(spatial * penalty(alpha * (margin - gap)) + energy)
    return torch.stack(losses).mean()


def sample(pipe, prompts, tokens, relations, *, layers, steps, guided, scale, seed, guidance_scale=7.5, size=32, **options):
    """Latents after `steps` steps, of which the first `guided` are guided; `options` are those of `loss_of`."""
    embeds, negative = pipe.encode_prompt(prompts, "cpu", 1, True)
    embeds = torch.cat([negative, embeds])
    unet, scheduler, kept = pipe.unet, pipe.scheduler, {}
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(seed)
    side = size // pipe.vae_scale_factor
    latents = torch.randn((len(prompts), 4, side, side), generator=generator, dtype=embeds.dtype) * scheduler.init_noise_sigma
    before = unet.attn_processors
    unet.set_attn_processor({name: Keeping(kept, name, name.removesuffix(".processor") in layers) for name in before})
    extra = pipe.prepare_extra_step_kwargs(generator, 0.0)
    try:
        for number, t in enumerate(scheduler.timesteps):
            with torch.set_grad_enabled(number < guided):
                latents.requires_grad_(number < guided)
                both = scheduler.scale_model_input(torch.cat([latents] * 2), t)
                uncond, cond = unet(both, t, encoder_hidden_states=embeds).sample.chunk(2)
                noise = uncond + guidance_scale * (cond - uncond)
                if number < guided:
                    losses = torch.stack([loss_of(kept, row, tokens[row], relations[row], **options) for row in range(len(prompts))])
                    noise = noise + scale * torch.autograd.grad(losses.sum(), latents)[0]
            latents = scheduler.step(noise, t, latents, **extra, return_dict=False)[0].detach()
    finally:
        unet.set_attn_processor(before)
    return latents
