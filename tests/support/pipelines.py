"""Rows of the support table: other tasks, and what steers them."""

import pytest
import torch
from diffusers import (
    ControlNetModel,
    FluxImg2ImgPipeline,
    FluxInpaintPipeline,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPAGPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPAGPipeline,
)
from PIL import Image

from infsplign import PAPER, UnsupportedPipelineError, guide
from tests import tiny, tiny_transformers
from tests.support.helpers import PROMPT, STRONG, guides_and_detaches, latents, same_gradient, traced
from tests.support.table import refused, works

PICTURE = Image.new("RGB", (32, 32), (200, 30, 60))
MASK = Image.new("L", (32, 32), 255)


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


@works("image-to-image", "SD, SDXL, SD3, Flux", "`start` and `stop` are fractions of the steps that run")
def image_to_image() -> None:
    for kind, parts in ((StableDiffusionImg2ImgPipeline, tiny.sd()), (StableDiffusionXLImg2ImgPipeline, tiny.sdxl())):
        pipe = quiet(kind(**parts.components))
        trace = guides_and_detaches(pipe, image=PICTURE, strength=0.5, num_inference_steps=8)
        assert len(trace) == 4
        _, trace = traced(pipe, STRONG.with_(stop=0.5), image=PICTURE, strength=0.5, num_inference_steps=8)
        assert [step.guided for step in trace] == [True] * 2 + [False] * 2
    picture = PICTURE.resize((64, 64))
    pipe = quiet(StableDiffusion3Img2ImgPipeline(**tiny_transformers.sd3().components))
    guides_and_detaches(pipe, pipe.transformer, image=picture, strength=0.6, num_inference_steps=5, max_sequence_length=48)
    pipe = quiet(FluxImg2ImgPipeline(**tiny_transformers.flux().components))
    call = {"height": 64, "width": 64, "max_sequence_length": 48}
    guides_and_detaches(pipe, pipe.transformer, image=picture, strength=0.6, num_inference_steps=5, **call)


@works("inpainting", "SD with 4 and with 9 channels, SDXL, Flux", "the mask and the masked image, which are inputs too, stay unchanged")
def inpainting() -> None:
    mask = MASK.copy()
    mask.paste(0, (0, 0, 16, 32))
    for parts in (tiny.sd(), tiny.sd(in_channels=9)):
        guides_and_detaches(quiet(StableDiffusionInpaintPipeline(**parts.components)), image=PICTURE, mask_image=mask, height=32, width=32)
    pipe = quiet(StableDiffusionXLInpaintPipeline(**tiny.sdxl().components))
    guides_and_detaches(pipe, image=PICTURE, mask_image=mask, height=32, width=32)
    pipe = quiet(FluxInpaintPipeline(**tiny_transformers.flux().components))
    picture, mask = PICTURE.resize((64, 64)), mask.resize((64, 64))
    call = {"height": 64, "width": 64, "max_sequence_length": 48, "num_inference_steps": 5}
    guides_and_detaches(pipe, pipe.transformer, image=picture, mask_image=mask, **call)


@works("ControlNet", "SD", "the residuals are cut to the conditional rows, as every other input is")
def control_net() -> None:
    parts = tiny.sd()
    control = ControlNetModel.from_unet(parts.unet, conditioning_embedding_out_channels=(8, 8))
    for zero in (control.controlnet_mid_block, *control.controlnet_down_blocks):
        torch.nn.init.normal_(zero.weight, std=0.3)  # it begins as zeros, and would have nothing to say
    pipe = quiet(StableDiffusionControlNetPipeline(**parts.components, controlnet=control.eval()))
    with_control = guides_and_detaches(pipe, image=PICTURE)
    _, without = traced(parts)
    assert with_control[0].gradient_norm != without[0].gradient_norm


def ip_adapter_state(unet, width: int = 16, tokens: int = 4) -> dict:
    """Weights of an IP-Adapter for a tiny UNet, in the layout of the published files."""
    state, place = {}, 1
    cross = unet.config.cross_attention_dim
    for name, processor in unet.attn_processors.items():
        if name.endswith("attn2.processor"):
            hidden = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
            state |= {f"{place}.to_{part}_ip.weight": torch.randn(hidden, cross) * 0.2 for part in "kv"}
            place += 2
        del processor
    proj = {"proj.weight": torch.randn(cross * tokens, width) * 0.2, "proj.bias": torch.zeros(cross * tokens)}
    return {"image_proj": proj | {"norm.weight": torch.ones(cross), "norm.bias": torch.zeros(cross)}, "ip_adapter": state}


@works("IP-Adapter", "SD", "the first attention of a module is that of the text, and is read")
def ip_adapter() -> None:
    pipe = tiny.sd()
    torch.manual_seed(0)
    pipe.unet._load_ip_adapter_weights([ip_adapter_state(pipe.unet)])
    pipe.set_ip_adapter_scale(0.7)
    guides_and_detaches(pipe, ip_adapter_image_embeds=[torch.randn(2, 1, 16, generator=torch.Generator().manual_seed(1))])


@works("perturbed-attention guidance (PAG)", "SD, SDXL", "the processors need all rows in one pass, so all rows have a gradient")
def perturbed_attention() -> None:
    for kind, parts, layers in ((StableDiffusionPAGPipeline, tiny.sd(), "mid"), (StableDiffusionXLPAGPipeline, tiny.sdxl(), "mid")):
        _, expected = traced(parts)
        pipe = quiet(kind(**parts.components, pag_applied_layers=layers))
        for guidance_scale in (5.0, 1.0):
            trace = guides_and_detaches(pipe, pag_scale=3.0, guidance_scale=guidance_scale)
            same_gradient(trace, expected)  # PAG does not touch the conditional rows


@refused(
    "InstructPix2Pix", "SD", "the batch has three kinds of rows, `[text and image; image; neither]`; no family here supports them",
    UnsupportedPipelineError, "more than two conditions",
)  # fmt: skip
def instruct_pix2pix() -> None:
    parts = tiny.sd(in_channels=8)
    pipe = quiet(StableDiffusionInstructPix2PixPipeline(**parts.components))
    with guide(pipe, PROMPT, config=STRONG):
        latents(pipe, image=PICTURE)


@works("guidance_rescale", "SD", "the shift is added after the rescaling, which does not change it")
def guidance_rescale() -> None:
    pipe = tiny.sd()
    outputs: dict[bool, torch.Tensor] = {}
    step = pipe.scheduler.step

    def spy(model_output, timestep, sample, **kwargs):
        outputs.setdefault(guided, model_output)
        return step(model_output, timestep, sample, **kwargs)

    pipe.scheduler.step = spy
    guided = False
    latents(pipe, guidance_rescale=0.7)
    guided = True
    _, trace = traced(pipe, PAPER, guidance_rescale=0.7)
    shift = (outputs[True] - outputs[False]).norm()
    assert torch.allclose(shift, 1000 * trace[0].gradient_norm[0], rtol=1e-3), "the rescaling has changed the shift"


@works("negative prompts", "SD", "only conditional rows are read")
def negative_prompts() -> None:
    pipe = tiny.sd()
    trace = guides_and_detaches(pipe, negative_prompt="a moon")
    _, without = traced(pipe)
    same_gradient(trace, without)


@works("prompt embeddings", "SD", "`token_indices` are required; without them it is an error")
def prompt_embeddings() -> None:
    pipe = tiny.sd()
    embeds, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    _, expected = traced(pipe)
    with guide(pipe, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=STRONG) as guidance:
        latents(pipe, None, prompt_embeds=embeds, negative_prompt_embeds=negative)
    same_gradient(guidance.trace, expected)
    with pytest.raises(ValueError, match="token_indices"), guide(pipe, PROMPT):
        latents(pipe, None, prompt_embeds=embeds, negative_prompt_embeds=negative)


@works(
    "Modular Diffusers", "SDXL", "`guide` takes the modular pipeline: one call for each condition, the conditional one first. No guider "
    "subclass: a guider gets the timestep but not the scheduler, which is needed to convert the shift to the model's parametrisation",
)  # fmt: skip
def modular() -> None:
    from diffusers.modular_pipelines.stable_diffusion_xl.modular_blocks_stable_diffusion_xl import StableDiffusionXLAutoBlocks

    stock = tiny.sdxl()
    pipe = StableDiffusionXLAutoBlocks().init_pipeline()
    names = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
    pipe.update_components(**{name: getattr(stock, name) for name in names})
    pipe.set_progress_bar_config(disable=True)
    call = {"num_inference_steps": 3, "height": 32, "width": 32, "output_type": "latent", "output": "images"}
    with guide(pipe, PROMPT, config=STRONG) as guidance:
        out = pipe(prompt=PROMPT, generator=torch.Generator().manual_seed(0), **call)
    expected, trace = traced(stock, guidance_scale=7.5, height=32, width=32)
    assert torch.allclose(out, expected, rtol=1e-3, atol=1e-3)
    same_gradient(guidance.trace, trace)


@refused("class-conditional DiT", "DiT", "it has no text, so it has no text attention", UnsupportedPipelineError, "class-conditional")
def class_conditional() -> None:
    from diffusers import DDIMScheduler, DiTPipeline, DiTTransformer2DModel

    dit = DiTTransformer2DModel(num_attention_heads=2, attention_head_dim=4, num_layers=1, sample_size=8, norm_num_groups=4)
    guide(DiTPipeline(dit, tiny.vae(), DDIMScheduler()), PROMPT)
