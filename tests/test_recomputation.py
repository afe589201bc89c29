"""The plan that runs blocks again: the same images, less memory, nothing left behind."""

import pytest
import torch

from infsplign import Guidance, GuidanceConfig, Scene, guide
from infsplign.adapters import FAMILIES
from infsplign.counting import Saved
from infsplign.recomputation import blocks
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
    saved = Saved(denoiser.parameters())
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
    assert torch.equal(checkpoint.gradient, split.gradient)
    assert split.gradient.abs().max() > 0
    assert inputs.peak < whole.peak
    assert {key: "forward" in vars(m) for key, m in denoiser.named_modules()} == forwards


def test_a_pipeline_makes_the_same_image_under_both_plans():
    def latents(plan):
        pipe = tiny.sd()
        with guide(pipe, PROMPT, config=GuidanceConfig(scale=5000.0, plan=plan)) as guidance:
            made = pipe(PROMPT, num_inference_steps=2, output_type="latent", generator=torch.Generator().manual_seed(0)).images
        assert all(step.guided for step in guidance.trace)
        return made

    assert torch.equal(latents("checkpoint"), latents("split"))


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
    with pytest.raises(ValueError, match="`plan` must be one of split, checkpoint, got 'half'"):
        GuidanceConfig(plan="half")


def test_blocks_run_as_they_are_where_diffusers_checkpoints_already():
    unet = tiny.sd().unet
    unet.enable_gradient_checkpointing()
    unet.train()  # diffusers checkpoints in training mode and else
    own, _ = guided(unet, "sd", "split")
    both, _ = guided(unet, "sd", "checkpoint")
    assert torch.equal(own.gradient, both.gradient)
