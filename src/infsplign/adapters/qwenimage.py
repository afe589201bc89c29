"""Qwen-Image: joint attention, the text first, latents packed; of the prompt's template the first 34 tokens are dropped."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from infsplign.adapters.backbone import SECOND_PICTURE, Backbone, Layers, second_quarter
from infsplign.adapters.rows import first_call
from infsplign.adapters.text import Segment
from infsplign.engine.config import RECOMMENDED_JOINT
from infsplign.errors import AttentionError, UnsupportedPipelineError


def texts(pipe: Any, _tokenizer: Any, prompt: str) -> list[str]:
    """The prompt in its template.

    Raises:
        UnsupportedPipelineError: the pipeline does not tell it, as a modular one, whose blocks know it.
    """
    if not hasattr(pipe, "prompt_template_encode"):
        raise UnsupportedPipelineError(
            f"`pipe` {type(pipe).__name__} does not tell the template of its prompt, so the objects cannot be found in it: use "
            "QwenImagePipeline, or pass `token_indices`"
        )
    return [pipe.prompt_template_encode.format(prompt)]


def layers(transformer: Any) -> Layers:
    """`transformer_blocks.N.attn`."""
    return second_quarter("transformer_blocks.{}.attn", transformer.config.num_layers)


def grid(_sample: Tensor, kwargs: Mapping[str, Any]) -> tuple[int, int]:
    """The size of the image, of which the pipeline tells the transformer."""
    shapes = kwargs["img_shapes"][0]  # of the row's pictures; those with a ControlNet give the only one itself
    if isinstance(shapes[0], int):
        shapes = [shapes]
    if len(shapes) > 1:
        raise AttentionError(SECOND_PICTURE)
    _, height, width = shapes[0]
    return height, width


QWEN_IMAGE = Backbone(
    "qwenimage",
    layers,
    config=lambda _transformer: RECOMMENDED_JOINT,
    segments=(Segment(texts=texts, limit="call", unpadded=True),),
    text="first",
    grid=lambda _transformer: grid,
    conditional=first_call,
    layout="two calls, conditional first",
    dropped=lambda pipe, _given, _kept: pipe.prompt_template_encode_start_idx,
)
