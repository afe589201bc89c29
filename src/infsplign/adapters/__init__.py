"""Families of diffusers pipelines: one small file each, and the choice among them."""

from typing import Any

from infsplign.adapters.backbone import Backbone
from infsplign.adapters.capture import AttentionRecorder
from infsplign.adapters.sd import SD
from infsplign.adapters.sdxl import SDXL
from infsplign.errors import UnsupportedPipelineError

__all__ = ["SD", "SDXL", "SUPPORTED", "AttentionRecorder", "Backbone", "backbone_for"]

SUPPORTED = {
    "UNet2DConditionModel in Stable Diffusion 1.x, 2.x": SD,
    "UNet2DConditionModel in Stable Diffusion XL": SDXL,
}


def backbone_for(pipe: Any) -> Backbone:
    """Picks the family of a pipeline by its denoiser's class and configuration.

    Raises:
        UnsupportedPipelineError: no family fits.
    """
    denoiser: Any = next((part for name in ("unet", "transformer") if (part := getattr(pipe, name, None)) is not None), None)
    kind = type(denoiser).__name__
    if kind == "OptimizedModule":
        raise UnsupportedPipelineError(
            "`pipe` must not have a denoiser compiled by `torch.compile`: its attention cannot be watched. "
            "Put the original back for guided calls: `pipe.unet = pipe.unet._orig_mod`"
        )
    # by name, so that a denoiser of a subclass is known and diffusers need not be imported
    classes = {base.__name__ for base in type(denoiser).__mro__}
    if "UNet2DConditionModel" in classes:
        blocks = denoiser.config.up_block_types
        if denoiser.config.addition_embed_type == "text_time" and blocks[0] == "CrossAttnUpBlock2D":
            return SDXL
        if denoiser.config.addition_embed_type is None and tuple(blocks[1:3]) == ("CrossAttnUpBlock2D",) * 2:
            return SD
        raise UnsupportedPipelineError(_message(pipe, f"a UNet2DConditionModel with `up_block_types` {tuple(blocks)}"))
    if "DiTTransformer2DModel" in classes:
        raise UnsupportedPipelineError(
            _message(pipe, "a class-conditional DiTTransformer2DModel, which has no text and so no text attention")
        )
    raise UnsupportedPipelineError(
        _message(pipe, f"the denoiser {kind}" if denoiser is not None else "no denoiser (`unet` or `transformer`)")
    )


def _message(pipe: Any, what: str) -> str:
    return (
        f"`pipe` must be a pipeline with text cross-attention that an adapter knows, got {type(pipe).__name__} with {what}. "
        f"Supported: {'; '.join(SUPPORTED)}. For another backbone, build an `AttentionRecorder` from its layers' names and use "
        "`infsplign.Guidance` in a sampler of your own"
    )
