"""CogView4: joint attention in modules called `attn1`, the text first and padded on its left; two calls a step, conditional first."""

from typing import Any

from infsplign.adapters.backbone import Backbone, Layers, patches, second_quarter
from infsplign.adapters.rows import first_call
from infsplign.adapters.text import Segment, unchanged
from infsplign.engine.config import RECOMMENDED_JOINT


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn1`."""
    return second_quarter("transformer_blocks.{}.attn1", transformer.config.num_layers)


COGVIEW4 = Backbone(
    "cogview4",
    layers,
    config=lambda _transformer: RECOMMENDED_JOINT,
    segments=(Segment(texts=unchanged, limit="call"),),
    text="first",
    grid=lambda transformer: patches(transformer.config.patch_size),
    conditional=first_call,
    layout="two calls, conditional first",
)
