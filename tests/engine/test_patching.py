"""Replaced attributes come back, in any order of exits, and copies made meanwhile are clean."""

import copy
import itertools
import pickle

import pytest
import torch
from diffusers import AutoPipelineForImage2Image, StableDiffusionImg2ImgPipeline

from infsplign import PAPER, guide
from infsplign.engine.patching import marked, replaced_attribute, swapped_attribute
from tests import tiny

PROMPT = "a circle to the left of a square"
STRONG = PAPER.with_(scale=3000.0)


class Owner:
    def method(self):
        return 1


@pytest.mark.parametrize("replaced", [replaced_attribute, swapped_attribute])
def test_a_replaced_attribute_comes_back_as_it_was(replaced):
    owner = Owner()
    with replaced(owner, "method", lambda: 2):
        assert owner.method() == 2
    assert vars(owner) == {}
    assert type(owner) is Owner
    mine = owner.method = lambda: 3
    with pytest.raises(KeyboardInterrupt), replaced(owner, "method", lambda: 2):
        raise KeyboardInterrupt
    assert owner.method is mine


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_case_14_layers_come_off_in_any_order(order):
    owner = Owner()
    mine = owner.method = lambda: 0
    layers = [replaced_attribute(owner, "method", lambda n=n: n) for n in (1, 2, 3)]
    for layer in layers:
        layer.__enter__()
    on = {1, 2, 3}
    for number in order:
        layers[number].__exit__(None, None, None)
        on.discard(number + 1)
        assert owner.method() == max(on, default=0)
    assert owner.method is mine
    assert type(owner) is Owner


def latents(pipe):
    return pipe(PROMPT, num_inference_steps=2, output_type="latent", generator=torch.Generator().manual_seed(0)).images


def clean(pipe):
    """Nothing of guidance is on the pipeline or its parts."""
    parts = [pipe, pipe.unet, pipe.scheduler, pipe.text_encoder]
    return (
        not any({"forward", "step", "maybe_free_model_hooks"} & vars(part).keys() for part in parts)
        and not pipe.text_encoder._forward_pre_hooks
    )


@pytest.mark.parametrize("kind", [StableDiffusionImg2ImgPipeline, AutoPipelineForImage2Image])
def test_a_pipeline_made_inside_the_block_from_the_guided_one_is_guided(kind):
    """`from_pipe` compares the types of the parts."""
    pipe = tiny.sd()
    with guide(pipe, PROMPT, config=STRONG) as guidance:
        other = kind.from_pipe(pipe)
        other.set_progress_bar_config(disable=True)
        other(PROMPT, image=torch.rand(1, 3, 32, 32), strength=0.6, num_inference_steps=5, output_type="latent")
    assert other.unet is pipe.unet
    assert [step.guided for step in guidance.trace] == [True] * 3
    assert clean(pipe)
    assert clean(other)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_case_12_copies_made_inside_the_block_are_plain(copied):
    pipe = tiny.sd()
    pipe.safety_checker = None
    plain = latents(pipe)
    with guide(pipe, PROMPT, config=STRONG):
        whole, unet, scheduler, encoder = copied(pipe), copied(pipe.unet), copied(pipe.scheduler), copied(pipe.text_encoder)
        guided = latents(pipe)
        assert torch.equal(latents(whole), plain)
        assert not torch.equal(guided, plain)
        assert torch.equal(latents(pipe), guided)
    assert clean(pipe)
    assert clean(whole)
    for part, original in ((unet, pipe.unet), (scheduler, pipe.scheduler), (encoder, pipe.text_encoder), (whole, pipe)):
        assert type(part) is type(original)
        assert vars(part).keys() == vars(original).keys()
    whole.unet, whole.scheduler, whole.text_encoder = unet, scheduler, encoder
    assert torch.equal(latents(whole), plain)


def test_case_12_shallow_copies_and_the_copy_s_own_guidance():
    pipe = tiny.sd()
    plain = latents(pipe)
    with guide(pipe, PROMPT, config=STRONG):
        guided = latents(pipe)
        whole, scheduler = copy.copy(pipe), copy.copy(pipe.scheduler)
        assert "step" not in vars(scheduler)
        assert "maybe_free_model_hooks" not in vars(whole)
        own = copy.deepcopy(pipe)
        with guide(own, PROMPT, config=STRONG):
            assert torch.equal(latents(own), guided)
        assert torch.equal(latents(own), plain)
    assert clean(own)
    assert clean(pipe)


def sharing(part):
    one, other = tiny.sd(), tiny.sd(seed=1)
    setattr(other, part, getattr(one, part))
    return one, other


@pytest.mark.parametrize(("part", "message"), [("scheduler", "`step` of DDIMScheduler is guided already"), ("unet", "guided already")])
def test_case_14_a_shared_part_is_refused_and_stays_guided_by_the_first(part, message):
    one, other = sharing(part)
    plain = latents(one), latents(other)
    with guide(one, PROMPT, config=STRONG) as first:
        with pytest.raises(RuntimeError, match=message), guide(other, PROMPT, config=STRONG):
            pass
        latents(one)
        assert all(step.guided for step in first.trace)
    assert clean(one)
    assert clean(other)
    with guide(other, PROMPT, config=STRONG):
        pass
    assert torch.equal(latents(one), plain[0])
    assert torch.equal(latents(other), plain[1])


@pytest.mark.parametrize("part", ["text_encoder", "vae", "tokenizer", None])
@pytest.mark.parametrize("crossed", [True, False])
def test_case_14_blocks_end_in_any_order(part, crossed):
    one, other = sharing(part) if part else (tiny.sd(), tiny.sd(seed=1))
    blocks = [guide(one, PROMPT, config=STRONG), guide(other, PROMPT, config=STRONG)]
    for block in blocks:
        block.__enter__()
    for block in blocks if crossed else reversed(blocks):
        block.__exit__(None, None, None)
        block.__exit__(None, None, None)  # leaving twice does no harm
    assert clean(one)
    assert clean(other)
    assert type(one.unet).__dict__.get("_infsplign_original") is None


def test_marked_values_are_refused_over_each_other():
    owner = Owner()
    with replaced_attribute(owner, "method", marked(owner.method, lambda: 2)):
        with pytest.raises(RuntimeError, match="`method` of Owner is guided already"):
            with replaced_attribute(owner, "method", marked(owner.method, lambda: 3)):
                pass
        assert owner.method() == 2
    assert vars(owner) == {}


def test_a_marked_value_may_stand_over_one_that_is_not():
    """A user's own replacement is no other `guide` block."""
    owner = Owner()
    with replaced_attribute(owner, "method", lambda: 2):
        with replaced_attribute(owner, "method", marked(owner.method, lambda: 3)):
            assert owner.method() == 3
        assert owner.method() == 2
    assert vars(owner) == {}
