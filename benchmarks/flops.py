"""FLOPs of one guided step over those of an unguided one, at the real sizes, on meta tensors: no weights, no memory.

python -m benchmarks.flops
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import FluxTransformer2DModel, PixArtTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel
from torch import nn

from infsplign.adapters import FAMILIES
from infsplign.cost.meta_inputs import Size
from infsplign.cost.planner import guided_step, unguided_step

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
class Case(NamedTuple):
    """A real configuration.

    Attributes:
        kind, config: the denoiser's class and options.
        family: name of its adapter.
        budget: the most that a guided step may need, as a multiple of an unguided one; attention's gradient counted as four products.
        executed: the same with the fifth product, in which the fused kernel computes the matrix again.
        latents, text: side of the latents, tokens on the text axis.
        together: both halves of classifier-free guidance in one pass.
    """

    kind: Any
    config: dict[str, Any]
    family: str
    budget: float
    executed: float
    latents: int
    text: int
    together: bool = True

    def model(self, dtype: torch.dtype = torch.float16, device: str = "meta") -> Any:
        """The denoiser, with random weights."""
        with torch.device(device):
            return nn.Module.to(self.kind(**self.config), dtype).eval()

    def size(self, dtype: torch.dtype = torch.float16, rows: int = 1) -> Size:
        return Size(rows, self.latents, self.latents, self.text, dtype)


CASES = {
    "SD1.5 at 512": Case(UNet2DConditionModel, SD15, "sd", 1.39, 1.41, 64, 77),
    "SD2.1 at 768": Case(UNet2DConditionModel, SD21, "sd", 1.41, 1.44, 96, 77),
    "SDXL at 1024": Case(UNet2DConditionModel, XL, "sdxl", 1.33, 1.35, 128, 77),
    "PixArt-XL at 1024": Case(PixArtTransformer2DModel, PIXART, "pixart", 1.37, 1.375, 128, 120),
    "SD3-medium at 1024": Case(SD3Transformer2DModel, SD3_MEDIUM, "sd3", 1.33, 1.37, 128, 333),
    "Flux-dev at 1024, one call": Case(FluxTransformer2DModel, {"guidance_embeds": True}, "flux", 1.18, 1.2, 128, 512, together=False),
}


def count(case: Case) -> dict[str, float]:
    """FLOPs of an unguided step, of a guided one (split plan), and their ratios: needed, and executed by fused kernels."""
    model, backbone = case.model(), FAMILIES[case.family]
    plain = unguided_step(model, case.size(), case.together)
    guided = guided_step(model, backbone, case.size(), backbone.config(model), case.together)
    return {
        "unguided_tflop": plain.flops / 1e12,
        "guided_tflop": (guided.flops - guided.again) / 1e12,
        "ratio": (guided.flops - guided.again) / plain.flops,
        "executed": guided.flops / plain.flops,
    }


def main() -> None:
    results = {name: count(case) | {"budget": case.budget} for name, case in CASES.items()}
    lines = ["| one step | unguided TFLOP | guided TFLOP | ratio | budget | executed by fused kernels |", "|---|---|---|---|---|---|"]
    for name, r in results.items():
        figures = f"{r['unguided_tflop']:.3f} | {r['guided_tflop']:.3f} | {r['ratio']:.3f} | {r['budget']:.2f} | {r['executed']:.3f}"
        lines.append(f"| {name} | {figures} |")
    print("\n".join(lines))
    folder = Path("docs/measured")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flops.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "flops.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
