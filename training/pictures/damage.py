"""Drawings that are malformed as those of an undertrained diffusion model are, made of the drawings alone: never of a model's pictures.

Each kind of damage has a severity. With little of it a drawing stays good, with much it is malformed, and what lies between is not asked
of the detector; how much a drawing bears depends on its noun, see STRICT and LENIENT. Everything works on a batch of drawings
(N, 4, SIDE, SIDE), colours times alpha, then alpha.
"""

import torch
from infsplign_models.world import NAMES, Sprites
from torch import Tensor
from torch.nn import functional as F

RELATED = (
    ("cat", "dog", "horse", "sheep", "cow", "elephant", "zebra", "giraffe", "bear", "teddy bear"),
    ("car", "bus", "train", "airplane", "boat"),
    ("apple", "orange", "donut", "sports ball", "clock", "pizza"),
    ("banana", "carrot", "hot dog", "broccoli", "potted plant", "bird"),
    ("tv", "laptop", "book", "suitcase", "backpack", "cake"),
    ("chair", "couch", "person", "traffic light", "umbrella", "wine glass", "cup"),
)
"""Nouns that a model may mix up."""
STRICT, LENIENT = (0.0, 1.0), (0.6, 2.0)
"""Severity of damage up to which a drawing is good, and above which it is malformed. A horse has one head and four legs, a cake may have
any shape."""
LEGGED = ("person", "bird", "cat", "dog", "horse", "cow", "elephant", "zebra", "giraffe")
"""The nouns of which STRICT holds."""
GOOD, UNSURE, BAD = 1.0, 0.75, 0.0
"""How whole a drawing with little, some or much damage counts, see `training.pictures.detector.WHOLE` and `PART`."""


def field(count: int, channels: int, cells: int, size: int, generator: torch.Generator) -> Tensor:
    """Smooth noise of mean 0 and standard deviation 1 about, that changes over a `cells`-th of the side: (count, channels, size, size)."""
    noise = torch.randn(count, channels, cells + 2, cells + 2, generator=generator)
    return F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=True) / 0.75


def uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """(count, 1, 1, 1)."""
    return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)


def moved(drawings: Tensor, offset: Tensor) -> Tensor:
    """Takes each pixel from `offset` (N, 2, SIDE, SIDE) away, in halves of the side."""
    axis = torch.linspace(-1, 1, drawings.shape[-1])
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    return F.grid_sample(drawings, grid + offset.permute(0, 2, 3, 1), align_corners=True)


def warped(drawings: Tensor, strain: Tensor, generator: torch.Generator) -> Tensor:
    """Bends each drawing by a smooth field; `strain` (N, 1, 1, 1) is how much neighbours move apart, relative to their distance."""
    n, side = len(drawings), drawings.shape[-1]
    offset = torch.empty(n, 2, side, side)
    cells = torch.randint(2, 6, (n,), generator=generator)
    for c in (2, 3, 4, 5):
        here = cells == c
        offset[here] = field(int(here.sum()), 2, c, side, generator)
    slope = torch.stack([offset.diff(dim=d).square().mean((1, 2, 3)) for d in (2, 3)]).mean(0).sqrt()[:, None, None, None] * side / 2
    return moved(drawings, offset * strain / slope)


def resized(drawings: Tensor, factor: Tensor) -> Tensor:
    """Smaller by `factor` (N, 1, 1, 1), about the middle."""
    matrix = torch.eye(2, 3) / factor[:, 0]
    return F.grid_sample(drawings, F.affine_grid(matrix, list(drawings.shape), align_corners=True), align_corners=True)


def shift(drawings: Tensor, by: Tensor) -> Tensor:
    """Moves to the right by `by` (N, 1, 1, 1), in halves of the side."""
    return moved(drawings, torch.cat([-by, torch.zeros_like(by)], 1).expand(-1, -1, *drawings.shape[-2:]))


def shifted(drawings: Tensor, far: Tensor, generator: torch.Generator) -> Tensor:
    """Moves each drawing by `far` (N, 1, 1, 1), in halves of the side, turns it a little, and mirrors every second one."""
    n = len(drawings)
    way, turn = 2 * torch.pi * torch.rand(n, generator=generator), 0.35 * torch.randn(n, generator=generator)
    mirror = 1 - 2 * (torch.rand(n, generator=generator) < 0.5).float()
    scale = 1 + 0.15 * torch.randn(n, generator=generator).clamp(-2, 2)
    matrix = torch.stack(
        [
            torch.stack([mirror * scale * turn.cos(), scale * turn.sin(), far.flatten() * way.cos()], -1),
            torch.stack([-mirror * scale * turn.sin(), scale * turn.cos(), far.flatten() * way.sin()], -1),
        ],
        1,
    )
    return F.grid_sample(drawings, F.affine_grid(matrix, list(drawings.shape), align_corners=True), align_corners=True)


def regions(count: int, part: Tensor, side: int, generator: torch.Generator, within: Tensor) -> Tensor:
    """Smooth masks (N, 1, SIDE, SIDE) in [0, 1] that cover a `part` (N, 1, 1, 1) of what is opaque in `within` (N, 1, SIDE, SIDE)."""
    noise = field(count, 1, 3, side, generator)
    order = torch.where(within > 0.5, noise, torch.inf).flatten(1).sort(1).values
    solid = (within > 0.5).flatten(1).sum(1)
    level = order.gather(1, ((1 - part.flatten()) * solid).long().clamp(0, side * side - 1)[:, None])
    sharp = uniform(3, 14, count, generator)
    return ((noise - level[..., None, None].nan_to_num(posinf=1e3)) * sharp + 0.5).clamp(0, 1)


def blurred(drawings: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, `sigma` in pixels of the drawing."""
    reach = max(1, round(2.5 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum())[None, None]
    flat = F.pad(drawings.flatten(0, 1)[:, None], (reach,) * 4)
    return F.conv2d(F.conv2d(flat, kernel[..., None]), kernel[:, :, None]).reshape(drawings.shape)


def partners(noun: Tensor, numbers: Tensor, generator: torch.Generator) -> Tensor:
    """For each drawing of `numbers` (N,) the number of another: of the same noun (half), of a related one (most), or of any."""
    group = torch.full((len(NAMES),), -1)
    for k, names in enumerate(RELATED):
        group[[NAMES.index(name) for name in names]] = k
    kind = torch.rand(len(numbers), 1, generator=generator)
    same, near = noun == noun[numbers][:, None], group[noun] == group[noun[numbers]][:, None]
    fits = torch.where(kind < 0.5, same.float(), torch.where(kind < 0.9, near.float(), torch.ones_like(near, dtype=torch.float)))
    fits[torch.arange(len(numbers)), numbers] *= 0.05
    return torch.multinomial(fits, 1, generator=generator).flatten()


def copies(drawings: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """For each drawing something like it that stands elsewhere: itself mirrored and moved, or the other."""
    own = torch.rand(len(drawings), 1, 1, 1, generator=generator) < 0.5
    return shifted(torch.where(own, drawings, others), uniform(0.15, 0.6, len(drawings), generator), generator)


def unlike(a: Tensor, b: Tensor) -> Tensor:
    """Mean difference of two drawings where either is, in [0, 1]: (N,)."""
    return (a - b).abs().amax(1).sum((1, 2)) / torch.maximum(a[:, 3], b[:, 3]).sum((1, 2)).clamp(min=1)


def damaged(sprites: Sprites, numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each drawing of `numbers` (N,) damaged in one or two ways.

    Returns:
        drawings (N, 4, SIDE, SIDE), and how whole each counts (N,).
    """
    n, side = len(numbers), sprites.pixels.shape[-1]
    smaller = uniform(0.75, 1.0, n, generator)  # so that what moves outwards is not cut by the border of the drawing
    drawings, others = (resized(sprites.pixels[some], smaller) for some in (numbers, partners(sprites.noun, numbers, generator)))
    out, severity = drawings, torch.full((n,), -1.0)
    twice = torch.rand(n, generator=generator) < 0.3
    for again in (False, True):
        way = torch.randint(len(WAYS), (n,), generator=generator)
        for k, change in enumerate(WAYS):
            here = (way == k) & (twice | (not again))
            if here.any():
                changed, much = change(out[here], others[here], generator)
                out, severity = out.clone(), severity.clone()
                out[here], severity[here] = changed, torch.maximum(severity[here], much)
    severity[out[:, 3].sum((1, 2)) < 0.01 * side * side] = torch.inf  # nothing is left
    legged = torch.tensor([name in LEGGED for name in NAMES])[sprites.noun[numbers]]
    good, bad = (torch.where(legged, strict, lenient) for strict, lenient in zip(STRICT, LENIENT, strict=True))
    return out, torch.where(severity <= good, GOOD, torch.where(severity > bad, BAD, UNSURE))


def mild(drawings: Tensor, generator: torch.Generator) -> Tensor:
    """Drawings that stay good: bent, softened and shaded a little."""
    n, side = len(drawings), drawings.shape[-1]
    out = warped(drawings, uniform(0.0, 0.15, n, generator), generator)
    out = out + uniform(0.0, 0.7, n, generator) * (blurred(out, 1.2) - out)
    shade = 1 + uniform(0.0, 0.1, n, generator) * field(n, 3, 2, side, generator)
    return torch.cat([torch.minimum(out[:, :3] * shade, out[:, 3:]).clamp(min=0), out[:, 3:]], 1)


def _severity(value: Tensor, little: float, much: float) -> Tensor:
    """0 at `little`, 1 at `much`, and a straight line through both: (N, ...) to (N,)."""
    return (value.flatten() - little) / (much - little)


def bend(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A smooth warp."""
    strain = uniform(0.0, 1.0, len(drawings), generator)
    return warped(drawings, strain, generator), _severity(strain, 0.14, 0.4)


def erase(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A part is gone: a head, legs."""
    mask = regions(len(drawings), uniform(0.15, 0.6, len(drawings), generator), drawings.shape[-1], generator, drawings[:, 3:])
    left = drawings * (1 - mask)
    gone = 1 - left[:, 3].sum((1, 2)) / drawings[:, 3].sum((1, 2)).clamp(min=1)
    return left, _severity(gone, 0.03, 0.14)


def mosaic(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Parts are those of a copy that stands elsewhere, or of another drawing: two heads, legs on the back."""
    copy = copies(drawings, others, generator)
    mask = regions(len(drawings), uniform(0.2, 0.6, len(drawings), generator), drawings.shape[-1], generator, drawings[:, 3:])
    mixed = drawings + mask * (copy - drawings)
    return mixed, _severity(torch.minimum(unlike(mixed, drawings), unlike(mixed, copy)), 0.02, 0.1)


def twin(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One side of it, or of another drawing of its kind, and its mirror image: a head at either end, or none.

    Drawings are mirrored at random, and a model that has not decided which way a cat looks draws both.
    """
    n, side = len(drawings), drawings.shape[-1]
    source = torch.where(torch.rand(n, 1, 1, 1, generator=generator) < 0.75, drawings, others)
    flip = torch.rand(n, 1, 1, 1, generator=generator) < 0.5
    near = torch.where(flip, source.flip(-1), source)
    # the axis is not quite the middle, nor upright, nor sharp
    far = shift(near.flip(-1), 0.25 * torch.randn(n, 1, 1, 1, generator=generator))
    axis = torch.linspace(-1, 1, side)
    line = axis[None, None, None, :] + 0.3 * torch.randn(n, 1, 1, 1, generator=generator) * axis[None, None, :, None]
    line = line + 0.12 * field(n, 1, 3, side, generator) - 0.15 * torch.randn(n, 1, 1, 1, generator=generator)
    mask = (line * uniform(2, 10, n, generator) + 0.5).clamp(0, 1)
    mixed = near + mask * (far - near)
    return mixed, _severity(torch.minimum(unlike(mixed, near), unlike(mixed, far)), 0.02, 0.12)


def over(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A drawing over a copy of it or over another: more heads and legs than it should have."""
    copy = copies(drawings, others, generator)
    mixed = drawings + copy * (1 - drawings[:, 3:])
    return mixed, _severity(unlike(mixed, drawings), 0.02, 0.1)


def ghost(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The mean of a drawing and a copy, as of a model that has not decided."""
    copy = copies(drawings, others, generator)
    mixed = drawings + uniform(0.3, 0.5, len(drawings), generator) * (copy - drawings)
    return mixed, _severity(unlike(mixed, drawings), 0.02, 0.1)


def melt(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Parts, or all, without details."""
    sigma = float(torch.rand((), generator=generator)) * 5 + 0.7
    soft = blurred(drawings, sigma)
    # a soft drawing with a hard edge, as an autoencoder draws it
    hard = ((soft[:, 3:] - 0.5) * 4 + 0.5).clamp(0, 1)
    edge = torch.rand(len(drawings), 1, 1, 1, generator=generator) < 0.5
    soft = torch.where(edge, torch.cat([soft[:, :3] / soft[:, 3:].clamp(min=0.05) * hard, hard], 1).clamp(0, 1), soft)
    part = uniform(0.3, 1.3, len(drawings), generator)
    mask = torch.where(part > 1, 1.0, regions(len(drawings), part.clamp(max=0.99), drawings.shape[-1], generator, drawings[:, 3:]))
    return drawings + mask * (soft - drawings), _severity(torch.full((len(drawings),), sigma) * part.flatten().clamp(max=1), 1.3, 3.0)


def reclothe(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The outline of one with the colours of another."""
    spread = blurred(others, 6.0)  # what lies outside of the other's outline
    colours = others[:, :3] + (1 - others[:, 3:]) * spread[:, :3] / spread[:, 3:].clamp(min=1e-3)
    mixed = torch.cat([colours.clamp(0, 1) * drawings[:, 3:], drawings[:, 3:]], 1)
    amount = uniform(0.5, 1.0, len(drawings), generator)
    mixed = drawings + amount * (mixed - drawings)
    return mixed, _severity(torch.minimum(unlike(mixed, drawings), unlike(mixed, others)), 0.02, 0.25)


def cut(drawings: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut by a straight line, and in half of them the rest is of another drawing."""
    n, side = len(drawings), drawings.shape[-1]
    angle = 2 * torch.pi * torch.rand(n, 1, 1, generator=generator)
    axis = torch.linspace(-1, 1, side)
    line = torch.cos(angle) * axis[None, None, :] + torch.sin(angle) * axis[None, :, None]
    keep = ((line - 0.9 * torch.rand(n, 1, 1, generator=generator) + 0.45) * 8 + 0.5).clamp(0, 1)[:, None]
    rest = others * (torch.rand(n, 1, 1, 1, generator=generator) < 0.5)
    mixed = drawings * keep + rest * (1 - keep)
    return mixed, _severity(torch.minimum(unlike(mixed, drawings), unlike(mixed, others)), 0.03, 0.15)


WAYS = (bend, bend, erase, mosaic, mosaic, twin, twin, twin, over, ghost, melt, reclothe, cut)


def spoiled_latents(z: Tensor, cover: Tensor, generator: torch.Generator) -> Tensor:
    """Latents whose objects are malformed: smoothed, bent, full of smooth noise, or several of these.

    Args:
        z: (B, C, H, W).
        cover: (B, 1, H, W) in [0, 1], where they are to be so.
        generator: on the CPU.
    """
    b, _, height, _ = z.shape
    scale = z.std()
    smooth = F.avg_pool2d(F.pad(z, (2,) * 4, mode="replicate"), 5, 1)
    noise = field(b, z.shape[1], 6, height, generator).to(z) * scale * uniform(0.9, 1.6, b, generator).to(z)
    slope = 2.2 * uniform(0.5, 1.0, b, generator).to(z) / height
    axis = torch.linspace(-1, 1, height, device=z.device, dtype=z.dtype)
    offset = (slope * field(b, 2, 5, height, generator).to(z)).permute(0, 2, 3, 1)
    bent = F.grid_sample(z, torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1) + offset, align_corners=True)
    softer = F.avg_pool2d(F.pad(z, (1,) * 4, mode="replicate"), 3, 1) + 0.5 * noise
    way = torch.randint(4, (b, 1, 1, 1), generator=generator).to(z.device)
    changed = torch.where(way == 0, smooth, torch.where(way == 1, z + noise, torch.where(way == 2, bent, softer)))
    return z + cover * (changed - z)
