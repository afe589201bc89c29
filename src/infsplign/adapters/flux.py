"""Flux: joint attention, the text (T5 alone) first, latents packed to (rows, positions, channels).

Guidance-embedded models have one call a step; true classifier-free guidance has two, the conditional one first.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from infsplign.adapters.backbone import Backbone, Layers, second_quarter
from infsplign.adapters.rows import first_call
from infsplign.adapters.text import Segment


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn`, the double blocks."""
    return second_quarter("transformer_blocks.{}.attn", transformer.config.num_layers)


def grid(_sample: Tensor, kwargs: Mapping[str, Any]) -> tuple[int, int]:
    """The size of the image, by the last of the positions that rotary embedding is given."""
    _, row, column = kwargs["img_ids"][-1].tolist()
    return int(row) + 1, int(column) + 1


FLUX = Backbone(
    "flux",
    layers,
    segments=(Segment("tokenizer_2", "text_encoder_2", limit="call"),),
    text="first",
    grid=lambda _transformer: grid,
    conditional=first_call,
    layout="one call, or two with true classifier-free guidance, conditional first",
)
