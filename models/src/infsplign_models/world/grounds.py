"""Grounds of the scenes: soft colours, a gradient, a floor, clouds."""

import torch
from torch import Tensor
from torch.nn import functional as F


def grounds(count: int, size: int, seed: int, device: torch.device | str) -> Tensor:
    """Draws `count` grounds: (count, 3, size, size) in [0, 1]."""
    rng = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (low + (high - low) * torch.rand(count, *shape, generator=rng)).to(device)

    y = torch.linspace(0, 1, size, device=device)[None, None, :, None]
    top, bottom, floor = (_pastel(uniform(0, 1, 1, 1, 1), uniform(0.06, 0.22, 1, 1, 1), uniform(0.82, 0.97, 1, 1, 1)) for _ in range(3))
    picture = (top + (bottom - top) * y).expand(count, 3, size, size)
    cells = torch.randn(count, 1, 5, 5, generator=rng).to(device)
    clouds = F.interpolate(cells, size=(size, size), mode="bicubic").clamp(0, 1.5) / 1.5
    picture = picture + (1 - picture) * 0.5 * clouds * (uniform(0, 1, 1, 1, 1) < 0.5)
    line = uniform(0.55, 0.85, 1, 1, 1)
    below = ((y - line) * size / 2 + 0.5).clamp(0, 1) * (uniform(0, 1, 1, 1, 1) < 0.6)
    floor = floor * (1 - 0.12 * (y - line) / (1 - line))
    return (picture + (floor - picture) * below).clamp(0, 1)


def _pastel(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """HSV in [0, 1] to RGB: three (B, 1, 1, 1) to (B, 3, 1, 1)."""
    offsets = torch.tensor([5.0, 3.0, 1.0], device=hue.device)[None, :, None, None]
    k = (offsets + hue * 6) % 6
    return value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1)
