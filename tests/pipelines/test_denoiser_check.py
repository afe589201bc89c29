"""What users do to a pipeline around guidance: offloading, compiling, other schedulers, embeddings of their own."""

import numpy as np
import pytest
import torch
from accelerate import cpu_offload_with_hook
from accelerate.hooks import remove_hook_from_module
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler

from infsplign import PAPER, Guidance, GuidanceConfig, NonFiniteGradientError, Scene, UnsupportedPipelineError, guide
from infsplign.adapters import AttentionRecorder
from tests import tiny
from tests.pipelines.test_guide import PROMPT, run, state


def offload(pipe):
    """`enable_model_cpu_offload` without an accelerator: hooks on `forward` that every call takes off and sets anew."""

    def free():
        for part in (pipe.text_encoder, pipe.unet):
            remove_hook_from_module(part, recurse=True)
            cpu_offload_with_hook(part, "cpu")

    pipe.maybe_free_model_hooks = free
    free()


def test_every_call_is_guided_under_model_offloading():
    pipe = tiny.sd()
    with guide(pipe, PROMPT, config=PAPER):
        expected = run(pipe)
    offload(pipe)
    free = pipe.maybe_free_model_hooks
    with guide(pipe, PROMPT, config=PAPER) as guidance:
        for _ in range(3):
            assert torch.equal(run(pipe), expected)
            assert [step.guided for step in guidance.trace] == [True] * 3
    assert pipe.maybe_free_model_hooks is free
    assert not hasattr(vars(pipe.unet)["forward"], "infsplign")
    run(pipe)  # and the offloading still works
    remove_hook_from_module(pipe.unet)
    assert "forward" not in vars(pipe.unet) or not hasattr(pipe.unet.forward, "infsplign")


def test_a_forward_replaced_inside_the_block_is_no_silent_loss_of_guidance():
    pipe = tiny.sd()
    with pytest.raises(RuntimeError, match="replaced inside the `guide` block"), guide(pipe, PROMPT):
        stock = type(pipe.unet).forward
        pipe.unet.forward = lambda *args, **kwargs: stock(pipe.unet, *args, **kwargs)
        run(pipe)


@pytest.mark.parametrize("kind", [EDMEulerScheduler, EDMDPMSolverMultistepScheduler])
def test_schedulers_with_another_meaning_of_the_output_are_refused(kind):
    pipe = tiny.sd()
    pipe.scheduler = kind()
    before = state(pipe)
    with pytest.raises(UnsupportedPipelineError, match=f"alphas_cumprod.*{kind.__name__}"), guide(pipe, PROMPT):
        pass
    assert state(pipe) == before


def test_embeddings_may_be_longer_than_the_tokenizer_allows():
    pipe = tiny.sd()
    embeds = torch.randn(1, 154, 32, generator=torch.Generator().manual_seed(0))
    call = {"prompt": None, "prompt_embeds": embeds, "negative_prompt_embeds": torch.zeros_like(embeds)}
    relations = [("cat", "left of", "dog")]
    with guide(pipe, relations=relations, token_indices=[[2], [80]], config=PAPER) as guidance:
        run(pipe, **call)
    assert all(step.guided for step in guidance.trace)
    with pytest.raises(ValueError, match="154, got 154"), guide(pipe, relations=relations, token_indices=[[2], [154]]):
        run(pipe, **call)


def test_without_a_text_encoder_token_indices_are_asked_for():
    pipe = tiny.sd()
    pipe.text_encoder = None
    with pytest.raises(ValueError, match="`token_indices` must be given"):
        guide(pipe, PROMPT)


@pytest.mark.parametrize("indices", [[[2], [8]], [[[2], [8]]], np.array([[2], [8]]), [[np.int64(2)], [np.int64(8)]], ((2,), (8,))])
def test_the_engine_takes_token_indices_with_or_without_the_outer_list(indices):
    unet = tiny.sd().unet
    source = AttentionRecorder(unet, {"coarse": ["up_blocks.1.attentions.0.transformer_blocks.0.attn2"]})
    assert Guidance(unet, source, Scene.of([("cat", "left of", "dog")]), indices).token_indices == [((2,), (8,))]


def test_the_engine_refuses_objects_without_tokens_by_name():
    unet = tiny.sd().unet
    source = AttentionRecorder(unet, {"coarse": ["up_blocks.1.attentions.0.transformer_blocks.0.attn2"]})
    with pytest.raises(ValueError, match="'cat' must hold at least one position"):
        Guidance(unet, source, Scene.of([("cat", "left of", "dog")]), [[], [8]])


def test_an_output_that_is_not_finite_is_said_at_its_own_step():
    pipe = tiny.sd()
    pipe.unet.conv_out.weight.data.fill_(float("nan"))
    with pytest.raises(NonFiniteGradientError, match="own output is not finite at step 0") as error, guide(pipe, PROMPT):
        run(pipe)
    assert torch.isfinite(error.value.latents).all()


def test_a_shift_that_overflows_is_said_before_the_scheduler_has_it():
    pipe = tiny.sd()
    with pytest.raises(NonFiniteGradientError, match=r"scale 1e\+38.*Lower `scale`") as error:
        with guide(pipe, PROMPT, config=GuidanceConfig(scale=1e38, spatial=1e6)):
            run(pipe)
    assert error.value.step == 0
