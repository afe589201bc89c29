"""Trains the detector of the world of pictures on composed scenes: doubled, touching, cut and mixed drawings among them.

    OMP_WAIT_POLICY=PASSIVE python -m training.pictures.detector [--minutes 30] [--device cuda]

A third of the pictures goes through the autoencoder, and all are blurred, tinted and made noisy a little, so that the network does not
learn what only perfect drawings have. Resumes when interrupted.
"""

import math
from dataclasses import replace

import torch
from diffusers import AutoencoderKL
from infsplign_models.world import SIZE, Sprites, load_sprites, render, sample_scenes
from infsplign_models.world.detector import CELL, CLASSES, MALFORMED, WEIGHTS, Network
from infsplign_models.world.scenes import Scenes, boxes
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from training.pictures.damage import BAD, UNSURE, damaged, field, mild, spoiled_latents, uniform
from training.pictures.data import SCENES
from training.pictures.run import Clock, Run
from training.pictures.vae import FOLDER, load_vae

SPOILED = 0.3
"""Part of the objects whose drawing is damaged."""
SPOILED_LATENTS = 0.15
"""Part of the objects, of those pictures that go through the autoencoder, whose latents are damaged."""
WHOLE, PART = 0.9, 0.6
"""A drawing of which more than WHOLE is visible counts as whole, less than PART as malformed; in between it is not asked."""
OFTEN = dict.fromkeys(SCENES["often"], 2.5)
"""Animals: what is wrong with one is the hardest to see."""
DECODED = 0.4
"""Part of the pictures that goes through the autoencoder."""


def batch(sprites: Sprites, count: int, seed: int) -> tuple[Tensor, Scenes, Tensor, Tensor, Tensor]:
    """Composed scenes, some of whose objects are malformed.

    Returns:
        pictures (B, 3, SIZE, SIZE) in [0, 1], their scenes, opacities (B, K, SIZE, SIZE), how whole each object is (B, K), and the
        opacity (B, 1, SIZE, SIZE) of what `worn` is to damage. The first pictures are those that go through the autoencoder.
    """
    generator = torch.Generator().manual_seed(seed)
    kind: dict = SCENES if seed % 2 else {}  # as models are trained on, and smaller and more turned
    scenes = sample_scenes(sprites, count, seed, **kind | {"counts": (0.15, 0.4, 0.3, 0.15), "often": OFTEN, "distinct": False})
    shape = scenes.sprite.shape
    drawn = torch.rand(shape, generator=generator)
    wrong, bent = drawn < SPOILED, drawn > 1 - (1 - SPOILED) / 2
    spoiled, degree = damaged(sprites, scenes.sprite[wrong], generator)
    good = mild(sprites.pixels[scenes.sprite[bent]], generator)
    every = Sprites(torch.cat([sprites.pixels, spoiled, good]), sprites.noun, sprites.colours)
    sprite, whole = scenes.sprite.clone(), torch.ones(shape)
    sprite[wrong] = torch.arange(len(spoiled)) + len(sprites.noun)
    sprite[bent] = torch.arange(len(good)) + len(sprites.noun) + len(spoiled)
    whole[wrong] = degree
    # some objects move towards another until they touch or hide a part of it
    crowd = torch.rand(count, generator=generator) < 0.25
    pull = 0.35 * torch.rand(count, 1, 1, generator=generator) * crowd[:, None, None]
    middle = (scenes.centre * scenes.there[..., None]).sum(1, keepdim=True) / scenes.there.sum(1)[:, None, None]
    scenes = replace(scenes, centre=scenes.centre + pull * (middle - scenes.centre))
    pictures, opacity = render(replace(scenes, sprite=sprite), every)
    visible, hidden = [], torch.zeros_like(opacity[:, 0])
    for slot in reversed(range(opacity.shape[1])):  # later objects lie over earlier ones
        shown = opacity[:, slot] * (1 - hidden)
        visible.insert(0, shown.sum((1, 2)) / opacity[:, slot].sum((1, 2)).clamp(min=1e-6))
        hidden = torch.maximum(hidden, opacity[:, slot])
    later = (torch.rand(shape, generator=generator) < SPOILED_LATENTS) & (torch.arange(count) < DECODED * count)[:, None] & scenes.there
    cover = (opacity * later[..., None, None]).amax(1, keepdim=True)
    beside = (opacity * cover).sum((2, 3)) / opacity.sum((2, 3)).clamp(min=1e-6)  # what touches a damaged object may be hit too
    whole = torch.where(later, BAD, torch.where(beside > 0.02, whole.clamp(max=UNSURE), whole))
    return pictures, scenes, opacity, whole * torch.stack(visible, 1), cover


def targets(scenes: Scenes, opacity: Tensor, whole: Tensor, noun_of: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Heat (B, C, 32, 32), weight of each cell's class loss, log distances (B, 4, 32, 32), and the cells that have them (B, 32, 32)."""
    b, k = whole.shape
    grid = SIZE // CELL
    box = boxes(opacity)  # (B, K, 4)
    middle, extent = (box[..., :2] + box[..., 2:]) / 2, (box[..., 2:] - box[..., :2]).clamp(min=1)
    axis = (torch.arange(grid) + 0.5) * CELL
    heat, asked = torch.zeros(b, len(CLASSES), grid, grid), torch.ones(b, len(CLASSES), grid, grid)
    distance, has = torch.zeros(b, 4, grid, grid), torch.zeros(b, grid, grid, dtype=torch.bool)
    nouns = noun_of[scenes.sprite]
    for slot in range(k):
        there = scenes.there[:, slot] & (opacity[:, slot].sum((1, 2)) > 40)
        dx, dy = axis[None, :] - middle[:, slot, :1], axis[None, :] - middle[:, slot, 1:]
        spread = (extent[:, slot] / 9).clamp(min=2.0)
        bump = torch.exp(-0.5 * (dy / spread[:, 1:]) ** 2)[:, :, None] * torch.exp(-0.5 * (dx / spread[:, :1]) ** 2)[:, None, :]
        cell = (middle[:, slot] / CELL).long().clamp(0, grid - 1)
        bump[torch.arange(b), cell[:, 1], cell[:, 0]] = 1.0
        good, bad = there & (whole[:, slot] >= WHOLE), there & (whole[:, slot] < PART)
        unsure = there & ~good & ~bad
        kind = torch.where(bad, CLASSES.index(MALFORMED), nouns[:, slot])
        for chosen in (good | bad).nonzero().flatten().tolist():
            heat[chosen, kind[chosen]] = torch.maximum(heat[chosen, kind[chosen]], bump[chosen])
        for chosen in unsure.nonzero().flatten().tolist():
            asked[chosen, nouns[chosen, slot]] *= 1 - bump[chosen]
            asked[chosen, -1] *= 1 - bump[chosen]
        inside = (dx.abs()[:, None, :] <= CELL) & (dy.abs()[:, :, None] <= CELL) & there[:, None, None]
        sides = torch.stack(
            [
                (axis[None, None, :] - box[:, slot, 0, None, None]).expand(b, grid, grid),
                (axis[None, :, None] - box[:, slot, 1, None, None]).expand(b, grid, grid),
                (box[:, slot, 2, None, None] - axis[None, None, :]).expand(b, grid, grid),
                (box[:, slot, 3, None, None] - axis[None, :, None]).expand(b, grid, grid),
            ],
            1,
        )
        distance = torch.where(inside[:, None], sides.clamp(min=1).log(), distance)
        has |= inside
    return heat, asked, distance, has


def focal(logits: Tensor, heat: Tensor, asked: Tensor) -> Tensor:
    """The penalty-reduced focal loss of CornerNet (arXiv 1808.01244), alpha 2, beta 4."""
    chance = logits.sigmoid()
    peak = heat == 1
    hit = (1 - chance) ** 2 * F.logsigmoid(logits) * peak
    miss = (1 - heat) ** 4 * chance**2 * F.logsigmoid(-logits) * ~peak
    return -((hit + miss) * asked).sum() / peak.sum().clamp(min=1)


def worn(pictures: Tensor, cover: Tensor, vae: AutoencoderKL | None, generator: torch.Generator) -> Tensor:
    """Pictures in [-1, 1] as a model might draw them: through the autoencoder, blurred, tinted, noisy.

    Args:
        pictures: (B, 3, SIZE, SIZE) in [0, 1].
        cover: (B, 1, SIZE, SIZE) in [0, 1], what is to be malformed in the latents.
        vae: the autoencoder, for the first DECODED of the pictures.
        generator: on the CPU.
    """
    x = 2 * pictures - 1
    some = math.ceil(DECODED * len(x))
    if vae is not None:
        with torch.no_grad(), torch.autocast(x.device.type, torch.bfloat16):
            z = vae.encode(x[:some].contiguous(memory_format=torch.channels_last)).latent_dist.mode().float()
            z = z + 0.08 * z.std() * torch.randn(z.shape, generator=generator).to(z)
            # what is good is not perfect either
            z = z + uniform(0.0, 0.25, some, generator).to(z) * z.std() * field(some, z.shape[1], 6, z.shape[-1], generator).to(z)
            z = spoiled_latents(z, F.adaptive_max_pool2d(cover[:some], z.shape[-2:]), generator)
            x = torch.cat([vae.decode(z).sample.float().clamp(-1, 1), x[some:]])
    blur = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = torch.rand(len(x), 1, 1, 1, generator=generator).to(x) * (torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5).to(x)
    x = x + amount * (blur - x)
    shade = 0.1 * torch.randn(len(x), 3, 1, 1, generator=generator).to(x)
    return (
        x * (1 + 0.08 * torch.randn(len(x), 1, 1, 1, generator=generator).to(x))
        + shade
        + 0.03 * torch.randn(x.shape, generator=generator).to(x)
    )


def main() -> None:
    clock = Clock.read(minutes=30, batch=32, fresh="begin from nothing, not from the weights that ship")
    torch.manual_seed(0)
    onward = WEIGHTS.exists() and "fresh" not in clock.chosen
    model = Network()
    if onward:
        model.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    model = model.to(clock.device, memory_format=torch.channels_last)
    run = Run("pictures-detector", {"network": model}, clock, lr=1e-3 if onward else 2e-3, warmup=50 if onward else 200, onward=onward)
    sprites = load_sprites()
    vae = load_vae().eval().to(clock.device, memory_format=torch.channels_last) if FOLDER.exists() else None

    def loss_of(step: int) -> Tensor:
        pictures, scenes, opacity, whole, cover = batch(sprites, clock.batch, 10**8 + run.earlier["steps"] + step)
        heat, asked, distance, has = (t.to(clock.device) for t in targets(scenes, opacity, whole, sprites.noun))
        x = worn(pictures.to(clock.device), cover.to(clock.device), vae, torch.Generator().manual_seed(step))
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(clock.device, torch.bfloat16):
            logits, sides = model(x)
        near = F.smooth_l1_loss(sides.float(), distance, reduction="none", beta=0.1).sum(1)
        return focal(logits.float(), heat, asked) + 2 * (near * has).sum() / has.sum().clamp(min=1)

    def export(step: int) -> None:
        weights = {name: t.half() if t.is_floating_point() else t for name, t in model.state_dict().items()}
        save_file({name: t.contiguous().cpu() for name, t in weights.items()}, WEIGHTS)

    run.train(loss_of, export)


if __name__ == "__main__":
    main()
