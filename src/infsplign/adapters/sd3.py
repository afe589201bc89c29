"""Stable Diffusion 3 and 3.5: joint attention, the image first, then `[77 CLIP | T5]`.

The joint module is `attn`; 3.5's `attn2` is the image alone. Under skip-layer guidance the second call of a step is left alone.
"""

from typing import Any

from infsplign.adapters.backbone import Backbone, Layers, patches, second_quarter
from infsplign.adapters.text import Segment
from infsplign.engine.config import RECOMMENDED_JOINT


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn`."""
    return second_quarter("transformer_blocks.{}.attn", transformer.config.num_layers)


SD3 = Backbone(
    "sd3",
    layers,
    config=lambda _transformer: RECOMMENDED_JOINT,
    segments=(
        Segment(),
        Segment("tokenizer_2", "text_encoder_2", beside=True),
        Segment("tokenizer_3", "text_encoder_3", limit="call"),
    ),
    text="last",
    grid=lambda transformer: patches(transformer.config.patch_size),
)
