"""Guidance that adapts, end to end: on the shipped model where its attention matters, on a tiny one where only the mechanics do."""

import pytest
import torch
from diffusers import DDIMScheduler, UniPCMultistepScheduler
from torch.utils._python_dispatch import TorchDispatchMode

from infsplign import PAPER, NonFiniteGradientError, Steps, guide
from infsplign.core.losses import LossTerm, presence_loss
from infsplign.engine.guidance import Guidance
from infsplign.engine.passes import Passes
from infsplign.engine.weight_schedules import linear_decay
from infsplign.shipped import load
from tests import tiny

LEFT, RIGHT = "a heart to the left of a diamond", "a heart to the right of a diamond"
TINY = "a circle to the left of a square"
STEPS = 6


@pytest.fixture(scope="module")
def pipe():
    pipe = load("shapes")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def call(pipe, prompt, seeds=(0,), steps=STEPS, **options):
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return pipe(prompt, num_inference_steps=steps, guidance_scale=5.0, generator=generators, output_type="latent", **options).images


def guided(pipe, prompt, config, **options):
    with guide(pipe, prompt, config=config) as guidance:
        latents = call(pipe, prompt, **options)
    return latents, guidance


def predicting(kind):
    """A tiny pipeline whose model predicts `kind`."""
    pipe = tiny.sd()
    if kind == "flow_prediction":
        pipe.scheduler = UniPCMultistepScheduler(prediction_type=kind, use_flow_sigmas=True)
    else:
        pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, prediction_type=kind)
    return pipe


def test_passes_are_counted_by_kind():
    pipe = tiny.sd()
    expected = {
        PAPER.with_(scale=0.0): Passes(plain=12),
        PAPER: Passes(plain=6, guided=6),
        PAPER.with_(stop=0.5): Passes(plain=9, guided=3),
        PAPER.with_(every=2): Passes(plain=9, guided=3),
        PAPER.with_(repeats=3, repeats_until=0.3): Passes(plain=6, guided=10),
    }
    for config, passes in expected.items():
        _, guidance = guided(pipe, TINY, config)
        assert guidance.passes == guidance.needed == passes
        assert guidance.passes.total == sum((passes.plain, passes.guided))


def test_each_second_step_is_guided():
    _, guidance = guided(tiny.sd(), TINY, PAPER.with_(every=2, start=0.2))
    assert [step.guided for step in guidance.trace] == [False, False, True, False, True, False]


def test_the_last_gradient_is_used_again_between():
    """The steps between are shifted by the same gradient, weighed for the step they are; nothing more is run."""
    latents, guidance = guided(tiny.sd(), TINY, PAPER.with_(scale=2000.0, every=3, stop=0.7, reuse=True, schedule=linear_decay))
    trace = guidance.trace
    assert [step.guided for step in trace] == [True, False, False, True, False, False]
    assert [step.reused for step in trace] == [False, True, True, False, True, False]
    for first, *between in (trace[:3], trace[3:5]):
        for step in between:
            assert torch.allclose(step.shift, first.shift * step.weight / first.weight, rtol=1e-4)
    assert guidance.passes == Passes(plain=10, guided=2)
    without, _ = guided(tiny.sd(), TINY, PAPER.with_(scale=2000.0, every=3, stop=0.7, schedule=linear_decay))
    assert not torch.allclose(latents, without, atol=1e-4)


def test_a_paused_row_is_not_shifted_by_an_old_gradient(pipe):
    config = PAPER.with_(scale=500.0, patience=1, every=2, reuse=True)
    for prompt in (LEFT, RIGHT):
        trace = guided(pipe, prompt, config)[1].trace
        for before, step in zip(trace[::2], trace[1::2], strict=True):
            assert step.reused == before.guided
            assert (step.shift is None) == before.watched


def test_a_scene_that_holds_pauses_and_only_looks(pipe):
    """Guided by either of two opposite relations, one of which holds from the start."""
    looks = {}
    for prompt in (LEFT, RIGHT):
        latents, guidance = guided(pipe, prompt, PAPER.with_(scale=500.0, patience=1))
        trace = guidance.trace
        looks[prompt] = [bool(step.holds) for step in trace]
        assert [step.watched for step in trace] == [False, *looks[prompt][:-1]]
        assert all(step.guided != step.watched for step in trace)
        assert all((step.gradient_norm is None) == step.watched and step.loss.shape == (1,) for step in trace)
        watched = sum(step.watched for step in trace)
        assert guidance.passes == Passes(plain=STEPS, guided=STEPS - watched, watched=watched)
        assert torch.isfinite(latents).all()
    assert looks[LEFT][0] != looks[RIGHT][0]
    assert any(any(found) for found in looks.values())


def test_a_watched_step_is_the_unguided_one_and_sees_what_a_guided_one_sees(pipe):
    prompt = next(p for p in (LEFT, RIGHT) if guided(pipe, p, PAPER.with_(patience=1), steps=1)[1].trace[0].holds)
    config = PAPER.with_(scale=1e-9, patience=1)  # moves nothing
    plain = call(pipe, prompt)
    latents, watched = guided(pipe, prompt, config)
    _, seen = guided(pipe, prompt, config.with_(patience=None))
    assert torch.allclose(latents, plain, atol=1e-4)
    assert any(step.watched for step in watched.trace)
    for a, b in zip(watched.trace, seen.trace, strict=True):
        assert torch.allclose(a.loss, b.loss, rtol=1e-3)
        assert torch.allclose(a.centroid, b.centroid, atol=1e-3)


def test_rows_pause_by_themselves(pipe):
    """Each image of a batch is what it is alone, though one pauses where another does not; what it needs is counted so."""
    config = PAPER.with_(scale=500.0, patience=2, watch_every=2, max_shift=0.3)
    prompts, seeds = [LEFT, RIGHT], (3, 4)
    together, guidance = guided(pipe, prompts, config, seeds=seeds)
    assert any(step.actions is not None for step in guidance.trace)
    needed = Passes()
    for row, prompt in enumerate(prompts):
        alone, single = guided(pipe, prompt, config, seeds=seeds[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=2e-3)
        needed.add(single.passes)
    assert guidance.needed == needed
    for step in guidance.trace:
        if step.guided and step.actions:
            assert [shift > 0 for shift in step.shift.tolist()] == [action == "guided" for action in step.actions]


def test_the_shift_is_bounded_in_deviations_of_the_noise(pipe):
    sizes = {}
    for name, config in {
        "free": PAPER.with_(scale=3000.0),
        "bounded": PAPER.with_(scale=3000.0, max_shift=0.02),
        "wide": PAPER.with_(scale=3000.0, max_shift=50.0),
        "normalised": PAPER.with_(scale=0.05, normalise=True),
        "decayed": PAPER.with_(scale=0.05, normalise=True, schedule=lambda progress: 0.5),
    }.items():
        _, guidance = guided(pipe, LEFT, config, steps=1)
        sizes[name] = guidance.trace[0].shift.item()
        bounded = guidance.trace[0].bounded.item()
        assert bounded == pytest.approx(0.02 / sizes["free"] if name == "bounded" else 1.0, rel=1e-4)
    assert sizes["free"] > 0.02
    assert sizes["bounded"] == pytest.approx(0.02, rel=1e-4)
    assert sizes["wide"] == pytest.approx(sizes["free"], rel=1e-4)
    assert sizes["normalised"] == pytest.approx(0.05, rel=1e-4)
    assert sizes["decayed"] == pytest.approx(0.025, rel=1e-4)


def test_the_weight_over_time_reaches_the_shift():
    _, guidance = guided(tiny.sd(), TINY, PAPER.with_(stop=0.5, schedule=linear_decay))
    assert [step.weight for step in guidance.trace] == pytest.approx([1.0, 2 / 3, 1 / 3, 1.0, 1.0, 1.0])
    for step in guidance.trace[:3]:
        assert torch.allclose(step.shift, PAPER.scale * step.weight * step.gradient_norm / (4 * 16 * 16) ** 0.5, rtol=1e-4)


def test_repeats_are_gradient_descent_on_the_loss(pipe):
    config = PAPER.with_(scale=500.0, repeats=3, repeats_until=0.5, max_shift=0.3)
    _, guidance = guided(pipe, RIGHT, config)
    for step in guidance.trace[:3]:
        losses = [step.loss.item(), *(loss.item() for loss in step.repeated)]
        assert losses == sorted(losses, reverse=True)
    assert [len(step.repeated) for step in guidance.trace] == [2] * 3 + [0] * 3


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow_prediction"])
def test_repeats_by_their_equation(kind):
    """`G_2 = G_1 + grad L(x - sigma eta G_1)`, computed with the engine alone."""
    pipe = predicting(kind)
    config = PAPER.with_(scale=3000.0, repeats=2, repeats_until=1.0)
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    calls = []
    with guide(pipe, TINY, config=config) as guidance:
        with _Spied(guidance.source, calls):
            call(pipe, TINY, steps=2, latents=noise)
    engine = Guidance(pipe.unet, guidance.source, guidance.scenes, guidance.token_indices, config)
    embeds, _ = pipe.encode_prompt(TINY, "cpu", 1, True)
    timestep = pipe.scheduler.timesteps[0]
    flow = kind == "flow_prediction"
    sigma = pipe.scheduler.sigmas[0] if flow else (1 - pipe.scheduler.alphas_cumprod[timestep.long()]).sqrt()
    first = engine(calls[0], timestep, encoder_hidden_states=embeds)
    moved = calls[0] - sigma * config.scale * first.gradient
    assert torch.allclose(calls[1], moved, atol=1e-5)
    second = engine(moved, timestep, encoder_hidden_states=embeds)
    assert torch.allclose(guidance.trace[0].gradient_norm, (first.gradient + second.gradient).norm(), rtol=1e-3)
    assert torch.allclose(guidance.trace[0].repeated[0], second.report.total, rtol=1e-4)


class _Spied:
    """Takes down the samples whose attention is recorded."""

    def __init__(self, source, samples):
        self.source, self.samples, self.record = source, samples, source.record

    def __enter__(self):
        def record(sample, *args, **kwargs):
            self.samples.append(sample.detach().clone())
            return self.record(sample, *args, **kwargs)

        self.source.record = record

    def __exit__(self, *_):
        del self.source.record


def test_terms_of_one_s_own_are_traced_and_act():
    pipe = tiny.sd()
    term = LossTerm("tight", presence_loss, 2.0, ("middle",))
    _, with_it = guided(pipe, TINY, PAPER.with_(terms=(term,)))
    _, without = guided(pipe, TINY, PAPER)
    assert set(with_it.trace[0].terms) == {"spatial", "presence", "balance", "tight"}
    layers = len(with_it.source.layers)
    weighed = 2.0 * with_it.trace[0].terms["tight"] * 2 / layers  # two of the layers are middle ones
    assert torch.allclose(with_it.trace[0].loss, without.trace[0].loss + weighed, rtol=1e-5)


class _Asked(TorchDispatchMode):
    """Counts what makes the host wait for a device: values of tensors that Python asks for."""

    WAITING = ("aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal", "aten::nonzero", "aten::item")

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func._schema.name in self.WAITING
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample", "flow_prediction"])
@pytest.mark.parametrize("options", [{}, {"patience": 1, "max_shift": 0.1, "normalise": True, "repeats": 2}], ids=["plain", "adaptive"])
def test_nothing_in_a_step_waits_for_the_device(kind, options):
    """Guided steps ask for as many values as unguided ones: one more step costs the same in both."""
    pipe = predicting(kind)

    def asked(steps, scale):
        with guide(pipe, TINY, config=PAPER.with_(scale=scale, **options)), _Asked() as mode:
            call(pipe, TINY, steps=steps)
        return mode.count

    assert asked(3, 10.0) - asked(2, 10.0) == asked(3, 0.0) - asked(2, 0.0)


def test_a_loop_of_one_s_own_goes_as_the_pipeline_does(pipe):
    """The example of docs/adaptive.md: planned, watched and shifted by hand, under inference mode."""
    config = PAPER.with_(scale=500.0, patience=1, max_shift=0.1, schedule=linear_decay)
    prompt = next(p for p in (LEFT, RIGHT) if guided(pipe, p, config, steps=1)[1].trace[0].holds)
    expected, piped = guided(pipe, prompt, config)
    assert {step.watched for step in piped.trace} == {True, False}
    guidance = Guidance(pipe.unet, piped.source, piped.scenes, piped.token_indices, config)
    embeds, negative = pipe.encode_prompt(prompt, "cpu", 1, True)
    pipe.scheduler.set_timesteps(STEPS)
    generator, steps = torch.Generator().manual_seed(0), Steps(guidance, pipe.scheduler.timesteps)
    latents = torch.randn(expected.shape, generator=generator) * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        with torch.inference_mode():
            output = steps(latents, t, encoder_hidden_states=embeds)
            uncond = pipe.unet(latents, t, encoder_hidden_states=negative).sample
            noise_pred = steps.shifted(uncond + 5.0 * (output.sample - uncond))
            latents = pipe.scheduler.step(noise_pred, t, latents, generator=generator).prev_sample
    assert [step.watched for step in steps.trace] == [step.watched for step in piped.trace]
    assert torch.allclose(latents, expected, atol=1e-3)


def test_a_call_that_ends_early_is_checked_when_the_block_is_left():
    pipe = tiny.sd()

    def stop(pipe, step, _timestep, tensors):
        pipe._interrupt = True
        return tensors

    pipe.unet.conv_out.weight.data.fill_(float("nan"))
    with pytest.raises(NonFiniteGradientError, match="step 0"), guide(pipe, TINY, config=PAPER):
        call(pipe, TINY, callback_on_step_end=stop)
    with pytest.raises(KeyError), guide(pipe, TINY, config=PAPER):  # what was raised inside is not hidden
        call(pipe, TINY, callback_on_step_end=stop)
        raise KeyError


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_of_the_shipped_model_survive_half_precision(pipe, dtype):
    """Their norm at the first step is that of float32, to what each type can tell."""

    def norm(pipe):
        return guided(pipe, LEFT, PAPER, steps=1)[1].trace[0].gradient_norm

    noise = {torch.float16: 0.01, torch.bfloat16: 0.1}
    assert torch.allclose(norm(load("shapes", dtype=dtype)), norm(pipe), rtol=noise[dtype])


@pytest.mark.parametrize("kind", [tiny.sd, tiny.sdxl])
def test_a_loss_with_nothing_to_ask_shifts_nothing_when_normalised(kind):
    """Its gradient is exactly 0 through the fused attention as well, and no rounding error of it is enlarged."""
    asks_nothing = LossTerm("satisfied", lambda objects, _scene: (objects.centroid[..., 1] - 2.0).relu().sum(-1))
    with pytest.warns(UserWarning, match="loss and its gradient are exactly zero"):
        latents, guidance = guided(
            kind(), TINY, PAPER.with_(spatial=0.0, presence=0.0, balance=0.0, terms=(asks_nothing,), normalise=True, scale=0.1), steps=2
        )
    assert [float(step.shift) for step in guidance.trace] == [0.0, 0.0]
    assert torch.allclose(latents, call(kind(), TINY, steps=2), atol=1e-4)
