"""Batches, several images a prompt, other sizes, precisions and parametrisations."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, UniPCMultistepScheduler

from infsplign import PAPER, GuidanceConfig, guide, parse_prompt
from infsplign.visuals.curves import trace_plot
from tests import tiny

LEFT, ABOVE = "a circle to the left of a square", "a star above a traffic light"


def run(pipe, prompt, seeds, **options):
    options = {"num_inference_steps": 3, "output_type": "latent"} | options
    return pipe(prompt, generator=[torch.Generator().manual_seed(s) for s in seeds], **options).images


@pytest.mark.parametrize("make", [tiny.sd, tiny.sdxl])
def test_a_batch_of_prompts_equals_one_by_one(make):
    pipe = make()
    with guide(pipe, [LEFT, ABOVE], config=PAPER) as guidance:
        together = run(pipe, [LEFT, ABOVE], [0, 1])
    for row, (prompt, seed) in enumerate([(LEFT, 0), (ABOVE, 1)]):
        with guide(pipe, prompt, config=PAPER) as single:
            alone = run(pipe, prompt, [seed])
        assert torch.allclose(together[row], alone[0], atol=2e-5)
        assert torch.allclose(guidance.trace[-1].centroid[row], single.trace[-1].centroid[0], atol=1e-5)


def test_several_images_a_prompt_are_prompt_major():
    pipe = tiny.sd()
    with guide(pipe, [LEFT, ABOVE], config=PAPER) as guidance:
        together = run(pipe, [LEFT, ABOVE], [0, 1, 2, 3], num_images_per_prompt=2)
    assert guidance.trace[0].loss.shape == (4,)
    for first, prompt in ((0, LEFT), (2, ABOVE)):
        with guide(pipe, prompt, config=PAPER):
            pair = run(pipe, prompt, [first, first + 1], num_images_per_prompt=2)
        assert torch.allclose(together[first : first + 2], pair, atol=2e-5)


def test_one_scene_serves_a_list_of_equal_prompts():
    pipe = tiny.sd()
    with guide(pipe, LEFT) as guidance:
        run(pipe, [LEFT] * 3, [0, 1, 2])
    assert guidance.trace[0].loss.shape == (3,)


def test_without_classifier_free_guidance_all_rows_are_conditional():
    pipe = tiny.sd()
    plain = run(pipe, LEFT, [0], guidance_scale=1.0)
    with guide(pipe, LEFT) as guidance:
        guided = run(pipe, LEFT, [0], guidance_scale=1.0)
    assert guidance.trace[0].loss.shape == (1,)
    assert not torch.equal(plain, guided)


def test_several_images_of_the_same_seeds_without_classifier_free_guidance_are_all_conditional():
    """The latents of both halves of the batch are equal then, as in a batch that was doubled."""
    pipe = tiny.sd()
    prompts = [LEFT, ABOVE, "a square to the left of a circle", "a circle above a star"]
    with guide(pipe, prompts) as guidance:
        run(pipe, prompts, [0, 1] * 4, num_images_per_prompt=2, guidance_scale=1.0, num_inference_steps=1)
    assert guidance.trace[0].loss.shape == (8,)


@pytest.mark.parametrize(
    ("seeds", "options", "rows"),
    [
        ([0, 0], {"num_images_per_prompt": 2, "guidance_scale": 1.0}, 2),
        ([0], {"negative_prompt": LEFT, "guidance_scale": 5.0}, 1),
    ],
)
def test_two_rows_that_are_equal_are_two_images_or_a_prompt_and_its_equal_negative_prompt(seeds, options, rows):
    """The denoiser gets the same in both cases; which it is, the number of prompts that were encoded tells."""
    pipe = tiny.sd()
    with guide(pipe, LEFT) as guidance:
        run(pipe, LEFT, seeds, num_inference_steps=1, **options)
    assert guidance.trace[0].loss.shape == (rows,)


def test_a_number_of_rows_that_does_not_fit_the_prompts_is_refused():
    pipe = tiny.sd()
    indices = [[[2], [8]]] * 2
    relations = [[("circle", "left of", "square")]] * 2
    with pytest.raises(ValueError, match="multiple of 2 rows.*got 3"), guide(pipe, [LEFT] * 2, relations=relations, token_indices=indices):
        run(pipe, [LEFT] * 3, [0, 1, 2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_guides_like_float32(dtype):
    """The first step's gradient has the direction that float32 gives, and has not underflown."""

    def first_gradient(pipe):
        with guide(pipe, LEFT, config=GuidanceConfig(stop=0.5)) as guidance:
            run(pipe, LEFT, [0], num_inference_steps=2)
        return guidance.trace[0].gradient_norm

    full, half = first_gradient(tiny.sd()), first_gradient(tiny.sd().to(dtype))
    assert torch.allclose(half, full, rtol=0.05)


def test_the_shift_is_the_same_noise_in_every_parametrisation():
    """An epsilon, a v and a sample model of the same network: each output moves by what its parametrisation makes of delta."""
    pipe = tiny.sd()
    shifts = {}
    for prediction in ("epsilon", "v_prediction", "sample"):
        pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, prediction_type=prediction)
        with guide(pipe, LEFT, config=GuidanceConfig(stop=0.4)) as guidance:
            run(pipe, LEFT, [0])
        shifts[prediction] = guidance.trace[0].shift
    signal = pipe.scheduler.alphas_cumprod[int(guidance.trace[0].timestep)]
    alpha, sigma = signal.sqrt(), (1 - signal).sqrt()
    assert torch.allclose(shifts["v_prediction"], shifts["epsilon"] / alpha, rtol=1e-4)
    assert torch.allclose(shifts["sample"], shifts["epsilon"] * sigma / alpha, rtol=1e-4)


def test_direct_update_adds_the_gradient_to_whatever_is_predicted():
    pipe = tiny.sd()
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, prediction_type="v_prediction")
    with guide(pipe, LEFT, config=GuidanceConfig(scale=7.0, update="direct")) as guidance:
        run(pipe, LEFT, [0])
    for step in guidance.trace:
        assert torch.allclose(step.shift, 7.0 * step.gradient_norm / (4 * 16 * 16) ** 0.5, rtol=1e-4)


def test_guidance_is_the_same_under_schedulers_that_scale_their_input():
    """The gradient is taken at the denoiser's input, so Euler, which samples the same curve as DDIM, is guided alike."""
    pipe = tiny.sd()
    config = GuidanceConfig(scale=3000.0)
    moved = {}
    for kind in (DDIMScheduler, EulerDiscreteScheduler):
        pipe.scheduler = kind.from_config(pipe.scheduler.config, timestep_spacing="trailing")
        noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
        call = {"num_inference_steps": 20, "output_type": "latent", "latents": noise}
        plain = pipe(LEFT, **call).images
        with guide(pipe, LEFT, config=config):
            moved[kind] = pipe(LEFT, **call).images - plain
    a, b = moved.values()
    assert torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0) > 0.9
    assert 0.7 < a.norm() / b.norm() < 1.4


@pytest.mark.parametrize("kind", [DDPMScheduler, HeunDiscreteScheduler, UniPCMultistepScheduler])
def test_each_call_of_the_denoiser_before_a_step_is_guided_once(kind):
    pipe = tiny.sd()
    pipe.scheduler = kind.from_config(pipe.scheduler.config)
    with guide(pipe, LEFT, config=PAPER) as guidance:
        out = run(pipe, LEFT, [0], num_inference_steps=4)
    assert len(guidance.trace) == len(pipe.scheduler.timesteps)
    assert all(step.guided for step in guidance.trace)
    assert torch.isfinite(out).all()


def test_only_the_chosen_part_of_the_steps_is_guided():
    pipe = tiny.sd()
    with guide(pipe, LEFT, config=GuidanceConfig(start=0.25, stop=0.5)) as guidance:
        run(pipe, LEFT, [0], num_inference_steps=8)
    assert [step.guided for step in guidance.trace] == [False] * 2 + [True] * 2 + [False] * 4


def test_inference_mode_is_left_for_the_moment_of_the_gradient():
    pipe = tiny.sd()
    with guide(pipe, LEFT):
        expected = run(pipe, LEFT, [0])
    with guide(pipe, LEFT), torch.inference_mode():
        assert torch.allclose(run(pipe, LEFT, [0]), expected, atol=1e-6)


def test_maps_are_kept_when_asked_for():
    pipe = tiny.sd()
    with guide(pipe, LEFT, keep_maps=True) as guidance:
        run(pipe, LEFT, [0])
    assert [tuple(m.shape) for m in guidance.trace[0].maps] == [(1, 2, 4, 4)] * 2 + [(1, 2, 8, 8)] * 2
    with guide(pipe, LEFT) as guidance:
        run(pipe, LEFT, [0])
    assert guidance.trace[0].maps == ()


def test_the_trace_of_an_image_has_its_own_objects_alone():
    """Prompts of a batch may have different numbers of them."""
    pipe, three = tiny.sd(), "a circle left of a square, a star above the square"
    with guide(pipe, [LEFT, three]) as guidance:
        run(pipe, [LEFT, three], [0, 1], num_inference_steps=1)
    (step,) = guidance.trace
    assert step.objects == (2, 3)
    assert step.centroid.shape == (2, 3, 2)
    assert [(len(found["centroid"]), len(found["variance"])) for found in map(step.to_dict, range(2))] == [(2, 2), (3, 3)]
    assert len(step.to_dict()["centroid"][0]) == 3
    with pytest.raises(ValueError, match="`trace` must have the objects circle, square, star, and has 2"):
        trace_plot(guidance.trace, parse_prompt(three), title="t", row=0)
