"""The plan that runs blocks again: the same images, less memory, nothing left behind."""

import random
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import numpy as np
import pytest
import torch
from diffusers.hooks import apply_group_offloading
from diffusers.models.attention_processor import AttnProcessor2_0
from peft import LoraConfig

from infsplign import Guidance, GuidanceConfig, Scene, guide
from infsplign.adapters import FAMILIES
from infsplign.cost.counting import SavedTensors
from infsplign.engine.checkpointing import blocks
from tests import tiny, tiny_transformers
from tests.adapters_inputs import INPUTS

SCENE = Scene.of([("circle", "left of", "square")])
PROMPT = "a circle to the left of a square"
MAKERS = {"sd": tiny.sd, "sdxl": tiny.sdxl} | tiny_transformers.MAKERS


def denoiser_of(name):
    pipe = MAKERS[name]()
    return getattr(pipe, FAMILIES[name].denoiser).eval()


def guided(denoiser, name, plan, **options):
    backbone = FAMILIES[name]
    engine = Guidance(denoiser, backbone.source(denoiser), SCENE, [[1], [2, 3]], GuidanceConfig(plan=plan), **options)
    saved = SavedTensors(denoiser.parameters())
    engine.saving = saved.hooks
    torch.manual_seed(1)
    sample, kwargs = INPUTS[name](2, (16, 16))
    return engine(sample, **kwargs), saved


@pytest.mark.parametrize("name", MAKERS)
def test_both_plans_give_the_same_gradient(name):
    denoiser = denoiser_of(name)
    forwards = {key: "forward" in vars(m) for key, m in denoiser.named_modules()}
    split, whole = guided(denoiser, name, "split")
    checkpoint, inputs = guided(denoiser, name, "checkpoint")
    close = 1e-5 * float(split.gradient.abs().max())  # a block that is run again attends by its own call, the others by ours
    torch.testing.assert_close(checkpoint.gradient, split.gradient, rtol=1e-5, atol=close)
    assert split.gradient.abs().max() > 0
    assert inputs.peak < whole.peak
    assert {key: "forward" in vars(m) for key, m in denoiser.named_modules()} == forwards


def made(pipe, plan, **call):
    """Latents, passes that were run, and how often the denoiser was called."""
    calls = []
    denoiser = pipe.unet if hasattr(pipe, "unet") else pipe.transformer
    watch = denoiser.register_forward_pre_hook(lambda *_: calls.append(None))
    options = {"num_inference_steps": 2, "output_type": "latent", "generator": torch.Generator().manual_seed(0)}
    with guide(pipe, PROMPT, config=GuidanceConfig(scale=5000.0, plan=plan)) as guidance:
        latents = pipe(PROMPT, **options, **call).images
    watch.remove()
    assert all(step.guided for step in guidance.trace)
    return latents, guidance.passes, len(calls)


def test_a_pipeline_makes_the_same_image_under_every_plan():
    split, _, _ = made(tiny.sd(), "split")
    for plan in ("checkpoint", "batched"):  # the same sums in another order
        torch.testing.assert_close(made(tiny.sd(), plan)[0], split, rtol=1e-4, atol=1e-4)


def test_batched_calls_the_denoiser_once_a_step_and_counts_what_it_ran():
    _, split, _ = made(tiny.sd(), "split")
    _, batched, calls = made(tiny.sd(), "batched")
    assert (split.guided, split.plain) == (2, 2)
    assert (batched.guided, batched.plain) == (4, 0)
    assert calls == 2


def test_batched_is_split_where_one_call_holds_one_half():
    """Flux makes no second half, or calls the transformer again for it."""
    call = tiny_transformers.CALLS.get("flux", {})
    split, passes, calls = made(tiny_transformers.MAKERS["flux"](), "split", **call)
    batched, same, as_many = made(tiny_transformers.MAKERS["flux"](), "batched", **call)
    assert torch.equal(split, batched)
    assert (passes, calls) == (same, as_many)


def test_blocks_are_the_innermost_that_must_not_be_split():
    kinds = [type(m).__name__ for m in blocks(tiny.sd().unet)]
    assert set(kinds) == {"BasicTransformerBlock", "ResnetBlock2D"}
    assert kinds.count("BasicTransformerBlock") == 10
    hunyuan = denoiser_of("hunyuandit")  # has no such list: members of its outermost module list
    assert blocks(hunyuan) == list(hunyuan.blocks)


def test_a_denoiser_that_is_no_module_cannot_be_run_again():
    class Plain:
        def record(self, sample): ...

    with pytest.raises(ValueError, match='`plan` "checkpoint".*"split"'):
        Guidance(lambda x: x, Plain(), SCENE, [[0], [1]], GuidanceConfig(plan="checkpoint"))
    with pytest.raises(ValueError, match="`plan` must be one of auto, split, batched, checkpoint, got 'half'"):
        GuidanceConfig(plan="half")


def test_blocks_run_as_they_are_where_diffusers_checkpoints_already():
    unet = tiny.sd().unet
    unet.enable_gradient_checkpointing()
    unet.train()  # diffusers checkpoints in training mode and else
    own, _ = guided(unet, "sd", "split")
    both, _ = guided(unet, "sd", "checkpoint")
    assert torch.equal(own.gradient, both.gradient)


# --- case 1: blocks run again under what the forward pass ran under -------------------------------------------------------

STRONG = GuidanceConfig(scale=3000.0)
LORA = LoraConfig(r=2, lora_alpha=4, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False)
KWARGS = {
    "sd": "cross_attention_kwargs",
    "sdxl": "cross_attention_kwargs",
    "sd3": "joint_attention_kwargs",
    "flux": "joint_attention_kwargs",
}


def gradient(name, plan, *, own=False, prepare=lambda _denoiser: nullcontext(), **call):
    """The norm of the first gradient of a guided call."""
    pipe = MAKERS[name]()
    denoiser = getattr(pipe, FAMILIES[name].denoiser)
    around = prepare(denoiser)
    if own:
        denoiser.enable_gradient_checkpointing()
    options = {"num_inference_steps": 1, "output_type": "latent", "generator": torch.Generator().manual_seed(0)}
    with around, guide(pipe, PROMPT, config=STRONG.with_(plan=plan)) as guidance:
        pipe(PROMPT, **options | tiny_transformers.CALLS.get(name, {}) | call)
    return guidance.trace[0].gradient_norm


def all_agree(name="sd", *, batched=True, **options):
    """Every plan, and the denoiser's own checkpointing, give the same gradient; returns it."""
    split = gradient(name, "split", **options)
    for plan, own in [("checkpoint", False), ("split", True), ("checkpoint", True), *([("batched", False)] if batched else [])]:
        torch.testing.assert_close(gradient(name, plan, own=own, **options), split, rtol=1e-4, atol=0, msg=f"{plan}, own {own}")
    return split


def with_lora(denoiser):
    torch.manual_seed(3)
    denoiser.add_adapter(LORA)
    return nullcontext()


@pytest.mark.parametrize("name", KWARGS)
def test_case_1_the_scale_of_a_lora(name):
    scaled = all_agree(name, prepare=with_lora, **{KWARGS[name]: {"scale": 0.5}})
    assert not torch.allclose(scaled, gradient(name, "split", prepare=with_lora), rtol=1e-3)


def for_the_pass(set_up):
    """Makes `set_up(denoiser)` hold for the length of each of its forward passes, and no longer."""

    def prepare(denoiser):
        forward = denoiser.forward

        def wrapped(*args, **kwargs):
            with set_up(denoiser):
                return forward(*args, **kwargs)

        denoiser.forward = wrapped
        return nullcontext()

    return prepare


INNER = "up_blocks.1.attentions.0.transformer_blocks.0"


@contextmanager
def hooked(denoiser):
    handle = denoiser.get_submodule(INNER).attn1.to_v.register_forward_hook(lambda _module, _args, output: 3 * output)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def other_processor(denoiser):
    class Louder(AttnProcessor2_0):
        def __call__(self, *args, **kwargs):
            return 3 * super().__call__(*args, **kwargs)

    attention = denoiser.get_submodule(INNER).attn1
    before = attention.processor
    attention.set_processor(Louder())
    try:
        yield
    finally:
        attention.set_processor(before)


@contextmanager
def other_weights(denoiser):
    layer = denoiser.get_submodule(INNER).attn1.to_v
    before = layer.weight
    layer.weight = torch.nn.Parameter(3 * before.detach(), requires_grad=False)
    try:
        yield
    finally:
        layer.weight = before


FACTOR = ContextVar("factor", default=1.0)


@contextmanager
def context_variable(denoiser):
    layer = denoiser.get_submodule(INNER).attn1.to_v
    handle = layer.register_forward_hook(lambda _module, _args, output: FACTOR.get() * output)
    token = FACTOR.set(3.0)
    try:
        yield
    finally:
        FACTOR.reset(token)
        handle.remove()


@contextmanager
def half_precision(_denoiser):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield


@pytest.mark.parametrize("set_up", [hooked, other_processor, other_weights, context_variable, half_precision], ids=lambda f: f.__name__)
def test_case_1_what_is_set_for_the_length_of_a_pass(set_up):
    changed = all_agree(prepare=for_the_pass(set_up))
    assert not torch.allclose(changed, gradient("sd", "split"), rtol=1e-5)


def test_case_1_a_hook_that_counts_counts_each_pass_once():
    counts = {}

    def counting(plan):
        def prepare(denoiser):
            number, seen = 0, counts.setdefault(plan, [])

            def hook(_module, _args, output):
                nonlocal number
                number += 1
                seen.append(number)
                return output * number

            denoiser.get_submodule(INNER).attn1.to_v.register_forward_hook(hook)
            return nullcontext()

        return prepare

    split, again = (gradient("sd", plan, prepare=counting(plan)) for plan in ("split", "checkpoint"))
    torch.testing.assert_close(again, split)  # some releases of diffusers round differently under "checkpoint"
    assert counts["split"] == counts["checkpoint"] == [1]  # both halves in one pass, as without guidance


@pytest.mark.parametrize("filled", [True, False])
def test_a_variable_of_a_hook_may_be_without_a_value(filled):
    """Before the first run of a block or after it: the second run finds what the first one found."""

    def prepare(denoiser):
        factor = 3.0
        if not filled:
            del factor

        def hook(_module, _args, output):
            nonlocal factor
            try:
                output = output * factor
                del factor
            except NameError:
                factor = 3.0  # noqa: F841 - the next run reads it
                output = 5.0 * output
            return output

        denoiser.get_submodule(INNER).attn1.to_v.register_forward_hook(hook)
        return nullcontext()

    split, again = (gradient("sd", plan, prepare=prepare) for plan in ("split", "checkpoint"))
    torch.testing.assert_close(split, again, rtol=1e-4, atol=0)
    assert not torch.allclose(split, gradient("sd", "split"), rtol=1e-5)


class Noisy(torch.nn.Module):
    """Draws noise in every mode, by torch, from a generator of its own where it has one, by numpy or by `random`."""

    def __init__(self, kind):
        super().__init__()
        self.options = {"generator": torch.Generator().manual_seed(5) if kind == "own" else None}
        self.factor = {"numpy": np.random.random, "python": random.random}.get(kind)

    def forward(self, x):
        return x * (1 + self.factor()) if self.factor else x + torch.randn(x.shape, **self.options)


@pytest.mark.parametrize("kind", ["torch", "own", "numpy", "python"])
def test_case_1_random_numbers_are_drawn_once(kind):
    def prepare(denoiser):
        torch.manual_seed(4)
        np.random.seed(4)  # noqa: NPY002
        random.seed(4)
        denoiser.get_submodule(INNER).attn1.to_out[1] = Noisy(kind)
        return nullcontext()

    all_agree(prepare=prepare, batched=False)  # a batch of other rows draws other numbers


def test_case_1_dropout_and_the_random_state_after_it():
    states = []

    def prepare(denoiser):
        denoiser.train()
        for module in denoiser.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.3
        torch.manual_seed(4)
        return nullcontext()

    for plan, own in (("split", False), ("checkpoint", False), ("split", True)):
        states.append((gradient("sd", plan, own=own, prepare=prepare), torch.get_rng_state()))
    for norm, state in states[1:]:
        torch.testing.assert_close(norm, states[0][0], rtol=1e-5, atol=0)
        assert torch.equal(state, states[0][1])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)])
def test_case_1_modes_around_the_call(mode):
    def around(_denoiser):
        return mode()

    def outside(name, plan, **options):
        return gradient(name, plan, prepare=around, **options)

    split = outside("sd", "split")
    torch.testing.assert_close(outside("sd", "checkpoint"), split)
    torch.testing.assert_close(outside("sd", "split", own=True), split)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("hook", ["layerwise casting", "group offloading"])
def test_case_1_hooks_that_change_weights_in_between_are_refused(hook, own):
    """Torch keeps the tensors of frozen weights themselves while a block runs again, and would find other data in them."""
    pipe = tiny.sd()
    if hook == "layerwise casting":
        pipe.unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    else:
        cpu = torch.device("cpu")
        apply_group_offloading(pipe.unet, onload_device=cpu, offload_device=cpu, offload_type="leaf_level")
    if own:
        pipe.unet.enable_gradient_checkpointing()
    asked = "`enable_gradient_checkpointing`" if own else '`plan` "checkpoint"'
    with guide(pipe, PROMPT, config=GuidanceConfig(plan="split" if own else "checkpoint")):
        with pytest.raises(ValueError, match=f"^{asked} runs blocks again, and {hook} changes their weights in between; switch one of"):
            pipe(PROMPT, num_inference_steps=1, output_type="latent")
