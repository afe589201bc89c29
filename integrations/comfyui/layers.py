"""Which cross-attention layers of ComfyUI's U-Net are read: the same as in `infsplign.adapters.sd` and `sdxl`, by ComfyUI's names.

diffusers calls the blocks after the middle `up_blocks.LEVEL.attentions.NUMBER`; ComfyUI numbers them through, `output_blocks.NUMBER`, and a
level ends with the block that holds an `Upsample`.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import nn

from infsplign.errors import AttentionError

ATTENTION = re.compile(r"(?:^|\.)output_blocks\.(\d+)\.\d+\.transformer_blocks\.(\d+)\.attn2$")
Place = tuple[int, int]
"""Number of the output block, and of the transformer block in it."""


class Tap(NamedTuple):
    """A layer that is read: its place, the name of its module, the module, and which terms of the loss read it."""

    place: Place
    name: str
    module: nn.Module
    level: str


def taps_of(unet: Any) -> tuple[Tap, ...]:
    """Returns the layers to read, in the order of the pass.

    Raises:
        AttentionError: `unet` is not laid out as those of Stable Diffusion 1.x, 2.x or XL.
    """
    blocks = getattr(getattr(unet, "_orig_mod", unet), "output_blocks", None)
    if blocks is None:
        raise AttentionError(
            f"`model` must hold a U-Net of Stable Diffusion 1.x, 2.x or XL, got {type(unet).__name__}. In a program with diffusers, "
            "`infsplign.guide` also supports SD3, Flux and others"
        )
    found = {_place(match): (name, module) for name, module in unet.named_modules() if (match := ATTENTION.search(name))}
    wanted = _sdxl() if (0, 0) in found else _sd(_levels(blocks), found)
    missing = [place for places in wanted.values() for place in places if place not in found]
    if missing or not all(wanted.values()):
        there = ", ".join(f"{block}.{index}" for block, index in sorted(found)) or "none"
        raise AttentionError(
            f"`model` must have the cross-attention layers of Stable Diffusion 1.x, 2.x or XL; this U-Net has (output block.transformer "
            f"block): {there}" + (f"; missing: {', '.join(f'{block}.{index}' for block, index in missing)}" if missing else "")
        )
    taps = [Tap(place, *found[place], level) for level, places in wanted.items() for place in places]
    return tuple(sorted(taps, key=lambda tap: tap.place))


def _place(match: re.Match[str]) -> Place:
    return int(match[1]), int(match[2])


def _levels(blocks: Any) -> list[list[int]]:
    """Numbers of the output blocks of each resolution, from the lowest."""
    levels: list[list[int]] = [[]]
    for number, block in enumerate(blocks):
        levels[-1].append(number)
        if any(type(layer).__name__ == "Upsample" for layer in block):
            levels.append([])
    return levels


def _sdxl() -> Mapping[str, list[Place]]:
    return {"coarse": [(1, 1)], "middle": [(1, 2), (1, 3)]}


def _sd(levels: list[list[int]], found: Mapping[Place, Any]) -> Mapping[str, list[Place]]:
    """The second and the third resolution, at a quarter and at half of the latents' side."""
    second, third = (levels[i] if len(levels) > i else [] for i in (1, 2))
    return {level: [(block, 0) for block in blocks if (block, 0) in found] for level, blocks in (("coarse", second), ("middle", third))}
