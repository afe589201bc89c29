"""Flux: joint attention, the text (T5 alone) first, latents packed to (rows, positions, channels).

Guidance-embedded models have one call a step; true classifier-free guidance has two, the conditional one first.
"""

import weakref
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from infsplign.adapters.backbone import SECOND_PICTURE, Backbone, Layers, second_quarter
from infsplign.adapters.rows import first_call
from infsplign.adapters.text import Segment
from infsplign.engine.config import RECOMMENDED_JOINT
from infsplign.errors import AttentionError


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn`, the double blocks."""
    return second_quarter("transformer_blocks.{}.attn", transformer.config.num_layers)


class PackedGrid:
    """The size of the image, by the last of the positions that rotary embedding is given.

    The positions lie on the device, and reading them waits for it: they are read once for each tensor, which a pipeline makes once a call.
    """

    def __init__(self) -> None:
        self._read: weakref.ref[Tensor] | None = None
        self._size = (0, 0)

    def __call__(self, _sample: Tensor, kwargs: Mapping[str, Any]) -> tuple[int, int]:
        positions = kwargs["img_ids"]
        if self._read is None or self._read() is not positions:
            picture, row, column = positions[-1].tolist()
            if picture:
                raise AttentionError(SECOND_PICTURE)
            self._read, self._size = weakref.ref(positions), (int(row) + 1, int(column) + 1)
        return self._size


FLUX = Backbone(
    "flux",
    layers,
    config=lambda _transformer: RECOMMENDED_JOINT,
    segments=(Segment("tokenizer_2", "text_encoder_2", limit="call"),),
    text="first",
    grid=lambda _transformer: PackedGrid(),
    conditional=first_call,
    layout="one call, or two with true classifier-free guidance, conditional first",
)
