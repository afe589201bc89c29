"""Rows of the support table: what is switched on for speed, memory or looks."""

import functools
import tempfile

import torch
from accelerate import cpu_offload, cpu_offload_with_hook
from accelerate.hooks import remove_hook_from_module
from diffusers import FirstBlockCacheConfig, HeunDiscreteScheduler, KDPM2DiscreteScheduler, StableDiffusionPipeline
from diffusers.hooks import apply_group_offloading
from diffusers.models.attention_dispatch import attention_backend
from peft import LoraConfig, get_peft_model_state_dict

from infsplign import AttentionError, UnsupportedPipelineError, guide
from tests import tiny, tiny_transformers
from tests.support.helpers import PROMPT, STRONG, guides_and_detaches, latents, same_gradient, traced
from tests.support.table import refused, works

LORA = LoraConfig(r=2, lora_alpha=8, init_lora_weights="gaussian", target_modules=["to_q", "to_k", "to_v", "to_out.0"])


def strong_lora(unet) -> None:
    """Gaussian initialisation leaves the second factor at zero."""
    for name, p in unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.2)


@works("LoRA, loaded before", "SD", "`load_lora_weights`, from a file")
def lora_before() -> None:
    pipe = tiny.sd()
    _, bare = traced(pipe)
    pipe.unet.add_adapter(LORA)
    strong_lora(pipe.unet)
    with tempfile.TemporaryDirectory() as folder:
        StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(pipe.unet))
        pipe = tiny.sd()
        pipe.load_lora_weights(folder, weight_name="pytorch_lora_weights.safetensors")
    trace = guides_and_detaches(pipe)
    assert not torch.allclose(trace[0].gradient_norm, bare[0].gradient_norm, rtol=1e-3), "the LoRA was not seen"


@works("LoRA, loaded while attached", "SD", "LoRA replaces projections inside the tapped modules; the modules stay")
def lora_while_attached() -> None:
    pipe, expected = tiny.sd(), tiny.sd()
    for one in (expected,):
        torch.manual_seed(1)
        one.unet.add_adapter(LORA)
        strong_lora(one.unet)
    _, before = traced(expected)
    with guide(pipe, PROMPT, config=STRONG) as guidance:
        latents(pipe)
        torch.manual_seed(1)
        pipe.unet.add_adapter(LORA)
        strong_lora(pipe.unet)
        latents(pipe)
    same_gradient(guidance.trace, before)


@works("FreeU", "SD, SDXL")
def free_u() -> None:
    for pipe in (tiny.sd(), tiny.sdxl()):
        pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
        guides_and_detaches(pipe)


@works("fused projections", "SD, SDXL, SD3, Flux", "guidance reads the arguments of `scaled_dot_product_attention`, which are the same")
def fused_projections() -> None:
    for make in (tiny.sd, tiny.sdxl):
        _, expected = traced(make())
        pipe = make()
        pipe.fuse_qkv_projections()
        same_gradient(guides_and_detaches(pipe), expected)
    for name in ("sd3", "flux"):
        pipe = tiny_transformers.MAKERS[name]()
        pipe.transformer.fuse_qkv_projections()
        with guide(pipe, PROMPT, config=STRONG) as guidance:
            tiny_transformers.run(name, pipe, PROMPT)
        assert all(step.guided for step in guidance.trace)


@works("attention slicing", "SD", "guidance reads the outputs of `to_q` and `to_k` instead")
def attention_slicing() -> None:
    _, expected = traced(tiny.sd())
    pipe = tiny.sd()
    pipe.enable_attention_slicing(1)
    same_gradient(guides_and_detaches(pipe), expected)


@refused(
    "attention slicing of joint attention", "SD3", "without `scaled_dot_product_attention` the keys of the text are not visible",
    AttentionError, "does not call `scaled_dot_product_attention`",
)  # fmt: skip
def joint_without_sdpa() -> None:
    class Eager:
        """Joint attention step by step, as a sliced or flash processor does it."""

        def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
            attn.to_q(hidden_states), attn.to_k(hidden_states)
            return hidden_states, encoder_hidden_states

    pipe = tiny_transformers.sd3()
    pipe.transformer.set_attn_processor(Eager())
    with guide(pipe, PROMPT):
        tiny_transformers.run("sd3", pipe, PROMPT)


@works("model offloading", "SD", "tested onto the CPU; each call removes the hooks of `enable_model_cpu_offload` and sets them again")
def model_offloading() -> None:
    pipe = tiny.sd()
    expected, trace = traced(pipe)

    def free() -> None:
        for part in (pipe.text_encoder, pipe.unet):
            remove_hook_from_module(part, recurse=True)
            cpu_offload_with_hook(part, "cpu")

    pipe.maybe_free_model_hooks = free
    free()
    for _ in range(2):
        out, again = traced(pipe)
        assert torch.equal(out, expected)
        same_gradient(again, trace)


@works("sequential offloading", "SD", "tested onto the CPU, with the hooks of `enable_sequential_cpu_offload`")
def sequential_offloading() -> None:
    expected, _ = traced(tiny.sd())
    pipe = tiny.sd()
    cpu_offload(pipe.unet, torch.device("cpu"), offload_buffers=True)
    out, _ = traced(pipe)
    assert torch.allclose(out, expected, rtol=1e-4, atol=1e-4)


@works("group offloading", "SD", "tested onto the CPU, with `apply_group_offloading` by leaves and by blocks, without streams")
def group_offloading() -> None:
    for options in ({"offload_type": "leaf_level"}, {"offload_type": "block_level", "num_blocks_per_group": 1}):
        expected, _ = traced(tiny.sd())
        pipe = tiny.sd()
        apply_group_offloading(pipe.unet, onload_device=torch.device("cpu"), offload_device=torch.device("cpu"), **options)
        out, _ = traced(pipe)
        assert torch.allclose(out, expected, rtol=1e-4, atol=1e-4)


@refused(
    "group offloading with streams", "SD", "weights may be offloaded between the forward pass and the backward pass",
    UnsupportedPipelineError, "must not offload groups with streams",
)  # fmt: skip
def group_offloading_with_streams() -> None:
    pipe = tiny.sd()
    cpu = torch.device("cpu")
    apply_group_offloading(pipe.unet, onload_device=cpu, offload_device=cpu, offload_type="leaf_level")
    for module in pipe.unet.modules():  # a stream needs an accelerator; its place on the hook does not
        for hook in getattr(getattr(module, "_diffusers_hook", None), "hooks", {}).values():
            if hasattr(hook, "group"):
                hook.group.stream = object()
    with guide(pipe, PROMPT):
        pass


@works("layerwise casting", "SD", "weights are stored in float8; the gradient is that of the rounded weights")
def layerwise_casting() -> None:
    rounded = tiny.sd()
    pipe = tiny.sd()
    pipe.unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    small = {name for name, p in pipe.unet.named_parameters() if p.dtype == torch.float8_e4m3fn}
    assert small
    with torch.no_grad():
        for name, p in rounded.unet.named_parameters():
            if name in small:
                p.copy_(p.to(torch.float8_e4m3fn).float())
    _, expected = traced(rounded)
    same_gradient(guides_and_detaches(pipe), expected)


@works("gradient checkpointing", "SD, SD3", "queries and keys are kept, everything else is computed again; the graph covers the whole pass")
def gradient_checkpointing() -> None:
    _, expected = traced(tiny.sd())
    pipe = tiny.sd()
    pipe.unet.enable_gradient_checkpointing()
    pipe.unet.train()
    _, trace = traced(pipe)
    same_gradient(trace, expected)
    pipe = tiny_transformers.sd3()
    with guide(pipe, PROMPT, config=STRONG) as plain:
        tiny_transformers.run("sd3", pipe, PROMPT)
    pipe.transformer.enable_gradient_checkpointing()
    with guide(pipe, PROMPT, config=STRONG) as guidance:
        tiny_transformers.run("sd3", pipe, PROMPT)
    same_gradient(guidance.trace, plain.trace)


@works(
    "`torch.compile`", "SD, Flux: the denoiser, in place, its repeated blocks",
    "inside the block the denoiser runs uncompiled, since compiled graphs call no hooks; after it the denoiser is compiled again",
)  # fmt: skip
def compiled() -> None:
    expected, expected_trace = traced(tiny.sd())
    pipe = tiny.sd()
    pipe.unet = torch.compile(pipe.unet, backend="eager")
    compiled, settings = pipe.unet, dict(pipe.config)
    out, trace = traced(pipe)
    assert torch.allclose(out, expected, rtol=1e-4, atol=1e-4)
    assert pipe.unet is compiled
    assert dict(pipe.config) == settings
    same_gradient(trace, expected_trace)
    pipe = tiny.sd()
    pipe.unet.compile(backend="eager")
    same_gradient(guides_and_detaches(pipe), expected_trace)
    assert pipe.unet._compiled_call_impl is not None
    pipe = tiny_transformers.flux()
    pipe.transformer.compile_repeated_blocks(backend="eager")
    with guide(pipe, PROMPT, config=STRONG) as guidance:
        tiny_transformers.run("flux", pipe, PROMPT)
    assert all(step.guided for step in guidance.trace)
    assert any(module._compiled_call_impl is not None for module in pipe.transformer.modules())


@refused(
    "step caches", "Flux with FirstBlockCache", "they skip blocks that must be read", UnsupportedPipelineError, "must not cache steps",
)  # fmt: skip
def step_caches() -> None:
    pipe = tiny_transformers.flux()
    pipe.transformer.enable_cache(FirstBlockCacheConfig(threshold=0.1))
    with guide(pipe, PROMPT):
        pass


@works("second-order schedulers", "SD with Heun, KDPM2", "every call of the denoiser before a scheduler step is guided")
def second_order() -> None:
    for kind in (HeunDiscreteScheduler, KDPM2DiscreteScheduler):
        pipe = tiny.sd()
        pipe.scheduler = kind.from_config(pipe.scheduler.config)
        assert len(guides_and_detaches(pipe)) == 5


@works("float16 and bfloat16", "SD, SDXL", "the loss is scaled under float16, maps are float32; not yet tested with real half weights")
def half_precision() -> None:
    for make in (tiny.sd, tiny.sdxl):
        _, expected = traced(make())
        for dtype in (torch.float16, torch.bfloat16):
            same_gradient(guides_and_detaches(make().to(dtype)), expected, rtol=0.2)  # bfloat16 has 8 bits


@works("channels_last", "SD")
def channels_last() -> None:
    _, expected = traced(tiny.sd())
    pipe = tiny.sd()
    pipe.unet.to(memory_format=torch.channels_last)
    same_gradient(guides_and_detaches(pipe), expected)


@works(
    "attention back ends", "Flux with `native` and `_native_math`",
    "back ends that call `scaled_dot_product_attention`; others are an error that says what to do",
)  # fmt: skip
def attention_back_ends() -> None:
    norms = []
    for name in ("native", "_native_math"):
        pipe = tiny_transformers.flux()
        with attention_backend("native"):  # `set_attention_backend` also sets the process's own, which this puts back
            pipe.transformer.set_attention_backend(name)
            with guide(pipe, PROMPT, config=STRONG) as guidance:
                tiny_transformers.run("flux", pipe, PROMPT)
        norms.append(guidance.trace[0].gradient_norm)
    assert torch.allclose(*norms, rtol=1e-3)


@works("callbacks, and interrupting", "SD", "`callback_on_step_end` gets guided latents; after `pipe._interrupt` no further step is guided")
def callbacks() -> None:
    pipe = tiny.sd()
    seen = []

    def stop(pipe, step, _timestep, tensors):
        seen.append(tensors["latents"])
        pipe._interrupt = step == 1
        return tensors

    out, trace = traced(pipe, callback_on_step_end=stop)
    assert len(trace) == 2
    assert torch.equal(out, seen[-1])


@works("LCM and TCD", "SD", "few steps; all rows are conditional, since there is no classifier-free guidance")
def few_steps() -> None:
    from diffusers import LCMScheduler, TCDScheduler

    for kind in (LCMScheduler, TCDScheduler):
        pipe = tiny.sd()
        pipe.scheduler = kind.from_config(pipe.scheduler.config)
        guides_and_detaches(pipe, guidance_scale=1.0)


@works("inference mode", "SD", "inference mode is off while the gradient is computed")
def inference_mode() -> None:
    expected, _ = traced(tiny.sd())
    with torch.inference_mode():
        out, _ = traced(_outside_inference())
    assert torch.allclose(out, expected, atol=1e-5)


@functools.cache
def _outside_inference():
    with torch.inference_mode(False):
        return tiny.sd()
