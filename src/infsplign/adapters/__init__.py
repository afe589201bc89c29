"""Families of diffusers pipelines: one small file each, and the choice among them."""

from collections.abc import Mapping
from typing import Any

from infsplign.adapters.backbone import Backbone, uncompiled
from infsplign.adapters.capture import AttentionRecorder
from infsplign.adapters.cogview4 import COGVIEW4
from infsplign.adapters.flux import FLUX
from infsplign.adapters.hunyuandit import HUNYUAN_DIT
from infsplign.adapters.pixart import PIXART
from infsplign.adapters.qwenimage import QWEN_IMAGE
from infsplign.adapters.sana import SANA
from infsplign.adapters.sd import SD
from infsplign.adapters.sd3 import SD3
from infsplign.adapters.sdxl import KOLORS, SDXL
from infsplign.adapters.text import Segment
from infsplign.errors import UnsupportedPipelineError

__all__ = ["FAMILIES", "SUPPORTED", "AttentionRecorder", "Backbone", "Segment", "backbone_for"]

TRANSFORMERS: Mapping[str, Backbone] = {
    "PixArtTransformer2DModel": PIXART,
    "SanaTransformer2DModel": SANA,
    "HunyuanDiT2DModel": HUNYUAN_DIT,
    "SD3Transformer2DModel": SD3,
    "FluxTransformer2DModel": FLUX,
    "QwenImageTransformer2DModel": QWEN_IMAGE,
    "CogView4Transformer2DModel": COGVIEW4,
}
"""Class name of a transformer to its family."""
FAMILIES = {backbone.name: backbone for backbone in (SD, SDXL, KOLORS, *TRANSFORMERS.values())}
SUPPORTED = ("UNet2DConditionModel in Stable Diffusion 1.x, 2.x, XL and Kolors", *TRANSFORMERS)


def backbone_for(pipe: Any) -> Backbone:
    """Picks the family of a pipeline by its denoiser's class and configuration.

    Raises:
        UnsupportedPipelineError: no family fits.
    """
    denoiser: Any = next((uncompiled(part) for name in ("unet", "transformer") if (part := getattr(pipe, name, None)) is not None), None)
    kind = type(denoiser).__name__
    # by name, so that a denoiser of a subclass is known and diffusers need not be imported
    for base in type(denoiser).__mro__:
        if base.__name__ in TRANSFORMERS:
            return TRANSFORMERS[base.__name__]
        if base.__name__ == "UNet2DConditionModel":
            return _unet_family(pipe, denoiser.config)
        if base.__name__ == "DiTTransformer2DModel":
            what = "a class-conditional DiTTransformer2DModel, which has no text and so no text attention"
            raise UnsupportedPipelineError(_message(pipe, what))
    raise UnsupportedPipelineError(
        _message(pipe, f"the denoiser {kind}" if denoiser is not None else "no denoiser (`unet` or `transformer`)")
    )


def _unet_family(pipe: Any, config: Any) -> Backbone:
    blocks = config.up_block_types
    if config.addition_embed_type == "text_time" and blocks[0] == "CrossAttnUpBlock2D":
        return SDXL if hasattr(pipe, "text_encoder_2") else KOLORS
    if config.addition_embed_type is None and tuple(blocks[1:3]) == ("CrossAttnUpBlock2D",) * 2:
        return SD
    raise UnsupportedPipelineError(_message(pipe, f"a UNet2DConditionModel with `up_block_types` {tuple(blocks)}"))


def _message(pipe: Any, what: str) -> str:
    return (
        f"`pipe` must be a pipeline with text cross-attention that an adapter knows, got {type(pipe).__name__} with {what}. "
        f"Supported: {'; '.join(SUPPORTED)}. For another, pass a `Backbone` of your own as `guide(..., backbone=)`, or use "
        "`infsplign.Guidance` in a sampler of your own: docs/writing-an-adapter.md shows both"
    )
