"""HunyuanDiT: cross-attention to a text axis of 77 BERT tokens and 256 T5 tokens."""

from typing import Any

from infsplign.adapters.backbone import Backbone, Layers, patches, second_quarter
from infsplign.adapters.text import Segment, unchanged


def layers(transformer: Any) -> Layers:
    """`blocks.N.attn2`."""
    return second_quarter("blocks.{}.attn2", transformer.config.num_layers)


HUNYUAN_DIT = Backbone(
    "hunyuandit",
    layers,
    segments=(Segment(texts=unchanged, limit=77), Segment("tokenizer_2", "text_encoder_2", texts=unchanged, limit=256)),
    grid=lambda transformer: patches(transformer.config.patch_size),
    image_major_masks=True,
)
