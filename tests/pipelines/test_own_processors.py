"""Attention code that is not of diffusers, beside guidance."""

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from infsplign import RECOMMENDED, guide
from tests import tiny

PROMPT = "a circle to the left of a square"


class OfTheConditionalHalf(AttnProcessor2_0):
    """As prompt-to-prompt and others: it parts the batch into [uncond; cond] itself, and changes the second half."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, *args, **kwargs):
        uncond, cond = hidden_states.chunk(2)
        return super().__call__(attn, torch.cat((uncond, 1.1 * cond)), encoder_hidden_states, *args, **kwargs)


@pytest.mark.parametrize("how", ["processor", "forward"])
def test_code_of_others_within_attention_gets_both_halves(how):
    """By the plan "split" it would part the conditional rows alone, and change half of the images."""
    pipe, found = tiny.sd(), []
    first = next(module for name, module in pipe.unet.named_modules() if name.endswith("attn1"))
    if how == "processor":
        first.set_processor(OfTheConditionalHalf())
    else:
        plain, own = first.forward, OfTheConditionalHalf()
        first.forward = lambda hidden_states, *args, **kwargs: own(first, hidden_states, **kwargs)
        assert plain != first.forward
    for plan in ("split", "batched"):
        with guide(pipe, PROMPT, config=RECOMMENDED.with_(plan=plan)):
            seeds = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
            found.append(pipe(PROMPT, num_inference_steps=3, num_images_per_prompt=2, generator=seeds, output_type="latent").images)
    assert torch.allclose(*found, atol=1e-5)
