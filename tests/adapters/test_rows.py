"""Which rows of the denoiser's batch are conditional, against batches put together as pipelines do it."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from infsplign.adapters.rows import Batch, doubled_batch, first_call, rows_of_call, text_of
from infsplign.engine.rows import Rows


def latents(prompts, images, seeds):
    """(P n, 1, 2, 2): each row of a seed of its own, the same seeds for every prompt, or one seed for all."""
    numbers = {"own": range(prompts * images), "repeated": list(range(images)) * prompts, "one": [0] * (prompts * images)}[seeds]
    return torch.stack([torch.full((1, 2, 2), float(number)) for number in numbers])


def texts(prompts, images):
    """(P n, 3, 4), prompt by prompt."""
    return torch.stack([torch.full((3, 4), 1.0 + prompt) for prompt in range(prompts) for _ in range(images)])


@given(
    prompts=st.integers(1, 5),
    images=st.integers(1, 4),
    seeds=st.sampled_from(["own", "repeated", "one"]),
    guidance=st.booleans(),
    encoded=st.booleans(),
)
@example(prompts=4, images=2, seeds="repeated", guidance=False, encoded=False)  # both halves have equal latents and different texts
@example(prompts=3, images=2, seeds="one", guidance=False, encoded=False)
def test_rows_are_found_whatever_the_seeds_prompts_and_images(prompts, images, seeds, guidance, encoded):
    """`guidance` is classifier-free; its other half is of an encoded negative prompt or, as in SDXL, of zeros."""
    x, text = latents(prompts, images, seeds), texts(prompts, images)
    rows = prompts * images
    if guidance:
        x, text = torch.cat((x, x)), torch.cat((torch.zeros_like(text) - float(encoded), text))
    found = doubled_batch(Batch(x, text, prompts, negative=guidance and encoded))
    equal_halves = rows % 2 == 0 and torch.equal(x[: rows // 2], x[rows // 2 :]) and not torch.equal(x, x[:1].expand_as(x))
    if not guidance and equal_halves and (rows // 2) % prompts and images == 1:
        assert (found.stop - found.start) % prompts  # cannot be told from a batch of other prompts, and is refused for its number of rows
    else:
        assert found == slice(rows if guidance else 0, 2 * rows if guidance else rows)


@pytest.mark.parametrize(("negative", "expected"), [(True, slice(2, 4)), (False, slice(0, 4)), (None, slice(0, 4))])
def test_equal_texts_are_doubled_only_where_a_negative_prompt_was_encoded(negative, expected):
    """A negative prompt may be the prompt itself; several images of one seed may be without classifier-free guidance."""
    x = latents(1, 4, "one")
    assert doubled_batch(Batch(x, texts(1, 4), negative=negative)) == expected


@pytest.mark.parametrize(("negative", "expected"), [(True, slice(1, 2)), (None, slice(1, 2)), (False, slice(0, 2))])
def test_without_texts_equal_halves_are_doubled_unless_nothing_negative_was_encoded(negative, expected):
    assert doubled_batch(Batch(latents(1, 2, "one"), negative=negative)) == expected


def test_equal_prompts_do_not_tell_their_rows_apart():
    """Two prompts that are the same: each half holds both, so a doubled batch has equal texts at both ends of its second half."""
    x, text = latents(2, 1, "own"), texts(1, 2)
    batch = Batch(torch.cat((x, x)), torch.cat((-text, text)), 2, distinct=False)
    assert doubled_batch(batch) == slice(2, 4)
    assert doubled_batch(batch._replace(distinct=True)) == slice(0, 4)  # this cannot be a doubled batch of two distinct prompts


def test_a_batch_of_more_prompts_than_are_guided_is_not_taken_for_an_undoubled_one():
    """Three prompts where two are guided: three rows do not fit two prompts, which is refused; six would, and be wrong."""
    x, text = latents(3, 1, "own"), texts(3, 1)
    assert doubled_batch(Batch(torch.cat((x, x)), torch.cat((-text, text)), 2)) == slice(3, 6)
    same = latents(2, 1, "one")
    assert doubled_batch(Batch(same, texts(2, 1), 2)) == slice(0, 2)


def test_families_whose_first_call_is_conditional_have_all_its_rows():
    assert first_call(Batch(latents(2, 2, "one"), texts(2, 2), 2, negative=True)) == slice(0, 4)


def test_texts_are_the_embeddings_of_each_row():
    text = texts(2, 1)
    assert text_of({"encoder_hidden_states": text}, 2) is text
    assert text_of({"encoder_hidden_states": text}, 4) is None
    assert text_of({"encoder_hidden_states": [text, text]}, 2) is None
    assert text_of({}, 2) is None


def denoiser(*names, place="diffusers.models.attention_processor"):
    kinds = [type(name, (), {"__module__": place}) for name in names]
    return SimpleNamespace(attn_processors={str(number): kind() for number, kind in enumerate(kinds)})


CALLS = {
    "a denoiser without processors": (object(), 4, Rows(slice(2, 4))),
    "plain processors": (denoiser("AttnProcessor2_0"), 4, Rows(slice(2, 4))),
    "perturbed attention": (denoiser("AttnProcessor2_0", "PAGIdentitySelfAttnProcessor2_0"), 4, Rows(slice(0, 2), together=True)),
    "perturbed attention and classifier-free guidance": (
        denoiser("PAGCFGIdentitySelfAttnProcessor2_0", "AttnProcessor2_0"), 6, Rows(slice(2, 4), together=True)
    ),
    "a processor of one's own": (SimpleNamespace(attn_processors={"0": SimpleNamespace()}), 4, Rows(slice(2, 4), together=True)),
    "self-attention guidance": (denoiser("CrossAttnStoreProcessor", place="diffusers.pipelines.sag"), 4, Rows(slice(2, 4), together=True)),
}  # fmt: skip


@pytest.mark.parametrize(("own", "rows", "expected"), CALLS.values(), ids=CALLS)
def test_processors_tell_which_rows_must_run_together(own, rows, expected):
    x = torch.zeros(rows, 1, 2, 2)
    assert rows_of_call(own, lambda batch: slice(2, len(batch.sample)), Batch(x)) == expected


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("PAGIdentitySelfAttnProcessor2_0", 3, "two equal parts `[cond; perturbed]` under perturbed-attention guidance, got 3 rows"),
        (
            "PAGCFGIdentitySelfAttnProcessor2_0",
            4,
            "three equal parts `[uncond; cond; perturbed]` under perturbed-attention guidance, got 4 rows",
        ),
    ],
)
def test_rows_that_perturbed_attention_cannot_cut_are_refused(name, rows, message):
    with pytest.raises(ValueError) as error:
        rows_of_call(denoiser(name), first_call, Batch(torch.zeros(rows, 1, 2, 2)))
    assert str(error.value) == f"the denoiser's batch must hold {message}"


@pytest.mark.parametrize("mark", ["_hf_hook", "_diffusers_hook", "_orig_mod", None])
def test_replaced_forwards_run_together_unless_a_library_has_replaced_them(mark):
    """Offloading and casting treat each row by itself; what somebody has put there may not."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    net[0].forward = net[0].forward
    if mark:
        setattr(net[0], mark, None)
    assert rows_of_call(net, first_call, Batch(torch.zeros(2, 1))).together == (mark is None)


def test_hooks_of_others_run_together():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert not rows_of_call(net, first_call, Batch(torch.zeros(2, 1))).together
    handle = net[0].register_forward_pre_hook(lambda *_: None)
    assert rows_of_call(net, first_call, Batch(torch.zeros(2, 1))).together
    handle.remove()
    net[0].register_forward_hook(lambda *_: None)
    assert rows_of_call(net, first_call, Batch(torch.zeros(2, 1))).together


def test_an_odd_batch_is_not_doubled():
    assert doubled_batch(Batch(torch.zeros(3, 1, 2, 2), prompts=3)) == slice(0, 3)
    assert doubled_batch(Batch(torch.zeros(1, 1, 2, 2), negative=True)) == slice(0, 1)
