"""The plan that runs blocks again: the same images, less memory, nothing left behind."""

import pytest
import torch

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
    with pytest.raises(ValueError, match="`plan` must be one of split, batched, checkpoint, got 'half'"):
        GuidanceConfig(plan="half")


def test_blocks_run_as_they_are_where_diffusers_checkpoints_already():
    unet = tiny.sd().unet
    unet.enable_gradient_checkpointing()
    unet.train()  # diffusers checkpoints in training mode and else
    own, _ = guided(unet, "sd", "split")
    both, _ = guided(unet, "sd", "checkpoint")
    assert torch.equal(own.gradient, both.gradient)
