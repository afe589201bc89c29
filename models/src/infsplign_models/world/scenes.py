"""Scenes of the world: which drawings stand where, and the picture of them. Whole batches in torch, on any device."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from infsplign_models.world.grounds import grounds
from infsplign_models.world.nouns import NOUNS
from infsplign_models.world.sprites import SIDE, Sprites

SIZE = 128
"""Width and height of a picture in pixels."""
SMALLEST, LARGEST = 42.0, 62.0
"""Side of an object's square in pixels, before the noun's own factor."""
TURN = 0.12
"""Standard deviation of an object's angle in radians."""
COUNTS = (0.2, 0.55, 0.2, 0.05)
"""How often a scene has 1, 2, 3 and 4 objects."""
TRIES = 48
GAP = 2.0
"""Least distance in pixels between the squares of two objects, and between a square and the border."""


@dataclass(frozen=True)
class Scenes:
    """A batch of B scenes of at most K objects.

    Attributes:
        sprite: (B, K) number of the drawing.
        there: (B, K) whether the object is there; those that are come first.
        centre: (B, K, 2) x and y of the square's middle, pixels.
        side: (B, K) of the square, pixels.
        angle: (B, K) turned by, radians.
        mirrored: (B, K) left and right swapped.
        tint: (B, K, 3) factors of red, green and blue.
        seed: of the grounds.
    """

    sprite: Tensor
    there: Tensor
    centre: Tensor
    side: Tensor
    angle: Tensor
    mirrored: Tensor
    tint: Tensor
    seed: int

    def __len__(self) -> int:
        return len(self.sprite)


def sample_scenes(
    sprites: Sprites,
    count: int,
    seed: int,
    *,
    counts: tuple[float, ...] = COUNTS,
    smallest: float = SMALLEST,
    largest: float = LARGEST,
    turn: float = TURN,
    often: Mapping[str, float] = MappingProxyType({}),
    distinct: bool = True,
) -> Scenes:
    """Draws `count` scenes whose objects do not touch.

    Args:
        sprites: the drawings.
        count: of scenes.
        seed: the same scenes on every device.
        counts: how often a scene has 1, 2, ... objects.
        smallest: least side of an object's square in pixels.
        largest: most.
        turn: standard deviation of an object's angle, radians.
        often: by noun, how often it is drawn relative to others, which are 1.
        distinct: whether the nouns of a scene differ.
    """
    rng = torch.Generator().manual_seed(seed)  # on the CPU: the same scenes on every device
    k = len(counts)
    number = torch.multinomial(torch.tensor(counts), count, replacement=True, generator=rng) + 1
    there = torch.arange(k) < number[:, None]
    weight = torch.tensor([often.get(noun.name, 1.0) for noun in NOUNS])
    waits = -torch.log1p(-torch.rand(count, len(NOUNS), generator=rng)) / weight  # the first k arrivals: drawn without replacement
    nouns = waits.argsort(1)[:, :k]
    if not distinct:
        nouns = torch.where(torch.rand(count, k, generator=rng) < 0.3, nouns[:, :1], nouns)
    sprite = _drawings(sprites.noun.cpu(), nouns, rng)
    factor = torch.tensor([noun.size for noun in NOUNS])[nouns]
    side = factor * (smallest + (largest - smallest) * torch.rand(count, k, generator=rng))
    centre, side = _places(side, there, rng)
    light = 1 + 0.06 * torch.randn(count, k, 1, generator=rng)
    return Scenes(
        sprite,
        there,
        centre,
        side,
        turn * torch.randn(count, k, generator=rng).clamp(-2, 2),
        torch.rand(count, k, generator=rng) < 0.5,
        (light + 0.04 * torch.randn(count, k, 3, generator=rng)).clamp(0.8, 1.2),
        int(torch.randint(2**31, (1,), generator=rng)),
    )


def _drawings(noun_of: Tensor, nouns: Tensor, rng: torch.Generator) -> Tensor:
    """A drawing of each noun, every one of a noun's drawings as often: (B, K) to (B, K)."""
    fits = noun_of == nouns[..., None]  # (B, K, S)
    return (torch.rand(fits.shape, generator=rng) * fits).argmax(-1)


def _places(side: Tensor, there: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Middles (B, K, 2) at which no two squares touch, and sides, smaller where no draw left room for them."""
    half = side[:, None, :, None] / 2 + GAP
    draws = half + (SIZE - 2 * half) * torch.rand(len(side), TRIES, side.shape[1], 2, generator=rng)
    apart = (draws[:, :, :, None] - draws[:, :, None]).abs().amax(-1) - GAP  # (B, TRIES, K, K)
    room = 2 * apart / (side[:, None, :, None] + side[:, None, None, :])
    pairs = there[:, :, None] & there[:, None, :] & ~torch.eye(side.shape[1], dtype=torch.bool)
    room = torch.where(pairs[:, None], room, torch.inf).amin((2, 3)).clamp(max=1.0)  # the factor at which nothing touches
    best = room.argmax(1)  # the first with room, or the one that needs to shrink least
    rows = torch.arange(len(side))
    return draws[rows, best], side * room[rows, best].clamp(min=0.3)[:, None]


def render(scenes: Scenes, sprites: Sprites) -> tuple[Tensor, Tensor]:
    """Draws the scenes.

    Returns:
        pictures (B, 3, SIZE, SIZE) in [0, 1], and each object's opacity (B, K, SIZE, SIZE), 0 where there is none.
    """
    device = sprites.pixels.device
    picture = grounds(len(scenes), SIZE, scenes.seed, device)
    axis = torch.arange(SIZE, device=device) + 0.5
    opacities = []
    for slot in range(scenes.sprite.shape[1]):
        there = scenes.there[:, slot].to(device)[:, None, None, None]
        centre, side = scenes.centre[:, slot].to(device), scenes.side[:, slot].to(device)
        x, y = (axis - centre[:, :1])[:, None, :], (axis - centre[:, 1:])[:, :, None]  # (B, 1, W), (B, H, 1)
        picture = picture * (1 - 0.22 * there * _shadow(x, y, side))
        drawn = _drawn(x, y, side, scenes, slot, sprites) * there
        picture = torch.addcmul(drawn[:, :3], picture, 1 - drawn[:, 3:])
        opacities.append(drawn[:, 3])
    return picture.clamp_(0, 1), torch.stack(opacities, 1)


def _drawn(x: Tensor, y: Tensor, side: Tensor, scenes: Scenes, slot: int, sprites: Sprites) -> Tensor:
    """The drawing of one object a scene in its place: (B, 4, SIZE, SIZE)."""
    device = x.device
    cos, sin = (f(scenes.angle[:, slot]).to(device)[:, None, None] for f in (torch.cos, torch.sin))
    turn = 1 - 2 * scenes.mirrored[:, slot].to(device)[:, None, None].float()
    half = side[:, None, None] / 2
    grid = torch.stack([turn * (cos * x + sin * y) / half, (cos * y - sin * x) / half], -1)
    # half a drawing's pixel is left around it, so that its edge fades instead of being cut
    grid = grid * (1 + 1 / SIDE)
    pixels = sprites.pixels[scenes.sprite[:, slot].to(device)]
    tint = F.pad(scenes.tint[:, slot], (0, 1), value=1.0).to(device)[:, :, None, None]
    return F.grid_sample(pixels * tint, grid, align_corners=False)


def _shadow(x: Tensor, y: Tensor, side: Tensor) -> Tensor:
    """A soft ellipse at the foot of each object: (B, 1, SIZE, SIZE)."""
    side = side[:, None, None]
    return (torch.exp(-((x / (0.36 * side)) ** 2)) * torch.exp(-(((y - 0.46 * side) / (0.09 * side)) ** 2)))[:, None]


def boxes(opacity: Tensor, *, least: float = 0.4) -> Tensor:
    """Boxes (..., 4) x0, y0, x1, y1 in pixels of what is at least so opaque in (..., SIZE, SIZE); zeros where nothing is."""
    solid = opacity >= least
    columns, rows = solid.any(-2), solid.any(-1)
    ends = [f(axis) for axis in (columns, rows) for f in (_first, _last)]
    return torch.stack([ends[0], ends[2], ends[1], ends[3]], -1).float() * solid.any((-2, -1))[..., None]


def _first(line: Tensor) -> Tensor:
    return line.int().argmax(-1)


def _last(line: Tensor) -> Tensor:
    return line.shape[-1] - line.flip(-1).int().argmax(-1)
