"""The text-to-image, image-to-image and inpainting pipelines of diffusers 0.42 whose denoiser has an adapter."""

from collections.abc import Callable
from functools import partial
from typing import Any

import diffusers
import torch

from tests import tiny
from tests.support.stock import SIDE, Stock, control_net, control_net_union

Build = Callable[[Any], Any]


def own(module: Any) -> dict[str, Any]:
    """The options of a module, those that diffusers would set to its defaults too."""
    return {key: value for key, value in module.config.items() if not key.startswith("_")}


def denoiser(name: str, **config: Any) -> dict[str, Build]:
    """Another denoiser than the tiny one: the same with other options."""

    def build(pipe: Any) -> Any:
        torch.manual_seed(2)
        module = getattr(pipe, name)
        other = type(module).from_config(own(module) | config).eval()
        with torch.no_grad():
            for p in other.parameters():  # some begin at zero, and would hide the text
                if not p.any():
                    p.normal_(std=0.02)
        return other

    return {name: build}


def joint(kind: str, **options: Any) -> dict[str, Build]:
    """A ControlNet of the pipeline's transformer."""
    return {"controlnet": lambda pipe: getattr(diffusers, kind).from_transformer(pipe.transformer, **options).eval()}


def sana_control_net(pipe: Any) -> Any:
    return diffusers.SanaControlNetModel.from_config(own(pipe.transformer) | {"num_layers": 1}).eval()


def scheduler(kind: str, **options: Any) -> dict[str, Build]:
    return {"scheduler": lambda _: getattr(diffusers, kind)(**options)}


def wide_vae(pipe: Any) -> Any:
    """An autoencoder of 16 channels."""
    return type(pipe.vae).from_config(own(pipe.vae) | {"latent_channels": 16}).eval()


def qwen_vae(_pipe: Any) -> Any:
    options = {"dim_mult": [1, 2], "num_res_blocks": 1, "temperal_downsample": [False], "attn_scales": []}
    return diffusers.AutoencoderKLQwenImage(base_dim=8, z_dim=4, latents_mean=[0.0] * 4, latents_std=[1.0] * 4, **options).eval()


def sana_vae(_pipe: Any) -> Any:
    blocks, layers = ("ResBlock", "EfficientViTBlock"), (1, 1)
    return diffusers.AutoencoderDC(
        latent_channels=4, attention_head_dim=2, encoder_block_types=blocks, decoder_block_types=blocks, encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8), encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=layers, decoder_layers_per_block=layers, downsample_block_type="conv", upsample_block_type="interpolate",
        decoder_norm_types="rms_norm", decoder_act_fns="silu", scaling_factor=0.4,
    ).eval()  # fmt: skip


UNET, UNION = {"controlnet": control_net}, {"controlnet": control_net_union}
LCM = scheduler("LCMScheduler", **{key: value for key, value in tiny.SD_SCHEDULE.items() if key != "steps_offset"})
SPRINT = scheduler("SCMScheduler") | denoiser("transformer", guidance_embeds=True)
FLUX_NET = joint("FluxControlNetModel", num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2)
QWEN_NET = partial(joint, "QwenImageControlNetModel", num_layers=1, attention_head_dim=16, num_attention_heads=2)
SD3_NET = partial(joint, "SD3ControlNetModel", num_layers=2)
KONTEXT = {"max_area": SIDE * SIDE, "_auto_resize": False}
EDIT = {"image_guidance_scale": 1.5}
GLIGEN = {"gligen_phrases": ["a star"], "gligen_boxes": [[0, 0, 0.5, 0.5]]}
LCM_UNET, LCM_CALL = {"time_cond_proj_dim": 8}, {"original_inference_steps": 50}
FLUX_CONTROL = denoiser("transformer", in_channels=32, out_channels=16)
sd, sdxl = (partial(Stock, family=name) for name in ("sd", "sdxl"))
flux, qwen, sana = (partial(Stock, family=name) for name in ("flux", "qwenimage", "sana"))

STOCK: list[Stock] = [
    *(sd(f"StableDiffusion{name}Pipeline") for name in ("", "Img2Img", "Inpaint", "SAG", "Panorama", "PAG", "PAGImg2Img", "PAGInpaint")),
    sd("StableDiffusionInpaintPipeline", make={"in_channels": 9}),
    *(sd(f"StableDiffusionControlNet{name}Pipeline", parts=UNET) for name in ("", "Img2Img", "Inpaint", "PAG", "PAGInpaint")),
    sd("StableDiffusionAdapterPipeline"),
    sd("StableDiffusionInstructPix2PixPipeline", parts=denoiser("unet", in_channels=8), call=EDIT),
    sd("StableDiffusionLDM3DPipeline", call={"output_type": "np"}),
    sd("StableDiffusionUpscalePipeline", parts=denoiser("unet", in_channels=7, num_class_embeds=1000), call={"noise_level": 20}),
    sd("StableDiffusionAttendAndExcitePipeline", call={"token_indices": [2, 8], "attn_res": (16, 16), "max_iter_to_alter": 1}),
    sd("StableDiffusionModelEditingPipeline"),
    sd("StableDiffusionParadigmsPipeline", parts=scheduler("DDIMParallelScheduler", **tiny.SD_SCHEDULE)),
    sd("StableDiffusionGLIGENPipeline", make={"attention_type": "gated"}, call=GLIGEN),
    sd("SemanticStableDiffusionPipeline"),
    sd("CycleDiffusionPipeline", call={"source_prompt": "a star", "eta": 0.1}),
    sd("AltDiffusionPipeline"),
    sd("AltDiffusionImg2ImgPipeline"),
    *(sd(f"LatentConsistencyModel{name}Pipeline", parts=LCM, make=LCM_UNET, call=LCM_CALL) for name in ("", "Img2Img")),
    *(sdxl(f"StableDiffusionXL{name}Pipeline") for name in ("", "Img2Img", "Inpaint", "PAG", "PAGImg2Img", "PAGInpaint", "Adapter")),
    *(sdxl(f"StableDiffusionXLControlNet{name}Pipeline", parts=UNET) for name in ("", "Img2Img", "Inpaint", "PAG", "PAGImg2Img")),
    *(
        sdxl(f"StableDiffusionXLControlNetUnion{name}Pipeline", parts=UNION, call={"control_mode": 0})
        for name in ("", "Img2Img", "Inpaint")
    ),
    sdxl("StableDiffusionXLInstructPix2PixPipeline", parts=denoiser("unet", in_channels=8), call=EDIT),
    *(Stock(f"PixArt{name}Pipeline", "pixart") for name in ("Alpha", "Sigma", "SigmaPAG")),
    *(sana(f"Sana{name}Pipeline") for name in ("", "PAG")),
    sana("SanaControlNetPipeline", parts={"controlnet": sana_control_net, "vae": sana_vae}),
    sana("SanaSprintPipeline", parts=SPRINT, call={"num_inference_steps": 2}),
    sana("SanaSprintImg2ImgPipeline", parts=SPRINT | {"vae": sana_vae}, call={"num_inference_steps": 2}),
    *(Stock(f"HunyuanDiT{name}Pipeline", "hunyuandit") for name in ("", "PAG")),
    Stock(
        "HunyuanDiTControlNetPipeline",
        "hunyuandit",
        joint("HunyuanDiT2DControlNetModel", transformer_num_layers=4, load_weights_from_transformer=False),
    ),
    *(Stock(f"StableDiffusion3{name}Pipeline", "sd3") for name in ("", "Img2Img", "PAG", "PAGImg2Img")),
    Stock("StableDiffusion3InpaintPipeline", "sd3", denoiser("transformer", in_channels=16, out_channels=16) | {"vae": wide_vae}),
    Stock("StableDiffusion3ControlNetPipeline", "sd3", SD3_NET(num_extra_conditioning_channels=0)),
    Stock("StableDiffusion3ControlNetInpaintingPipeline", "sd3", SD3_NET()),
    *(flux(f"Flux{name}Pipeline") for name in ("", "Img2Img", "Inpaint")),
    *(flux(f"FluxControl{name}Pipeline", parts=FLUX_CONTROL) for name in ("", "Img2Img", "Inpaint")),
    *(flux(f"FluxControlNet{name}Pipeline", parts=FLUX_NET) for name in ("", "Img2Img", "Inpaint")),
    flux("FluxFillPipeline", parts=denoiser("transformer", in_channels=48, out_channels=16)),
    *(flux(f"FluxKontext{name}Pipeline", call=KONTEXT) for name in ("", "Inpaint")),
    qwen("QwenImagePipeline"),
    *(qwen(f"QwenImage{name}Pipeline", parts={"vae": qwen_vae}) for name in ("Img2Img", "Inpaint")),
    qwen("QwenImageControlNetPipeline", parts=QWEN_NET() | {"vae": qwen_vae}),
    qwen("QwenImageControlNetInpaintPipeline", parts=QWEN_NET(extra_condition_channels=4) | {"vae": qwen_vae}),
    Stock("CogView4Pipeline", "cogview4"),
    Stock("CogView4ControlPipeline", "cogview4", denoiser("transformer", in_channels=8)),
]
NOT_BUILT: dict[str, str] = {
    "KolorsPipeline, KolorsImg2ImgPipeline, KolorsPAGPipeline": "need ChatGLM's tokenizer; KolorsPipeline is run with `prompt_embeds` in "
    "tests/pipelines/test_families.py",
    "QwenImageEditPipeline, QwenImageEditPlusPipeline, QwenImageEditInpaintPipeline, QwenImageLayeredPipeline": "need the image processor "
    "of Qwen2.5-VL",
    "StableDiffusionDepth2ImgPipeline": "needs a depth estimator with its image processor",
    "StableDiffusionGLIGENTextImagePipeline": "needs CLIP's image encoder and processor",
    "StableDiffusionDiffEditPipeline, StableDiffusionPix2PixZeroPipeline": "need the picture inverted first; deprecated",
    "StableDiffusionLatentUpscalePipeline": "asks for a K-UNet without `up_block_types` of Stable Diffusion; refused by its UNet",
    "VisualClozePipeline, VisualClozeGenerationPipeline": "put a grid of pictures and several texts together; no single prompt",
    "IF..., Kandinsky..., StableUnCLIP..., BlipDiffusion..., PaintByExample..., StableDiffusionImageVariation, LDMTextToImage": "a UNet of "
    "another layout, or conditions that are no text: refused by `guide`, or not of text at all",
}
"""Pipelines that are not run here, and why."""
