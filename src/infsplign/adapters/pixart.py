"""PixArt-alpha and PixArt-sigma: cross-attention to a masked T5, learned sigma in the second half of the output's channels."""

from typing import Any

from infsplign.adapters.backbone import Backbone, Layers, patches, second_quarter
from infsplign.adapters.text import Segment, preprocessed


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn2`."""
    return second_quarter("transformer_blocks.{}.attn2", transformer.config.num_layers)


PIXART = Backbone(
    "pixart",
    layers,
    segments=(Segment(texts=preprocessed, limit="call"),),
    grid=lambda transformer: patches(transformer.config.patch_size),
)
