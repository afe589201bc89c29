"""Stable Diffusion XL, and Kolors, whose UNet is the same.

Layers: arXiv 2512.17851; all of them work at a quarter of the latents' side (32x32 at 1024), so that "coarse" and "middle" are
the paper's choice and no difference in resolution. The two CLIPs are joined on channels and share their 77 positions.
"""

from dataclasses import replace
from typing import Any

from infsplign.adapters.backbone import Backbone, Layers
from infsplign.adapters.text import Segment
from infsplign.engine.config import PAPER_SDXL


def layers(_unet: Any) -> Layers:
    """`up_blocks.0.attentions.1.transformer_blocks.{1 | 2,3}.attn2`."""
    name = "up_blocks.0.attentions.1.transformer_blocks.{}.attn2".format
    return {"coarse": (name(1),), "middle": (name(2), name(3))}


SDXL = Backbone(
    "sdxl",
    layers,
    denoiser="unet",
    published=PAPER_SDXL,
    segments=(Segment(), Segment("tokenizer_2", "text_encoder_2", beside=True)),
)
# ChatGLM's tokenizer has no offsets: `token_indices` must be given, which the error says
KOLORS = replace(SDXL, name="kolors", segments=(Segment(limit="call"),))
