"""FLOPs of one guided step over those of an unguided one, at the real sizes, on meta tensors: no weights, no memory.

python -m benchmarks.flops
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import FluxTransformer2DModel, PixArtTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from infsplign.adapters import FAMILIES
from infsplign.core.relations import Scene
from infsplign.guidance import Guidance, frozen

SD15 = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
SD21 = SD15 | {"sample_size": 96, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
XL = {
    "sample_size": 128,
    "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20),
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
PIXART = {"in_channels": 4, "out_channels": 8, "sample_size": 128, "caption_channels": 4096}
SD3_MEDIUM = {
    "sample_size": 128,
    "num_layers": 24,
    "num_attention_heads": 24,
    "caption_projection_dim": 1536,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 2048,
    "pos_embed_max_size": 192,
}
SCENE = Scene.of([("cat", "left of", "dog")])
Made = tuple[torch.Tensor, dict[str, Any]]


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def unet_inputs(unet: Any, rows: int) -> Made:
    size, width = unet.config.sample_size, unet.config.cross_attention_dim
    kwargs: dict[str, Any] = {"timestep": empty(), "encoder_hidden_states": empty(rows, 77, width)}
    if unet.config.addition_embed_type:
        kwargs["added_cond_kwargs"] = {"text_embeds": empty(rows, 1280), "time_ids": empty(rows, 6)}
    return empty(rows, 4, size, size), kwargs


def pixart_inputs(_transformer: Any, rows: int) -> Made:
    added = {"resolution": empty(rows, 2), "aspect_ratio": empty(rows, 1)}
    text = {"encoder_hidden_states": empty(rows, 120, 4096), "encoder_attention_mask": empty(rows, 120)}
    return empty(rows, 4, 128, 128), {"timestep": empty(rows), "added_cond_kwargs": added} | text


def sd3_inputs(_transformer: Any, rows: int) -> Made:
    text = {"encoder_hidden_states": empty(rows, 333, 4096), "pooled_projections": empty(rows, 2048)}
    return empty(rows, 16, 128, 128), {"timestep": empty(rows)} | text


def flux_inputs(_transformer: Any, rows: int) -> Made:
    text = {"encoder_hidden_states": empty(rows, 512, 4096), "pooled_projections": empty(rows, 768), "txt_ids": empty(512, 3)}
    return empty(rows, 64 * 64, 64), {"timestep": empty(rows), "guidance": empty(rows), "img_ids": empty(64 * 64, 3)} | text


class Case(NamedTuple):
    """A real configuration: its class and options, family, the most that a guided step may cost, its inputs, and rows of a step."""

    kind: Any
    config: dict[str, Any]
    family: str
    budget: float
    inputs: Callable[[Any, int], Made]
    rows: int = 2


CASES = {
    "SD1.5 at 512": Case(UNet2DConditionModel, SD15, "sd", 1.40, unet_inputs),
    "SD2.1 at 768": Case(UNet2DConditionModel, SD21, "sd", 1.41, unet_inputs),
    "SDXL at 1024": Case(UNet2DConditionModel, XL, "sdxl", 1.34, unet_inputs),
    "PixArt-XL at 1024": Case(PixArtTransformer2DModel, PIXART, "pixart", 1.37, pixart_inputs),
    "SD3-medium at 1024": Case(SD3Transformer2DModel, SD3_MEDIUM, "sd3", 1.37, sd3_inputs),
    "Flux-dev at 1024, one call": Case(FluxTransformer2DModel, {"guidance_embeds": True}, "flux", 1.25, flux_inputs, rows=1),
}


def count(case: Case) -> dict[str, float]:
    """FLOPs of an unguided step, of a guided one (split plan), and their ratio."""
    with torch.device("meta"):
        model = case.kind(**case.config)
    sample, kwargs = case.inputs(model, case.rows)
    with FlopCounterMode(display=False) as unguided, torch.no_grad():
        model(sample, **kwargs)
    sample, kwargs = case.inputs(model, 1)

    def denoiser(leaf: torch.Tensor, **kwargs: Any) -> Any:
        return model(leaf.view_as(leaf), **kwargs)  # the counter's module hooks do not accept a leaf as input

    backbone = FAMILIES[case.family]
    if case.family == "flux":  # whose adapter reads the size from `img_ids`, and there is nothing to read on the meta device
        backbone = replace(backbone, grid=lambda _model: lambda _sample, _kwargs: (64, 64))
    guidance = Guidance(denoiser, backbone.source(model), SCENE, [[2], [6]], backbone.config(model))
    with FlopCounterMode(display=False) as guided, frozen(model):
        guidance(sample, **kwargs)
        if case.rows == 2:
            with torch.no_grad():
                model(sample, **kwargs)
    plain, steered = unguided.get_total_flops(), guided.get_total_flops()
    return {"unguided_tflop": plain / 1e12, "guided_tflop": steered / 1e12, "ratio": steered / plain}


def main() -> None:
    results = {name: count(case) | {"budget": case.budget} for name, case in CASES.items()}
    lines = ["| one step | unguided TFLOP | guided TFLOP | ratio | budget |", "|---|---|---|---|---|"]
    for name, r in results.items():
        lines.append(f"| {name} | {r['unguided_tflop']:.3f} | {r['guided_tflop']:.3f} | {r['ratio']:.3f} | {r['budget']:.2f} |")
    print("\n".join(lines))
    folder = Path("docs/measured")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flops.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "flops.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
