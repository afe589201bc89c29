"""FLOPs of one guided step over those of an unguided one, at the real sizes, on meta tensors: no weights, no memory.

python -m benchmarks.flops
"""

import json
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from infsplign.adapters import Backbone
from infsplign.adapters.sd import SD
from infsplign.adapters.sdxl import SDXL
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
CASES: dict[str, tuple[dict, Backbone, float]] = {
    "SD1.5 at 512": (SD15, SD, 1.40),
    "SD2.1 at 768": (SD21, SD, 1.41),
    "SDXL at 1024": (XL, SDXL, 1.34),
}
"""Name to the UNet's configuration, its family, and the most that a guided step may cost."""
SCENE = Scene.of([("cat", "left of", "dog")])


def meta_unet(config: dict) -> UNet2DConditionModel:
    with torch.device("meta"):
        return UNet2DConditionModel(**config)


def inputs(unet: UNet2DConditionModel, rows: int) -> tuple[torch.Tensor, dict]:
    """A sample of `rows` rows and the UNet's other arguments, on the meta device."""
    size, width = unet.config.sample_size, unet.config.cross_attention_dim
    kwargs: dict = {"encoder_hidden_states": torch.empty(rows, 77, width, device="meta")}
    if unet.config.addition_embed_type:
        kwargs["added_cond_kwargs"] = {
            "text_embeds": torch.empty(rows, 1280, device="meta"),
            "time_ids": torch.empty(rows, 6, device="meta"),
        }
    return torch.empty(rows, 4, size, size, device="meta"), kwargs


def count(config: dict, backbone: Backbone) -> dict[str, float]:
    """FLOPs of an unguided step (batch 2), of a guided one (split plan), and their ratio."""
    unet = meta_unet(config)
    timestep = torch.empty((), device="meta")
    sample, kwargs = inputs(unet, 2)
    with FlopCounterMode(display=False) as unguided, torch.no_grad():
        unet(sample, timestep, **kwargs)
    sample, kwargs = inputs(unet, 1)

    def denoiser(leaf: torch.Tensor, *args, **kwargs):
        return unet(leaf.view_as(leaf), *args, **kwargs)  # the counter's module hooks do not accept a leaf as input

    guidance = Guidance(denoiser, backbone.source(unet), SCENE, [[2], [6]], backbone.config(unet))
    with FlopCounterMode(display=False) as guided, frozen(unet):
        guidance(sample, timestep, **kwargs)
        with torch.no_grad():
            unet(sample, timestep, **kwargs)
    plain, steered = unguided.get_total_flops(), guided.get_total_flops()
    return {"unguided_tflop": plain / 1e12, "guided_tflop": steered / 1e12, "ratio": steered / plain}


def main() -> None:
    results = {name: count(config, backbone) | {"budget": budget} for name, (config, backbone, budget) in CASES.items()}
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
