"""What a call is, is read from what its denoiser, encoders and scheduler are called with: inputs that once failed, by their numbers."""

import copy
import warnings
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    DDIMScheduler,
    EulerDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    StableDiffusionPanoramaPipeline,
    StableDiffusionXLImg2ImgPipeline,
)
from PIL import Image

from infsplign import PAPER, NonFiniteGradientError, PromptError, UnsupportedPipelineError, describe, guide, parse_prompt
from infsplign.adapters import FAMILIES
from infsplign.core.losses import LossTerm
from tests import tiny

S, P = PAPER.with_(scale=3000.0), "a circle to the left of a square"
PICTURE = Image.new("RGB", (32, 32), (200, 30, 60))


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def parts(pipe):
    """Components of a pipeline, for older kinds that take no image encoder."""
    return {k: v for k, v in pipe.components.items() if k != "image_encoder"} | {"requires_safety_checker": False}


def run(pipe, prompt=P, **options):
    options = {"num_inference_steps": 3, "output_type": "latent", "generator": torch.Generator().manual_seed(0)} | options
    return pipe(prompt, **options).images


def guided(guidance):
    return [step.guided for step in guidance.trace]


def test_case_2_a_second_pipeline_of_the_same_parts_is_guided_by_its_own_steps():
    p = tiny.sd()
    i = quiet(AutoPipelineForImage2Image.from_pipe(p))
    with guide(p, P, config=S.with_(start=0.5)) as guidance:
        run(p, num_inference_steps=30)
        assert guided(guidance) == [False] * 15 + [True] * 15
        run(i, image=PICTURE, strength=0.5, num_inference_steps=30)
        assert guided(guidance) == [False] * 8 + [True] * 7


@pytest.mark.parametrize("first", [1.0, 7.5])
@pytest.mark.parametrize("second", [1.0, 7.5])
def test_case_2_each_call_has_its_own_classifier_free_guidance(first, second):
    p = tiny.sd()
    i = quiet(AutoPipelineForImage2Image.from_pipe(p))
    with guide(p, P, config=S) as guidance:
        run(p, guidance_scale=first)
        for pipe, options in ((i, {"image": PICTURE, "strength": 0.9, "num_inference_steps": 4}), (p, {})):
            run(pipe, guidance_scale=second, **options)
            assert guided(guidance) == [True] * 3
            assert guidance.trace[0].loss.shape == (1,)


def test_case_2_a_second_pipeline_may_have_a_scheduler_of_its_own():
    p = tiny.sd()
    i = quiet(AutoPipelineForImage2Image.from_pipe(p))
    i.scheduler = EulerDiscreteScheduler.from_config(p.scheduler.config)
    call = {"image": PICTURE, "strength": 0.5, "num_inference_steps": 8}
    plain = run(i, **call)
    with guide(i, P, config=S) as alone:
        expected = run(i, **call)
    with guide(p, P, config=S) as guidance:
        run(p)
        found = run(i, **call)
    assert guided(guidance) == guided(alone) == [True] * 4
    assert torch.equal(found, expected)
    assert not torch.equal(found, plain)
    assert not {"step", "set_timesteps"} & {*vars(p.scheduler), *vars(i.scheduler)}


@pytest.mark.parametrize("window", [(0.0, 0.5), (0.5, 1.0)])
def test_case_2_a_call_goes_on_after_another_pipeline_ran_in_its_callback(window):
    """As for a preview, with a scheduler of its own."""
    config, found = S.with_(start=window[0], stop=window[1]), []
    for preview in (False, True):
        p = tiny.sd()
        i = quiet(AutoPipelineForImage2Image.from_pipe(p))
        i.scheduler = DDIMScheduler.from_config(p.scheduler.config)

        def between(_pipe, step, _timestep, values, other=i if preview else None):
            if other is not None and step in (1, 3):
                run(other, image=PICTURE, strength=0.5, num_inference_steps=4)
            return values

        with guide(p, P, config=config) as guidance:
            images = run(p, num_inference_steps=6, callback_on_step_end=between)
        found.append((images, guided(guidance)))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1] == [window[0] == 0.0] * 3 + [window[0] == 0.5] * 3


def test_case_2_a_second_scheduler_that_cannot_be_guided_is_refused():
    from diffusers import EDMEulerScheduler

    p = tiny.sd()
    i = quiet(AutoPipelineForImage2Image.from_pipe(p))
    i.scheduler = EDMEulerScheduler()
    with pytest.raises(UnsupportedPipelineError, match="alphas_cumprod.*EDMEulerScheduler"), guide(p, P, config=S):
        run(i, image=PICTURE, strength=0.5)


def test_case_2_a_high_resolution_fix_is_guided_in_both_passes():
    p = tiny.sd()
    i = quiet(AutoPipelineForImage2Image.from_pipe(p))
    with guide(p, P, config=S) as guidance:
        small = p(P, num_inference_steps=3, output_type="pil", generator=torch.Generator().manual_seed(0)).images[0]
        assert guided(guidance) == [True] * 3
        run(i, image=small.resize((64, 64)), strength=0.5, num_inference_steps=6)
    assert guided(guidance) == [True] * 3
    assert guidance.trace[0].loss.shape == (1,)


def test_case_2_another_denoiser_on_a_shared_scheduler_is_left_alone():
    """A refiner: its denoiser is not guided, and its steps are not taken for the base's."""
    base, refiner = tiny.sd(), tiny.sd(seed=1)
    refiner.scheduler = base.scheduler
    plain = run(refiner)
    with guide(base, P, config=S) as guidance:
        run(base)
        assert torch.equal(run(refiner), plain)
    assert guided(guidance) == [True] * 3


def test_case_3_a_loop_that_never_steps_is_an_error_at_its_second_pass():
    p = tiny.sd()
    embeds, _ = p.encode_prompt(P, "cpu", 1, False)
    p.scheduler.set_timesteps(3)
    with pytest.raises(RuntimeError, match="called at timestep 334.*`step` of DDIMScheduler was not called after the guided pass at 667"):
        with guide(p, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=S), torch.no_grad():
            for t in p.scheduler.timesteps:
                p.unet(torch.randn(1, 4, 16, 16), t, encoder_hidden_states=embeds)


@pytest.mark.parametrize("order", ["before", "after", "between"])
@pytest.mark.parametrize("kind", [DDIMScheduler, EulerDiscreteScheduler])
def test_case_3_a_loop_with_a_scheduler_of_its_own_beside_guided_calls_is_an_error(kind, order):
    """Its timesteps are others than those of the pipeline's scheduler."""
    p, scheduler = tiny.sd(), kind(num_train_timesteps=1000)
    scheduler.set_timesteps(4)
    text = torch.cat(p.encode_prompt(P, "cpu", 1, True)[::-1])
    with pytest.raises(RuntimeError, match=r"was not called after the guided pass .* Call `pipe\.scheduler\.step` in your loop"):
        with guide(p, P, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=S), torch.no_grad():
            if order != "before":
                run(p)
            for t in scheduler.timesteps:
                p.unet(torch.zeros(2, 4, 16, 16), t, encoder_hidden_states=text)
            if order != "after":
                run(p)


@pytest.mark.parametrize("order", ["before", "after"])
def test_case_3_a_pass_beside_guided_calls_that_nothing_follows_is_told(order):
    p = tiny.sd()
    text = torch.cat(p.encode_prompt(P, "cpu", 1, True)[::-1])

    def sample():
        with guide(p, P, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=S), torch.no_grad():
            if order == "after":
                run(p)
            p.unet(torch.zeros(2, 4, 16, 16), 333, encoder_hidden_states=text)
            if order == "before":
                run(p)

    with pytest.warns(UserWarning, match="was not followed by `step` of the pipeline's .*: its step was not guided"):
        sample()


def test_case_3_a_single_pass_without_a_step_is_an_error_when_the_block_ends():
    p = tiny.sd()
    embeds, _ = p.encode_prompt(P, "cpu", 1, False)
    block = {"relations": [("circle", "left of", "square")], "token_indices": [[2], [8]], "config": S}
    with pytest.raises(
        RuntimeError, match="nothing was guided.*UNet2DConditionModel ran 1 times.*`step` of DDIMScheduler was never called"
    ):
        with guide(p, **block), torch.no_grad():
            p.unet(torch.randn(1, 4, 16, 16), 500, encoder_hidden_states=embeds)
    with pytest.raises(KeyError), guide(p, **block), torch.no_grad():  # an exception of the block is not hidden
        p.unet(torch.randn(1, 4, 16, 16), 500, encoder_hidden_states=embeds)
        raise KeyError
    with pytest.warns(UserWarning, match="was not run"), guide(p, **block):
        pass


def test_case_3_a_denoiser_that_is_replaced_inside_is_an_error_at_its_first_step():
    p, other = tiny.sd(), tiny.sd(seed=1)
    with pytest.raises(RuntimeError, match="`pipe.unet` was replaced inside the `guide` block"), guide(p, P, config=S):
        p.unet = other.unet
        run(p)


def test_case_3_a_window_between_two_steps_is_warned_of():
    p = tiny.sd()
    with pytest.warns(
        UserWarning, match="nothing was guided in the latest call: none of its 3 steps lies between `start` 0.4 and `stop` 0.5"
    ):
        with guide(p, P, config=S.with_(start=0.4, stop=0.5)):
            run(p)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with guide(p, P, config=S.with_(scale=0.0)):
            run(p)


def test_case_3_a_loop_by_hand_with_the_pipelines_own_scheduler_is_guided():
    p = tiny.sd()
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with guide(p, P, config=S) as guidance:
        expected = run(p, latents=noise)
        embeds, negative = p.encode_prompt(P, "cpu", 1, True)
        for _ in range(2):  # a loop may run again without new timesteps
            latents = noise
            with torch.no_grad():
                for t in p.scheduler.timesteps:
                    both = p.unet(torch.cat([latents] * 2), t, encoder_hidden_states=torch.cat([negative, embeds])).sample
                    uncond, cond = both.chunk(2)
                    latents = p.scheduler.step(uncond + 7.5 * (cond - uncond), t, latents).prev_sample
            assert guided(guidance) == [True] * 3
            assert torch.allclose(latents, expected, atol=1e-5)


def test_case_3_steps_of_other_latents_in_the_loop_are_not_shifted():
    """As of another model that the same scheduler steps, unguided."""
    p, other = tiny.sd(), tiny.sd(seed=1)

    @torch.no_grad()
    def sample():
        first, second = torch.randn(2, 1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
        p.scheduler.set_timesteps(3)
        text = torch.cat(p.encode_prompt(P, "cpu", 1, True)[::-1])
        for t in p.scheduler.timesteps:
            uncond, cond = p.unet(torch.cat([first] * 2), t, encoder_hidden_states=text).sample.chunk(2)
            first = p.scheduler.step(uncond + 7.5 * (cond - uncond), t, first).prev_sample
            second = p.scheduler.step(other.unet(second, t, encoder_hidden_states=text[1:]).sample, t, second).prev_sample
        return first, second

    plain = sample()
    with guide(p, P, config=S):
        found = sample()
    assert not torch.allclose(found[0], plain[0], atol=1e-2)
    assert torch.equal(found[1], plain[1])


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("look", ["before", "after"])
def test_case_3_a_loop_by_hand_may_make_a_step_twice_to_look_at_its_picture(look, other):
    """`pred_original_sample` of a step that is made only for it; the step that counts is shifted whether it comes first or second."""
    p = tiny.sd()

    @torch.no_grad()
    def sample(looks):
        latents, seen = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)), []
        p.scheduler.set_timesteps(3)
        text = torch.cat(p.encode_prompt(P, "cpu", 1, True)[::-1])
        for t in p.scheduler.timesteps:
            uncond, cond = p.unet(torch.cat([latents] * 2), t, encoder_hidden_states=text).sample.chunk(2)
            output = uncond + 7.5 * (cond - uncond)
            shown = cond if other else output
            if "before" in looks:
                seen.append(p.scheduler.step(shown, t, latents).pred_original_sample)
            stepped = p.scheduler.step(output, t, latents)
            if "after" in looks:
                seen.append(p.scheduler.step(shown, t, latents).pred_original_sample)
            seen, latents = seen or [stepped.pred_original_sample], stepped.prev_sample
        return latents, seen[0]

    plain, _ = sample("")
    with guide(p, P, config=S):
        expected, picture = sample("")
    with guide(p, P, config=S) as guidance:
        found, shown = sample(look)
    assert guided(guidance) == [True] * 3
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, plain, atol=1e-2)
    assert other or torch.allclose(shown, picture, atol=1e-4)
    assert torch.equal(sample(look)[0], plain)


@pytest.mark.parametrize(("own", "again", "told"), [([0, 1], False, 751), ([1], False, 501), ([2, 3], False, None), ([0, 1], True, None)])
def test_case_3_a_step_after_a_gradient_of_one_s_own_is_guided_or_refused(own, again, told):
    p = tiny.sd()
    p.scheduler.set_timesteps(4)
    text = torch.cat(p.encode_prompt(P, "cpu", 1, True)[::-1]).detach()

    def sample():
        latents = torch.randn(1, 4, 16, 16)
        for number, time in enumerate(p.scheduler.timesteps):
            leaf = latents.detach().requires_grad_(number in own)
            output = p.unet(torch.cat([leaf] * 2), time, encoder_hidden_states=text).sample
            with torch.no_grad():
                if again:
                    output = p.unet(torch.cat([leaf] * 2), time, encoder_hidden_states=text).sample
                latents = p.scheduler.step(output.chunk(2)[1], time, leaf).prev_sample

    with guide(p, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=S.with_(stop=0.5)) as guidance:
        if told is None:
            sample()
            assert guided(guidance)[:2] == [True, True]
        else:
            with pytest.raises(RuntimeError, match=f"the step at timestep {told} would not be guided.*`requires_grad`"):
                sample()


def test_case_4_repeats_take_the_timestep_that_the_denoiser_was_called_with():
    pipe = tiny.sdxl()
    seen = []
    config = S.with_(repeats=3, repeats_until=1.0, stop=0.5)
    with guide(pipe, P, config=config) as guidance:
        record = guidance.source.record

        def spied(sample, *args, **kwargs):
            seen.append(float(kwargs.get("timestep", args[0] if args else -1)))
            return record(sample, *args, **kwargs)

        guidance.source.record = spied
        run(pipe, denoising_end=0.5, num_inference_steps=10)
    steps = [step.timestep for step in guidance.trace]
    assert steps == [901, 801, 701, 601, 501]
    assert seen == [t for t in steps for _ in range(3)]
    assert guided(guidance) == [True] * 5  # half of the noise, whether or not the rest is denoised here
    assert guidance._calls.call.steps.timeline.of(0).sigma == pytest.approx(float((1 - pipe.scheduler.alphas_cumprod[901]) ** 0.5))


def test_case_4_a_refiner_of_the_same_parts_goes_on_where_the_base_ended():
    base = tiny.sdxl()
    refiner = quiet(StableDiffusionXLImg2ImgPipeline(**base.components))
    with guide(base, P, config=S) as guidance:
        half = run(base, denoising_end=0.5, num_inference_steps=10)
        run(refiner, image=half, denoising_start=0.5, num_inference_steps=10)
    assert [step.timestep for step in guidance.trace] == [401, 301, 201, 101, 1]
    assert guided(guidance) == [True] * 5


def test_case_23_pipelines_without_such_properties_and_before_their_first_call():
    p = tiny.sd()
    assert not hasattr(p, "_guidance_scale")
    embeds, negative = p.encode_prompt(P, "cpu", 1, True)
    with guide(p, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=S) as guidance, torch.no_grad():
        p.scheduler.set_timesteps(3)  # a loop of one's own, before the pipeline was ever called
        latents = torch.randn(1, 4, 16, 16)
        for t in p.scheduler.timesteps:
            noise = p.unet(torch.cat([latents] * 2), t, encoder_hidden_states=torch.cat([negative, embeds])).sample
            latents = p.scheduler.step(noise.chunk(2)[1], t, latents).prev_sample
    assert guided(guidance) == [True] * 3


def test_case_23_attend_and_excite_keeps_its_own_gradient():
    from diffusers import StableDiffusionAttendAndExcitePipeline

    p = tiny.sd()
    pipe = quiet(StableDiffusionAttendAndExcitePipeline(**parts(p)))
    assert not hasattr(pipe, "do_classifier_free_guidance")
    call = {"token_indices": [2, 8], "max_iter_to_alter": 2, "thresholds": {}, "attn_res": (8, 8)}
    plain = run(pipe, **call)
    with guide(pipe, P, config=S) as guidance:
        found = run(pipe, **call)
    assert guided(guidance) == [True] * 3
    assert not torch.equal(found, plain)


def panorama(*views):
    """Views as corners in the latents: top, bottom, left, right."""
    pipe = quiet(StableDiffusionPanoramaPipeline(**tiny.sd().components, requires_safety_checker=False))
    pipe.get_views = lambda *_, **__: list(views)
    return pipe


def test_case_24_a_panorama_of_one_view_is_guided_and_of_several_refused_with_the_reason():
    pipe = panorama((0, 16, 0, 16))
    with guide(pipe, P, config=S) as guidance:
        run(pipe, height=32, width=32)
    assert guided(guidance) == [True] * 3
    pipe = panorama((0, 16, 0, 16), (0, 16, 8, 24))
    with pytest.raises(UnsupportedPipelineError, match="several views of one picture"), guide(pipe, P, config=S):
        run(pipe, height=32, width=48)


def test_case_24_a_panorama_of_two_prompts_is_refused_for_its_rows():
    pipe = quiet(StableDiffusionPanoramaPipeline(**parts(tiny.sd())))
    prompts = [P, "a star above a square"]
    with pytest.raises(PromptError, match="PanoramaPipeline lays them out in another way; call it with one prompt at a time"):
        with guide(pipe, prompts):
            run(pipe, prompts, height=32, width=32)


def test_case_25_embeddings_made_inside_serve_every_call():
    p = tiny.sd()
    i = quiet(AutoPipelineForImage2Image.from_pipe(p))
    with guide(p, P, config=S) as guidance:
        embeds, negative = p.encode_prompt(P, "cpu", 1, True)
        call = {"prompt": None, "prompt_embeds": embeds}
        first = run(p, negative_prompt_embeds=negative, **call)
        assert torch.equal(run(p, negative_prompt_embeds=negative, **call), first)
        run(p, negative_prompt="a moon", **call)  # the pipeline encodes the negative prompt alone
        assert guided(guidance) == [True] * 3
        run(p, negative_prompt_embeds=negative, num_images_per_prompt=2, **call)
        assert guidance.trace[0].loss.shape == (2,)
        run(i, image=PICTURE, strength=0.9, guidance_scale=1.0, **call)
        assert guidance.token_indices == [((2,), (8,))]
        with pytest.raises(ValueError, match="token_indices.*outside the block"):
            run(p, prompt=None, prompt_embeds=torch.randn_like(embeds), negative_prompt_embeds=negative)


def test_case_25_a_negative_prompt_may_be_encoded_first():
    p = tiny.sd()
    with guide(p, P, config=S) as guidance:
        negative, _ = p.encode_prompt("a moon", "cpu", 1, False)
        embeds, _ = p.encode_prompt(P, "cpu", 1, False)
        run(p, prompt=None, prompt_embeds=embeds, negative_prompt_embeds=negative)
    assert guided(guidance) == [True] * 3
    with pytest.raises(PromptError, match="another prompt"), guide(p, P, config=S):  # and the negative one is not taken for the prompt
        negative, _ = p.encode_prompt("a moon", "cpu", 1, False)
        embeds, _ = p.encode_prompt(P, "cpu", 1, False)
        run(p, prompt=None, prompt_embeds=negative, negative_prompt_embeds=embeds)


def test_case_25_longer_embeddings_may_have_their_positions_named():
    p = tiny.sd()
    embeds = torch.randn(1, 154, 32, generator=torch.Generator().manual_seed(0))
    call = {"prompt": None, "prompt_embeds": embeds, "negative_prompt_embeds": torch.zeros_like(embeds)}
    long = "very " * 90 + P
    block = {"relations": [("circle", "left of", "square")], "token_indices": [[100], [106]], "config": S}
    with guide(p, long, **block) as guidance:
        run(p, **call)
    assert guided(guidance) == [True] * 3
    with pytest.raises(ValueError, match="< 77, got 100"), guide(p, long, **block):
        run(p, long)  # cut off by the tokenizer: known at the first step
    with pytest.raises(ValueError, match="< 77, got 100"):
        guide(p, P, token_indices=[[100], [106]])  # known at once, as the prompt is not so long


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (lambda o, s: o.mass.sum(-1) * float("nan"), "the loss term 'mine' is not finite at step 0"),
        (lambda o, s: (o.mass.sum(-1) - o.mass.sum(-1)).sqrt(), "gradient of the loss is not finite at step 0.*'mine'"),
    ],
)
def test_case_26_a_loss_of_one_s_own_that_is_not_finite_is_named(term, message):
    p, config = tiny.sd(), S.with_(terms=(LossTerm("mine", term),))
    with pytest.raises(NonFiniteGradientError, match=message) as error, guide(p, P, config=config):
        run(p)
    assert torch.isfinite(error.value.latents).all()


def test_case_26_zero_terminal_signal_is_named():
    p = tiny.sd()
    p.scheduler = DDIMScheduler.from_config(p.scheduler.config, rescale_betas_zero_snr=True, timestep_spacing="trailing")
    with pytest.raises(NonFiniteGradientError, match="latents are not finite at step 1.*rescale_betas_zero_snr"), guide(p, P, config=S):
        run(p)
    p.scheduler = DDIMScheduler.from_config(p.scheduler.config, prediction_type="v_prediction")
    with guide(p, P, config=S) as guidance:
        assert torch.isfinite(run(p)).all()
    assert guided(guidance) == [True] * 3


def test_case_27_options_of_other_kinds_are_refused_by_name():
    p = tiny.sd()
    for call in (lambda c: guide(p, P, config=c), lambda c: describe(p, c)):
        with pytest.raises(TypeError, match=r"`config` must be a GuidanceConfig or None, got dict.*GuidanceConfig\(scale=500\)"):
            call({"scale": 500})
    with pytest.raises(ValueError, match="`scale` must be a finite number >= 0, got 'x'"):
        S.with_(scale="x")


def test_case_27_denoisers_that_take_lists_are_refused_with_the_reason():
    """Z-Image gives its transformer a list of pictures."""

    class Listed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = tiny.sd().unet
            self.config = self.inner.config

        def forward(self, sample, timestep, encoder_hidden_states):
            return sample

    class Pipe:
        unet, scheduler = Listed(), DDIMScheduler()

    def layers(outer):
        return {level: tuple(f"inner.{name}" for name in names) for level, names in FAMILIES["sd"].layers(outer.inner).items()}

    family = replace(FAMILIES["sd"], name="mine", layers=layers)
    indices = {"relations": [("circle", "left of", "square")], "token_indices": [[2], [8]]}
    with pytest.raises(UnsupportedPipelineError, match="one tensor of latents, got a list: Listed takes the pictures of a batch as a list"):
        with guide(Pipe(), backbone=family, config=S, **indices):
            Pipe.unet([torch.randn(4, 16, 16)], 500, [torch.randn(3, 32)])


def test_windows_end_at_the_same_noise_under_every_scheduler():
    """Of an even spacing and of Karras', and of a shifted flow schedule: by the training time, not by the number of the step."""
    p = tiny.sd()
    ends = []
    for karras in (False, True):
        p.scheduler = EulerDiscreteScheduler.from_config(p.scheduler.config, use_karras_sigmas=karras, timestep_spacing="trailing")
        with guide(p, P, config=S.with_(stop=0.25)) as guidance:
            run(p, num_inference_steps=15)
        ends.append((sum(guided(guidance)), min(step.timestep for step in guidance.trace if step.guided)))
    assert [number for number, _ in ends] == [4, 6]
    assert all(749 < t < 810 for _, t in ends)


def test_case_24_several_timesteps_in_one_batch_are_refused_with_the_reason():
    """As ParaDiGMS does."""
    p = tiny.sd()
    embeds, _ = p.encode_prompt(P, "cpu", 1, False)
    p.scheduler.set_timesteps(4)
    with pytest.raises(UnsupportedPipelineError, match="several timesteps of one picture in one batch"), torch.no_grad():
        with guide(p, relations=[("circle", "left of", "square")], token_indices=[[2], [8]], config=S):
            p.unet(torch.randn(2, 4, 16, 16), p.scheduler.timesteps[:2], encoder_hidden_states=embeds.expand(2, -1, -1))


def test_a_denoiser_that_is_replaced_before_the_block_is_not_put_back():
    p, other = tiny.sd(), tiny.sd(seed=1)
    block = guide(p, P, config=S)
    p.unet = other.unet
    with pytest.raises(RuntimeError, match="`pipe.unet` was replaced after `guide` was called: call `guide` again"), block:
        pass
    assert p.unet is other.unet


def test_a_block_in_which_the_denoiser_did_not_run_is_warned_of():
    p, other = tiny.sd(), tiny.sd(seed=1)
    with pytest.warns(UserWarning, match="nothing was guided in the `guide` block: UNet2DConditionModel of `pipe` was not run"):
        with guide(p, P, config=S):
            run(other)


def test_timesteps_that_rise_here_and_there_are_of_one_call():
    """Ancestral KDPM2 under Karras' noise levels lists each timestep twice, the second time a rounding higher or lower."""
    p = tiny.sd()
    p.scheduler = KDPM2AncestralDiscreteScheduler.from_config(tiny.SD_SCHEDULE, use_karras_sigmas=True)
    with guide(p, P, config=S.with_(stop=0.5)) as guidance:
        run(p, num_inference_steps=5)
    times = p.scheduler.timesteps.tolist()
    assert any(b > a for a, b in pairwise(times))
    assert [step.timestep for step in guidance.trace] == times
    assert guided(guidance) == [True] * 3 + [False] * 6


def embeddings(pipe, text):
    ids = pipe.tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    return pipe.text_encoder(ids)[0].detach()


@pytest.mark.parametrize("batched", [True, False])
def test_a_loop_by_hand_whose_first_rows_are_of_the_negative_prompt_is_told_the_order(batched):
    """Not to pass `token_indices`: the attention of the negative prompt would then be guided without a word."""
    p, latents = tiny.sd(), torch.zeros(1, 4, 16, 16)
    p.scheduler.set_timesteps(3)
    with pytest.raises(PromptError, match="run the pass of the prompt first") as error, guide(p, P, config=S), torch.no_grad():
        prompt, negative = embeddings(p, P), embeddings(p, "blurry")
        rows = torch.cat((prompt, negative)) if batched else negative
        p.unet(latents.expand(len(rows), -1, -1, -1), p.scheduler.timesteps[0], encoder_hidden_states=rows)
    assert "blurry" in str(error.value)
    assert "token_indices" not in str(error.value)


@pytest.mark.parametrize(("prompt", "told"), [("a circle on the left side", True), (P, False)])
@pytest.mark.parametrize("crop", [None, 2])
def test_places_in_a_part_of_the_picture_are_told(prompt, told, crop):
    """`padding_mask_crop` samples what is around the mask as if it were the whole picture. Directions are the same there."""
    pipe = quiet(AutoPipelineForInpainting.from_pipe(tiny.sd()))
    mask = Image.new("L", (32, 32))
    mask.paste(255, (16, 16, 32, 32))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with guide(pipe, prompt, config=S):
            options = {"image": PICTURE, "mask_image": mask, "strength": 1.0, "height": 32, "width": 32, "output_type": "pil"}
            run(pipe, prompt=prompt, padding_mask_crop=crop, **options)
    assert any("sample a part of the picture" in str(warning.message) for warning in seen) is (told and crop is not None)


def test_a_loop_that_goes_back_to_noisier_steps_is_guided_where_these_are_in_the_sampling():
    """As loops with time travel do (RePaint, FreeDoM): no step beyond the window is guided, and the trace has them all."""
    p = tiny.sd()
    order = [0, 1, 2, 3, 4, 5, 6, 3, 4, 5, 6, 7, 8, 9]
    with guide(p, P, config=S.with_(stop=0.5)) as guidance, torch.no_grad():
        text = torch.cat(p.encode_prompt(P, "cpu", 1, True)[::-1])
        p.scheduler.set_timesteps(10)
        latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
        for t in p.scheduler.timesteps[order]:
            uncond, cond = p.unet(torch.cat([latents] * 2), t, encoder_hidden_states=text).sample.chunk(2)
            latents = p.scheduler.step(uncond + 7.5 * (cond - uncond), t, latents).prev_sample
    assert guided(guidance) == [number < 5 for number in order]


def test_tokens_that_are_other_ones_since_guide_was_called_are_told():
    p = tiny.sd()
    p.tokenizer = copy.deepcopy(p.tokenizer)
    found = guide(p, "a <toy> to the left of a square", relations=[("<toy>", "left of", "square")], config=S)
    p.load_textual_inversion(torch.randn(32), token="<toy>")
    with pytest.raises(PromptError, match="makes other tokens of the prompt than when `guide` was called"), found:
        run(p, "a <toy> to the left of a square")


def test_relations_are_entries_and_no_scene():
    with pytest.raises(TypeError, match="must be a list of entries such as .* got a `Scene`"):
        guide(tiny.sd(), P, relations=parse_prompt(P))


def test_token_indices_say_which_of_several_places_is_meant():
    prompt = "a circle above a star, and a circle left of a square"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = guide(tiny.sd(), prompt, relations=[("circle", "left of", "square")], token_indices=[[9], [13]], config=S)
    made.dismiss()
