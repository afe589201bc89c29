"""Sana: linear self-attention (which has no maps) and softmax cross-attention to Gemma.

An instruction precedes the prompt in the encoder; the denoiser gets the encoder's first position and its last ones.
"""

from typing import Any

from infsplign.adapters.backbone import Backbone, Layers, patches, second_quarter
from infsplign.adapters.text import Segment, preprocessed, signature_default


def texts(pipe: Any, tokenizer: Any, prompt: str) -> list[str]:
    """The prompt after the instruction, and without one, each with caption cleaning and without."""
    instruction = "\n".join(signature_default(pipe, "complex_human_instruction") or [])
    return [before + text for before in dict.fromkeys((instruction, "")) for text in preprocessed(pipe, tokenizer, prompt)]


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn2`."""
    return second_quarter("transformer_blocks.{}.attn2", transformer.config.num_layers)


SANA = Backbone(
    "sana",
    layers,
    segments=(Segment(texts=texts, limit="call"),),
    grid=lambda transformer: patches(transformer.config.patch_size),
    dropped=lambda _pipe, given, kept: given - kept,
    image_major_masks=True,
)
