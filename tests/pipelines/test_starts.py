"""Several starts: the ranking is that of the pictures' own traces, and the pipeline is as it was."""

import gc

import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPAGPipeline
from PIL import Image

from infsplign import RECOMMENDED, GuidanceConfig, guide
from infsplign.pipelines.starts import rank_seeds, starts_cost
from infsplign.testing.module_state import module_state
from tests import tiny

PROMPT = "a circle to the left of a square"
CALL = {"num_inference_steps": 4, "guidance_scale": 5.0}
CONFIG = GuidanceConfig(scale=500.0, stop=0.75)


def picture(pipe, seed):
    with guide(pipe, PROMPT, config=CONFIG) as guidance:
        latents = pipe(PROMPT, generator=torch.Generator().manual_seed(seed), output_type="latent", **CALL).images
    return latents, guidance.trace


def test_seeds_are_ranked_by_the_loss_that_their_pictures_have():
    pipe, seeds = tiny.sd(), (5, 3, 8)
    ranked = rank_seeds(pipe, PROMPT, seeds, steps=3, config=CONFIG, **CALL)
    assert sorted(start.seed for start in ranked) == sorted(seeds)
    assert [start.loss for start in ranked] == sorted(start.loss for start in ranked)
    for start in ranked:
        _, trace = picture(pipe, start.seed)
        assert start.loss == pytest.approx(sum(float(step.loss[0]) for step in trace[1:3]) / 2, rel=1e-4)
        assert start.terms == pytest.approx({n: sum(float(step.terms[n][0]) for step in trace[1:3]) / 2 for n in start.terms}, rel=1e-4)


def test_seeds_of_a_call_with_an_image_are_ranked_by_their_own_noise():
    """In one batch the pipeline encodes the image with the first seed alone, and the others draw other noise."""
    pipe = StableDiffusionInpaintPipeline(**tiny.sd().components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    call = CALL | {"image": Image.new("RGB", (32, 32), "red"), "mask_image": Image.new("L", (32, 32), 255), "strength": 0.8}
    call |= {"height": 32, "width": 32}
    for start in rank_seeds(pipe, PROMPT, (5, 3, 8), steps=2, config=CONFIG, **call):
        with guide(pipe, PROMPT, config=CONFIG) as guidance:
            pipe(PROMPT, generator=torch.Generator().manual_seed(start.seed), output_type="latent", **call)
        assert start.loss == pytest.approx(float(guidance.trace[1].loss[0]), rel=1e-4)


def test_the_pipeline_is_as_it_was():
    pipe = tiny.sd()
    before, (latents, _) = module_state(pipe.unet), picture(pipe, 0)
    step = pipe.scheduler.step
    rank_seeds(pipe, PROMPT, [1, 2], steps=2, config=CONFIG, **CALL)
    assert pipe.scheduler.step == step
    assert module_state(pipe.unet) == before
    assert torch.equal(picture(pipe, 0)[0], latents)


def test_processors_of_the_call_are_taken_off_with_it():
    """The pipeline of perturbed attention takes its own off at the end of a call, which is not reached."""
    pipe = StableDiffusionPAGPipeline.from_pipe(tiny.sd(), pag_applied_layers=["down_blocks.1"])
    pipe.set_progress_bar_config(disable=True)
    own = dict(pipe.unet.attn_processors)
    rank_seeds(pipe, PROMPT, [1, 2], steps=2, config=CONFIG, pag_scale=3.0, **CALL)
    assert all(pipe.unet.attn_processors[name] is processor for name, processor in own.items())


def test_no_more_steps_are_run_than_asked_for():
    pipe, calls = tiny.sd(), []
    handle = pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    rank_seeds(pipe, PROMPT, [1, 2], steps=2, config=CONFIG.with_(plan="batched"), **CALL)
    handle.remove()
    assert len(calls) == 2
    assert len(rank_seeds(pipe, PROMPT, [1], steps=40, config=CONFIG, **CALL)) == 1  # all steps, and no error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": []}, "`seeds` must hold at least one seed, got none"),
        ({"seeds": [1], "steps": 0}, "`steps` must be >= 1, got 0"),
        (
            {"seeds": [1], "steps": 1, "config": CONFIG.with_(start=0.5)},
            "`steps` must reach the guided part of the sampling, got 1; it begins at 0.5 of the steps",
        ),
    ],
)
def test_what_cannot_be_ranked_is_refused(options, message):
    with pytest.raises(ValueError) as error:
        rank_seeds(tiny.sd(), PROMPT, **{"config": CONFIG, **options}, **CALL)
    assert str(error.value) == message


def test_errors_of_the_call_are_not_hidden():
    with pytest.raises(TypeError, match="negative_prompt"):
        rank_seeds(tiny.sd(), PROMPT, [1, 2], negative_prompt=["a", "b"], config=CONFIG, **CALL)


def test_the_cost_is_known_before():
    pipe = tiny.sd()
    assert starts_cost(pipe, 4, steps=5) == 4 * 5 / 50  # the pipeline's own number of steps
    assert starts_cost(pipe, 2, steps=9, num_inference_steps=6) == 2.0


def test_latents_in_place_of_those_of_the_seeds_are_refused():
    with pytest.raises(ValueError, match="`latents` are drawn from the seeds"):
        rank_seeds(tiny.sd(), PROMPT, range(2), latents=torch.zeros(2, 4, 16, 16))


@pytest.mark.parametrize("name", ["generator", "num_images_per_prompt", "output_type"])
def test_what_it_gives_itself_is_refused(name):
    with pytest.raises(ValueError, match=f"gives '{name}' itself"):
        rank_seeds(tiny.sd(), PROMPT, [0, 1], **{name: None})


@pytest.mark.parametrize(("options", "told"), [({"scale": 0.0}, "`scale` 0"), ({"start": 0.3, "stop": 0.3}, "`start` and `stop` 0.3")])
def test_options_that_guide_nothing_cannot_rank(options, told, recwarn):
    gc.collect()  # what other tests have left
    recwarn.clear()
    with pytest.raises(ValueError, match=f"`config` must guide some steps.*{told}") as refused:
        rank_seeds(tiny.sd(), PROMPT, [0, 1], config=RECOMMENDED.with_(**options))
    del refused
    gc.collect()
    assert not recwarn.list, "the user has called no `guide` that could be entered"


@pytest.mark.parametrize("seeds", [5, "12", [1.5], [True], [None]])
def test_seeds_are_whole_numbers(seeds):
    with pytest.raises(TypeError, match="`seeds` must be a list of whole numbers, such as `range"):
        rank_seeds(tiny.sd(), PROMPT, seeds, config=CONFIG, **CALL)


def test_seeds_have_64_bits_and_one_prompt():
    with pytest.raises(ValueError, match=r"`seeds` must lie in \[0, 2\*\*32\)"):
        rank_seeds(tiny.sd(), PROMPT, [2**70], config=CONFIG, **CALL)
    with pytest.raises(TypeError, match="`prompt` must be one prompt, got .*rank the seeds of each prompt by itself"):
        rank_seeds(tiny.sd(), [PROMPT, PROMPT], [1, 2], config=CONFIG, **CALL)
