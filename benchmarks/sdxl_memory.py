"""What SDXL with guidance takes, by the planner: `python -m benchmarks.sdxl_memory`. On the meta device, without weights."""

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import infsplign
from benchmarks.flops import XL
from infsplign.cost.planner import amount

MEMORY = 12e9
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2, "latent_channels": 4, "sample_size": 1024,
}  # fmt: skip
"""As published with SDXL, where it counts for the number of weights."""
SMALL = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "projection_dim": 768}
LARGE = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20, "projection_dim": 1280}


def pipeline() -> StableDiffusionXLPipeline:
    """SDXL's pipeline in its published configuration, with weights on the meta device and without tokenizers."""
    scheduler = EulerDiscreteScheduler()
    with torch.device("meta"):
        return StableDiffusionXLPipeline(
            vae=AutoencoderKL(**VAE), unet=UNet2DConditionModel(**XL), scheduler=scheduler,
            text_encoder=CLIPTextModel(CLIPTextConfig(**SMALL)), tokenizer=None,  # type: ignore[arg-type]
            text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**LARGE)), tokenizer_2=None,  # type: ignore[arg-type]
        )  # fmt: skip


def main() -> None:
    """Prints the plans, and what fits 12 GB."""
    plan = infsplign.plan_memory(pipeline(), height=1024, dtype=torch.float16, text_length=77)
    print(plan)
    for each in plan.plans:
        offloaded = amount(plan.need(each, offloaded=True))
        print(f"{each.name:<10} {amount(plan.need(each))} in all; with all but the UNet offloaded {offloaded}")
    print(f"{'proposal':<10} {plan.advice(MEMORY)}")


if __name__ == "__main__":
    main()
