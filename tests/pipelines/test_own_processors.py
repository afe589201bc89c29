"""Attention code that is not of diffusers, beside guidance."""

import warnings

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.nn.functional import scaled_dot_product_attention

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


class Regional:
    """One call of attention for each text, and keys before the text where it is told so."""

    def __init__(self, texts, before=0):
        self.texts, self.before = texts, before

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        def heads(x):
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        texts = [text, *(other.expand_as(text) for other in self.texts)] if encoder_hidden_states is not None else [text]
        texts = [torch.cat((each[:, : self.before], each), 1) for each in texts] if encoder_hidden_states is not None else texts
        query = heads(attn.to_q(hidden_states))
        found = [scaled_dot_product_attention(query, heads(attn.to_k(each)), heads(attn.to_v(each))) for each in texts]
        return attn.to_out[0](sum(found).transpose(1, 2).flatten(2) / len(found))


@pytest.mark.parametrize(
    ("others", "before", "told"),
    [
        (1, 0, "attends to several texts of 77 tokens, as regional prompting does, and only the first is read"),
        (0, 4, "the layers that are read attend to 81 keys, and the text has 77 tokens"),
        (0, 0, None),
    ],
)
def test_texts_that_are_not_the_prompt_s_are_told(others, before, told):
    """Guidance would read the positions of the prompt's objects in another text."""
    pipe = tiny.sd()
    with torch.no_grad():
        texts = [pipe.encode_prompt("a blue circle", "cpu", 1, False)[0]] * others
    pipe.unet.set_attn_processor(
        {name: Regional(texts, before) if "attn2" in name else old for name, old in pipe.unet.attn_processors.items()}
    )
    with pytest.warns(UserWarning, match=told) if told else warnings.catch_warnings(action="error", category=UserWarning):
        with guide(pipe, PROMPT):
            pipe(PROMPT, num_inference_steps=2, generator=torch.Generator().manual_seed(0), output_type="latent")
