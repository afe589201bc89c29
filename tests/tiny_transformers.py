"""Tiny random pipelines whose denoiser is a transformer, built in memory from the real classes."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from diffusers import (
    CogView4Pipeline,
    CogView4Transformer2DModel,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    HunyuanDiT2DModel,
    HunyuanDiTPipeline,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    Gemma2Config,
    Gemma2Model,
    GlmConfig,
    GlmModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Model,
    T5Config,
    T5EncoderModel,
)

from tests import tiny

SIDE = 64
"""Pixels of a square image: 32x32 latents at a factor of 2, 16x16 patches; Sana's factor is 8."""


@functools.cache
def byte_tokenizer(bos: str = "", eos: str = "", side: str = "right") -> PreTrainedTokenizerFast:
    """One token a byte: every word is many tokens, as rare words are."""
    specials = ["<pad>", *(token for token in (bos, eos) if token)]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*specials, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if bos or eos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join(part for part in (bos, "$A", eos) if part), special_tokens=[(t, vocabulary[t]) for t in (bos, eos) if t]
        )
    named = {key: token for key, token in (("bos_token", bos), ("eos_token", eos)) if token}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", padding_side=side, model_max_length=512, **named)


def t5(width: int = 32) -> T5EncoderModel:
    config = {"vocab_size": 300, "d_model": width, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 4, "is_encoder_decoder": False}
    return T5EncoderModel(T5Config(**config))


DECODER = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8}


def made(build: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(build)
    def seeded(seed: int = 0, **options: Any) -> Any:
        torch.manual_seed(seed)
        pipe = build(**options)
        pipe.set_progress_bar_config(disable=True)
        denoiser = pipe.transformer
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()
        with torch.no_grad():
            for p in denoiser.parameters():  # some begin at zero, and would hide the text
                if not p.any():
                    p.normal_(std=0.02)
        return pipe

    return seeded


@made
def pixart(*, sigma: bool = False):
    transformer = PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=3, sample_size=32, patch_size=2,
        cross_attention_dim=16, caption_channels=32, use_additional_conditions=False,
    )  # fmt: skip
    kind = PixArtSigmaPipeline if sigma else PixArtAlphaPipeline
    scheduler = DPMSolverMultistepScheduler()
    return kind(tokenizer=byte_tokenizer(eos="</s>"), text_encoder=t5(), vae=tiny.vae(), transformer=transformer, scheduler=scheduler)


@made
def sana():
    transformer = SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=3, num_cross_attention_heads=2,
        cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=32, sample_size=8, patch_size=1,
    )  # fmt: skip
    scheduler = DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    encoder = Gemma2Model(Gemma2Config(num_key_value_heads=2, **DECODER))
    pipe = SanaPipeline(tokenizer=byte_tokenizer(bos="<bos>"), text_encoder=encoder, vae=None, transformer=transformer, scheduler=scheduler)
    pipe.vae_scale_factor = 8
    return pipe


@made
def hunyuandit():
    transformer = HunyuanDiT2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, patch_size=2, sample_size=32, hidden_size=16, num_layers=4,
        cross_attention_dim=32, cross_attention_dim_t5=32, pooled_projection_dim=16, activation_fn="gelu-approximate",
    )  # fmt: skip
    bert = BertConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37)
    return HunyuanDiTPipeline(
        vae=tiny.vae(8), text_encoder=BertModel(bert), tokenizer=byte_tokenizer(bos="[CLS]", eos="[SEP]"), transformer=transformer,
        scheduler=DDPMScheduler(prediction_type="v_prediction"), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False, text_encoder_2=t5(), tokenizer_2=byte_tokenizer(eos="</s>"),
    )  # fmt: skip


@made
def sd3(*, dual: bool = False, without_t5: bool = False):
    transformer = SD3Transformer2DModel(
        sample_size=32, patch_size=2, in_channels=4, out_channels=4, num_layers=4, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=64, caption_projection_dim=16, pooled_projection_dim=64, pos_embed_max_size=32, qk_norm="rms_norm",
        dual_attention_layers=(0, 1) if dual else (),
    )  # fmt: skip
    vae = tiny.vae()
    vae.register_to_config(shift_factor=0.0)
    return StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae,
        text_encoder=tiny.text_encoder(projection=True), tokenizer=tiny.tokenizer(),
        text_encoder_2=tiny.text_encoder(projection=True), tokenizer_2=tiny.tokenizer(),
        text_encoder_3=None if without_t5 else t5(64), tokenizer_3=None if without_t5 else byte_tokenizer(eos="</s>"),
    )  # fmt: skip


@made
def flux(*, guidance_embeds: bool = False):
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=3, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=guidance_embeds,
    )  # fmt: skip
    vae = tiny.vae()
    vae.register_to_config(shift_factor=0.0)
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=vae, text_encoder=tiny.text_encoder(),
        tokenizer=tiny.tokenizer(), text_encoder_2=t5(), tokenizer_2=byte_tokenizer(eos="</s>"), transformer=transformer,
    )  # fmt: skip


@made
def qwenimage():
    transformer = QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=3, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    encoder = Qwen2Model(Qwen2Config(num_key_value_heads=2, **DECODER))
    pipe = QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=None, text_encoder=encoder, tokenizer=byte_tokenizer(),
        transformer=transformer,
    )  # fmt: skip
    pipe.vae_scale_factor = 2
    return pipe


@made
def cogview4():
    transformer = CogView4Transformer2DModel(
        patch_size=2, in_channels=4, out_channels=4, num_layers=3, attention_head_dim=8, num_attention_heads=2, text_embed_dim=32,
        time_embed_dim=8, condition_dim=4, sample_size=32, rope_axes_dim=(16, 16), pos_embed_max_size=32,
    )  # fmt: skip
    encoder = GlmModel(GlmConfig(num_key_value_heads=2, pad_token_id=0, **DECODER))
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    tokenizer = byte_tokenizer(bos="[gMASK]", side="left")
    return CogView4Pipeline(tokenizer=tokenizer, text_encoder=encoder, vae=tiny.vae(), transformer=transformer, scheduler=scheduler)


MAKERS: dict[str, Callable[..., Any]] = {
    "pixart": pixart, "sana": sana, "hunyuandit": hunyuandit, "sd3": sd3, "flux": flux, "qwenimage": qwenimage, "cogview4": cogview4,
}  # fmt: skip
CALLS: dict[str, dict[str, Any]] = {
    "pixart": {"use_resolution_binning": False, "clean_caption": False},
    "sana": {"use_resolution_binning": False},
    "hunyuandit": {"use_resolution_binning": False},
    "sd3": {"max_sequence_length": 48},
    "flux": {"max_sequence_length": 48, "negative_prompt": "", "true_cfg_scale": 4.0},
    "qwenimage": {"negative_prompt": " ", "true_cfg_scale": 4.0},
    "cogview4": {},
}
"""What each pipeline is called with besides the prompt."""


def run(name: str, pipe: Any, prompt: Any, *, steps: int = 2, seed: int | list[int] = 0, size=(SIDE, SIDE), **options: Any) -> torch.Tensor:
    """The latents of a call."""
    generators = [torch.Generator().manual_seed(s) for s in seed] if isinstance(seed, list) else torch.Generator().manual_seed(seed)
    call = {"height": size[0], "width": size[1]} | CALLS[name] | options
    return pipe(prompt, num_inference_steps=steps, output_type="latent", generator=generators, **call).images
