"""Loops of one's own around a pipeline's denoiser and scheduler, inside a `guide` block."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMInverseScheduler, FlowMatchEulerDiscreteScheduler

from infsplign import PromptError, UnsupportedPipelineError, guide
from infsplign.adapters import qwenimage
from tests import tiny, tiny_transformers

PROMPT = "a circle to the left of a square"


def loop(pipe, *, by_place=False, text=PROMPT, prompt_first=False, other_first=None):
    """The loop of a tutorial; returns latents and trace."""
    generator = torch.Generator().manual_seed(0)
    latents, other = torch.randn(2, 1, 4, 16, 16, generator=generator)
    with guide(pipe, PROMPT) as guidance, torch.no_grad():
        prompt, nothing = pipe.encode_prompt(text, "cpu", 1, True)
        embeddings = torch.cat((prompt, nothing) if prompt_first else (nothing, prompt))
        pipe.scheduler.set_timesteps(5)
        for number, t in enumerate(pipe.scheduler.timesteps):

            def predicted(x, t=t):
                x = torch.cat((x, x))
                found = pipe.unet(x, t, embeddings) if by_place else pipe.unet(x, t, encoder_hidden_states=embeddings)
                return found.sample.chunk(2)

            if other_first is not None and number >= other_first:
                predicted(other)
            halves = predicted(latents)
            cond, uncond = halves if prompt_first else reversed(halves)
            latents = pipe.scheduler.step(uncond + 5.0 * (cond - uncond), t, latents).prev_sample
    return latents, guidance.trace


def test_embeddings_by_place_are_those_by_name():
    (one, trace), (other, _) = (loop(tiny.sd(), by_place=by_place) for by_place in (False, True))
    assert any(step.guided for step in trace)
    assert torch.equal(one, other)


@pytest.mark.parametrize("by_place", [False, True])
@pytest.mark.parametrize("wrong", [{"prompt_first": True}, {"text": "a square to the left of a circle"}])
def test_the_rows_and_the_prompt_are_checked_however_they_are_given(by_place, wrong):
    with pytest.raises(PromptError, match="another prompt than `guide`"):
        loop(tiny.sd(), by_place=by_place, **wrong)


@pytest.mark.parametrize("since", [0, 1])
def test_a_first_pass_of_other_latents_is_told(since):
    """Guidance would shift the latents by what a reference picture shows."""
    with pytest.warns(UserWarning, match="the first pass of the denoiser in a guided step was of other latents") as told:
        loop(tiny.sd(), other_first=since)
    assert len(told) == 1
    with warnings.catch_warnings(action="error"):
        loop(tiny.sd())


INVERTED = {
    "noise": (tiny.sd, lambda old: DDIMInverseScheduler.from_config(old.config)),
    "v": (tiny.sd, lambda old: DDIMInverseScheduler.from_config(old.config, prediction_type="v_prediction")),
    "flow": (tiny_transformers.sd3, lambda old: FlowMatchEulerDiscreteScheduler.from_config(old.config, invert_sigmas=True)),
}


@pytest.mark.parametrize("kind", INVERTED)
def test_an_inversion_is_refused(kind):
    """Noise rises step by step, so that a shift of it moves the latents up the loss."""
    make, scheduler = INVERTED[kind]
    pipe = make()
    pipe.scheduler = scheduler(pipe.scheduler)
    told = f"{type(pipe.scheduler).__name__} adds noise step by step, as for an inversion"
    with pytest.raises(UnsupportedPipelineError, match=told), guide(pipe, PROMPT):
        pipe(PROMPT, num_inference_steps=3, output_type="latent")


def test_a_qwen_image_pipeline_that_does_not_tell_its_template_is_refused_by_name():
    with pytest.raises(UnsupportedPipelineError, match="`pipe` SimpleNamespace does not tell the template of its prompt"):
        qwenimage.texts(SimpleNamespace(), None, PROMPT)
