"""What the planner promises, against what happens with real tensors."""

import pytest
import torch
from diffusers import HunyuanDiTPipeline, PixArtAlphaPipeline, PixArtSigmaPipeline, SanaPipeline, StableDiffusionPipeline

import infsplign
from infsplign import Guidance, GuidanceConfig, UnsupportedPipelineError, describe, plan_memory
from infsplign.adapters import FAMILIES
from infsplign.cost.binning import sampled_size
from infsplign.cost.counting import counted
from infsplign.cost.meta_inputs import Size, meta_call
from infsplign.cost.meta_model import SCENE
from infsplign.cost.planner import amount
from infsplign.engine.config import PLANS
from infsplign.engine.pytree import map_tensors
from infsplign.generation.memory import parse_memory
from infsplign.shipped import PRESETS, load
from tests import tiny, tiny_transformers

CONFIG = PRESETS["shapes"].config
PROMPT = "a circle to the left of a square"
MAKERS = {"sd": tiny.sd, "sdxl": tiny.sdxl} | tiny_transformers.MAKERS


def filled(x):
    return torch.ones(x.shape) if x.ndim <= 2 else torch.randn(x.shape)


@pytest.fixture(scope="module")
def shipped():
    pipe = load("shapes")
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("config", [CONFIG, CONFIG.with_(layers=None)], ids=["first block", "up blocks"])
@pytest.mark.parametrize("batch", [1, 4])
def test_the_plans_take_what_is_counted_with_real_tensors(shipped, batch, config):
    planned = plan_memory(shipped, batch=batch, config=config)
    assert (planned.height, planned.width, planned.dtype) == (96, 96, torch.float32)
    unet = shipped.unet
    sample, kwargs = map_tensors(filled, meta_call(unet, Size(batch, 24, 24, 77)))
    both, doubled = map_tensors(filled, meta_call(unet, Size(2 * batch, 24, 24, 77)))
    with counted() as unguided, torch.no_grad():
        unet(both, **doubled)
    assert unguided.peak == pytest.approx(planned.step, rel=0.1)
    for plan in planned.plans:
        engine = Guidance(unet, FAMILIES["sd"].source(unet, config.layers), SCENE, [[0], [1]], config.with_(plan=plan.name))
        kept = None
        with counted() as guided:
            if plan.name == "batched":
                engine.run(both, (), doubled, rows=slice(batch, 2 * batch))
            else:
                with torch.no_grad():
                    kept = unet(sample, **kwargs)
                engine(sample, **kwargs)
        # the guided step runs the halves one after the other, and may need less than the unguided one, which runs them together
        assert max(guided.peak, unguided.peak) == pytest.approx(planned.step + plan.extra, rel=0.1)
        del kept


def test_the_plan_that_fits_has_the_fewest_operations(shipped):
    planned = plan_memory(shipped, config=CONFIG.with_(layers=None), dtype=torch.float16, height=48, width=96)
    split, *_ = planned.plans
    checkpoint, batched = (next(plan for plan in planned.plans if plan.name == name) for name in ("checkpoint", "batched"))
    assert {plan.name for plan in planned.plans} == set(PLANS)
    assert split.name == "split"
    assert split.flops < checkpoint.flops < 1.75
    assert batched.extra > split.extra
    assert split.extra > 2 * checkpoint.extra >= 0
    assert planned.weights == 2 * sum(p.numel() for p in shipped.unet.parameters())
    assert planned.components > planned.weights
    assert planned.fitting(planned.need(split)) == (split, False)
    assert planned.fitting(planned.need(split) - 1) == (checkpoint, False)
    assert planned.fitting(planned.need(checkpoint) - 1) == (split, True)  # text encoder and autoencoder weigh more than the plans differ
    assert planned.fitting(planned.need(checkpoint, offloaded=True) - 1) is None
    assert planned.advice(1e9).startswith('`GuidanceConfig(plan="split")`, which takes ')
    assert "enable_model_cpu_offload" in planned.advice(planned.need(checkpoint) - 1)
    assert planned.advice(10).startswith("no plan fits 0.0 MB: at least ")
    with pytest.raises(TypeError, match=r"`memory` must be a number of bytes, such as 12e9, got '12GB'"):
        planned.advice("12GB")
    assert "48x96, batch 1, float16" in str(planned)


def test_twice_the_batch_takes_about_twice_the_memory(shipped):
    one, two = (plan_memory(shipped, batch=n).plans[0].extra for n in (2, 4))
    assert two == pytest.approx(2 * one, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"height": 30}, "multiples of 4"), ({"batch": 0}, "`batch` >= 1"), ({"height": 0}, "multiples"), ({"width": 13}, "multiples")],
)
def test_what_cannot_be_is_refused(shipped, options, message):
    with pytest.raises(ValueError, match=message):
        plan_memory(shipped, **options)


def test_each_gradient_of_a_step_is_counted(shipped):
    one, three = (plan_memory(shipped, config=CONFIG.with_(repeats=n)) for n in (1, 3))
    flops = [{plan.name: plan.flops for plan in planned.plans} for planned in (one, three)]
    assert flops[1]["batched"] == pytest.approx(3 * flops[0]["batched"], rel=1e-6)  # all of it is run again
    assert flops[1]["split"] - flops[0]["split"] == pytest.approx(2 * (flops[0]["split"] - 0.5), rel=1e-6)  # not the unconditional half


def test_without_classifier_free_guidance_there_are_no_unconditional_rows(shipped):
    both, one = plan_memory(shipped, config=CONFIG), plan_memory(shipped, config=CONFIG, call={"guidance_scale": 1.0})
    assert [plan.name for plan in one.plans] == ["split", "checkpoint"]
    assert one.step < both.step
    flops = [next(plan.flops for plan in planned.plans if plan.name == "split") for planned in (both, one)]
    assert flops[1] - 1 == pytest.approx(2 * (flops[0] - 1), rel=0.01)  # the same gradient, in steps of half the rows
    assert str(plan_memory(shipped, config=CONFIG, call={"guidance_scale": 7.5})) == str(both)


def test_the_text_is_as_long_as_in_the_call():
    pipe = load("shapes-sd3")
    call = PRESETS["shapes-sd3"].call
    short, whole = plan_memory(pipe, call=call), plan_memory(pipe)
    assert short.step < 0.8 * whole.step
    assert str(short) == str(plan_memory(pipe, text_length=describe(pipe, call=call).text_length))
    assert describe(pipe).text_length - describe(pipe, call=call).text_length == 256 - call["max_sequence_length"]


def test_a_pipeline_without_a_family_is_refused():
    with pytest.raises(UnsupportedPipelineError):
        plan_memory(object())


@pytest.mark.parametrize("name", MAKERS)
def test_the_arguments_on_the_meta_device_are_those_of_the_pipeline(name):
    pipe, seen = MAKERS[name](), []
    denoiser = getattr(pipe, FAMILIES[name].denoiser)

    class EnoughError(Exception):
        pass

    def stop(_module, args, kwargs):
        seen.append((args, kwargs))
        raise EnoughError

    denoiser.register_forward_pre_hook(stop, with_kwargs=True)
    call = {"height": 64, "width": 96} | tiny_transformers.CALLS.get(name, {})
    with pytest.raises(EnoughError):
        pipe(PROMPT, num_inference_steps=1, output_type="latent", **call)
    args, kwargs = seen[0]
    first = args[0] if args else kwargs.pop("hidden_states")
    factor = pipe.vae_scale_factor
    text = kwargs["encoder_hidden_states"].shape[1]
    sample, made = meta_call(denoiser, Size(len(first), 64 // factor, 96 // factor, text, first.dtype))
    assert sample.shape == first.shape
    for key, value in made.items():
        given = {"timestep": args[1]} | kwargs if len(args) > 1 else kwargs
        assert shapes(value) == shapes(given[key]), key


def shapes(value):
    """Of tensors and of those within; all else as it is."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        return {key: shapes(item) for key, item in value.items()}
    return [shapes(item) for item in value] if isinstance(value, list | tuple) else value


def test_the_weights_are_those_that_each_part_has():
    pipe = tiny.sd()
    pipe.unet.to(torch.float16)
    parts = {"unet": pipe.unet, "vae": pipe.vae, "text_encoder": pipe.text_encoder}
    present = {name: sum(p.numel() * p.element_size() for p in part.parameters()) for name, part in parts.items()}
    planned = plan_memory(pipe)
    assert (planned.weights, planned.components) == (present["unet"], sum(present.values()))
    assert planned.largest == max(present["vae"], present["text_encoder"])
    halves = plan_memory(pipe, dtype=torch.float16)
    assert halves.components == present["unet"] + (present["vae"] + present["text_encoder"]) // 2


def test_an_offloaded_text_encoder_must_fit_too():
    """T5 is larger than the denoisers of PixArt and Stable Diffusion 3."""
    pipe = tiny.sd()
    pipe.text_encoder = tiny.text_encoder(1024)
    planned = plan_memory(pipe)
    plan = planned.plans[0]
    assert planned.need(plan, offloaded=True) == planned.largest > planned.weights + planned.step + plan.extra
    assert planned.fitting(planned.largest - 1) is None


def test_the_own_size_may_be_no_square():
    planned = plan_memory(tiny.sd(sample_size=(16, 24)))
    assert (planned.height, planned.width) == (32, 48)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float16"}, "`dtype` must be a `torch.dtype`.*got 'float16'"),
        ({"dtype": torch.int8}, "`dtype` must be a `torch.dtype` of real numbers"),
        ({"height": "32"}, "`height` must be a whole number, got '32'"),
        ({"width": 32.0}, "`width` must be a whole number"),
        ({"batch": True}, "`batch` must be a whole number, got True"),
        ({"text_length": 2.5}, "`text_length` must be a whole number"),
    ],
)
def test_a_request_of_other_types_is_refused(shipped, options, message):
    with pytest.raises(TypeError, match=message):
        plan_memory(shipped, **options)
    with pytest.raises(ValueError, match="`text_length` must be >= 1, got 0"):
        plan_memory(shipped, text_length=0)


@pytest.mark.parametrize("name", MAKERS)
def test_every_family_can_be_planned(name):
    call = {"use_resolution_binning": False}
    planned = plan_memory(MAKERS[name](), config=GuidanceConfig(), height=64, text_length=16, call=call)
    plans = {plan.name: plan for plan in planned.plans}
    assert 1.0 < plans["split"].flops < plans["checkpoint"].flops < 4.5  # tiny ones are read in all their blocks
    if FAMILIES[name].text == "all":  # joint attention of a tiny size is one chunk under "checkpoint", which outweighs its blocks
        assert plans["split"].extra >= plans["checkpoint"].extra  # both 0 where the unguided half needs more


@pytest.mark.parametrize(
    ("text", "size"), [("12GB", 12e9), ("8 GiB", 2**33), ("800mb", 8e8), ("1.5", 1.5e9), ("2g", 2e9), ("64 MiB", 2**26)]
)
def test_amounts_are_read_as_people_write_them(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "1e3", "12GB free", "12 XB"])
def test_an_amount_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="`--memory` must be an amount such as 12GB"):
        parse_memory(text)


def test_amounts_are_written_for_people():
    assert [amount(x) for x in (1.25e9, 18.34e6, 0)] == ["1.25 GB", "18.3 MB", "0.0 MB"]
    assert infsplign.plan_memory is plan_memory


@pytest.mark.parametrize(
    ("kind", "side", "asked", "found"),
    [
        (PixArtAlphaPipeline, 512, (256, 256), (512, 512)),
        (PixArtSigmaPipeline, 1024, (512, 1024), (704, 1408)),
        (SanaPipeline, 4096, (1024, 1024), (4096, 4096)),
        (HunyuanDiTPipeline, 1024, (640, 640), (1024, 1024)),
        (HunyuanDiTPipeline, 1024, (768, 1024), (768, 1024)),
        (StableDiffusionPipeline, 512, (256, 256), (256, 256)),
    ],
)
def test_pipelines_that_sample_at_the_sizes_of_a_table(kind, side, asked, found):
    pipe = object.__new__(kind)
    assert sampled_size(pipe, *asked, side) == found
    assert sampled_size(pipe, *asked, side, {"use_resolution_binning": False}) == asked


def test_the_plan_is_that_of_the_sampled_size():
    """A model of 256 pixels samples at 256 when 128 are asked for."""
    pipe = tiny_transformers.pixart()
    pipe.vae_scale_factor = 8
    small, own = plan_memory(pipe, height=128), plan_memory(pipe)
    assert (small.height, small.width) == (own.height, own.width) == (256, 256)
    exact = plan_memory(pipe, height=128, call={"use_resolution_binning": False})
    assert (exact.height, exact.width) == (128, 128)
    assert exact.plans[0].extra < own.plans[0].extra
