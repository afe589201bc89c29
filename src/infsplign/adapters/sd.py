"""Stable Diffusion 1.x and 2.x (epsilon and v), and every UNet of their layout.

Layers: arXiv 2512.17851; `up_blocks.1` works at a quarter of the latents' side (16x16 at 512), `up_blocks.2` at half of it.
"""

from typing import Any

from infsplign.adapters.backbone import Backbone, Layers


def layers(unet: Any) -> Layers:
    """`up_blocks.{1,2}.attentions.{0..n}.transformer_blocks.0.attn2`, n being `layers_per_block`."""
    per_block = unet.config.layers_per_block
    per_block = per_block if isinstance(per_block, int) else per_block[-2]
    return {
        level: tuple(f"up_blocks.{block}.attentions.{i}.transformer_blocks.0.attn2" for i in range(per_block + 1))
        for level, block in (("coarse", 1), ("middle", 2))
    }


SD = Backbone("sd", layers, denoiser="unet")
