"""PixArt-alpha and PixArt-sigma: cross-attention to a masked T5, learned sigma in the second half of the output's channels.

The middle third of the blocks is tapped: in the shipped model every block but the first knows where objects are
(`docs/measured/blocks-shapes-pixart.md`), and later ones cost more.
"""

from typing import Any

from infsplign.adapters.backbone import Backbone, Layers, middle_blocks, patches
from infsplign.adapters.rows import equal_halves
from infsplign.adapters.text import Segment, preprocessed


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn2`."""
    return middle_blocks("transformer_blocks.{}.attn2", transformer.config.num_layers)


PIXART = Backbone(
    "pixart",
    layers,
    segments=(Segment(texts=preprocessed, limit="call"),),
    grid=lambda transformer: patches(transformer.config.patch_size),
    conditional=equal_halves,
)
