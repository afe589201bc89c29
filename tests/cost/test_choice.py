"""The plan that "auto" takes: the rule on numbers, and on pipelines."""

import json
from pathlib import Path

import pytest
import torch
from diffusers.hooks import apply_group_offloading
from hypothesis import given
from hypothesis import strategies as st

from infsplign import GuidanceConfig, describe, guide
from infsplign.adapters import FAMILIES, backbone_for
from infsplign.cost import choice
from infsplign.cost.choice import ROOM, STARTING, Pass, PlanChoice, by_arithmetic, by_memory, choose_plan, free_memory
from infsplign.cost.meta_inputs import Size, meta_call
from infsplign.cost.meta_model import meta_copy
from infsplign.cost.planner import guided_step
from infsplign.engine.config import PAPER, PAPER_CLI, PAPER_SDXL, PUBLISHED, PUBLISHED_SDXL, RECOMMENDED
from infsplign.engine.rows import Rows
from infsplign.pipelines import call
from infsplign.shipped import PRESETS, load
from tests import tiny, tiny_transformers

PROMPT = "a circle to the left of a square"
AUTO = GuidanceConfig(plan="auto", scale=5000.0)
COUNTED = json.loads((Path(__file__).parents[2] / "docs/measured/cost.json").read_text("utf-8"))["counted"]
MAKERS = {"sd": tiny.sd} | {name: tiny_transformers.MAKERS[name] for name in ("pixart", "sd3", "flux")}
ORDER = ["batched", "split", "checkpoint"]


@given(st.floats(1, 1e15), st.integers(1, 10**5), st.sampled_from(["cpu", "cuda", "mps"]))
def test_both_halves_go_together_where_the_other_gradient_is_cheaper_than_the_calls(gradient, operators, device):
    found = by_arithmetic(gradient, operators, device)
    assert found.plan == ("batched" if gradient < STARTING.get(device, 0) * operators else "split")
    assert device in found.why
    assert by_arithmetic(0.0, operators, device).plan == "split"


@given(st.floats(1, 1e12), st.floats(1, 100), st.integers(1, 10**4), st.integers(1, 100), st.sampled_from(list(STARTING)))
def test_more_arithmetic_never_turns_to_one_call_and_more_operators_never_to_two(gradient, times, operators, more, device):
    plan = by_arithmetic(gradient, operators, device).plan
    if plan == "split":
        assert by_arithmetic(gradient * times, operators, device).plan == "split"
    else:
        assert by_arithmetic(gradient, operators + more, device).plan == "batched"


@pytest.mark.parametrize("name", [name for name, ways in COUNTED.items() if "batched" in ways])
def test_real_models_go_in_halves(name):
    """On a CPU; the gradient of the other half is what one call for both costs beyond two."""
    unguided, split, batched = (COUNTED[name][way] for way in ("unguided", "split", "batched"))
    gradient = (batched["executed"] - split["executed"]) * unguided["tflop"] * 1e12
    assert by_arithmetic(gradient, unguided["operators"], "cpu").plan == "split"


@pytest.mark.parametrize(("name", "plan"), [("shapes", "batched"), ("shapes-pixart", "split"), ("pictures", "split")])
def test_shipped_models_have_the_plan_that_was_measured_to_be_the_faster(name, plan):
    """`python -m benchmarks.steps auto`; on the MMDiT both take as long."""
    pipe = load(name)
    preset, text = PRESETS[name], "a red circle to the left of a blue square" if name != "pictures" else "a cat to the left of a dog"
    with guide(pipe, text, config=preset.config) as guidance:
        pipe(text, num_inference_steps=1, output_type="latent", guidance_scale=preset.guidance_scale, **preset.call)
    assert guidance.plan.plan == guidance.trace[0].plan == plan


@pytest.mark.parametrize("name", ["sd", "pixart", "sd3"])
def test_the_estimate_of_the_gradient_is_near_its_count(name):
    """A gradient costs about what the pass up to the last tapped layer did; that of attention, more."""
    pipe = MAKERS[name]()
    backbone = backbone_for(pipe)
    denoiser, size = getattr(pipe, backbone.denoiser), Size(2, 16, 16, 32)
    sample, kwargs = meta_call(denoiser, size)
    layers = [layer for names in backbone.layers(denoiser).values() for layer in names]
    model = meta_copy(denoiser, torch.float32)
    counts = choice._unguided(model, layers, sample, (), kwargs)
    split, batched = (guided_step(model, backbone, size._replace(rows=1), AUTO.with_(plan=plan), True) for plan in ("split", "batched"))
    assert 0 < counts.tapped <= counts.flops
    assert 0.5 < counts.tapped / 2 / (batched.flops - split.flops) < 1.2


@pytest.mark.parametrize("name", COUNTED)
def test_what_is_taken_without_counting_fits(name):
    ways = COUNTED[name]
    assert all(ways[plan]["peak"] <= room * ways["unguided"]["peak"] for plan, room in ROOM.items() if plan in ways)


@given(st.sampled_from(["batched", "split"]), st.tuples(*[st.floats(1, 1e3)] * 2), st.floats(1, 1e3))
def test_the_first_plan_that_fits_is_taken(wanted, needs, free):
    sizes = dict(zip(ORDER, needs, strict=False))
    found = by_memory(PlanChoice(wanted, ""), sizes.__getitem__, free).plan
    fitting = [plan for plan in ORDER[ORDER.index(wanted) : 2] if sizes[plan] <= 0.9 * free]
    assert found == (fitting[0] if fitting else "checkpoint")


@pytest.mark.parametrize("name", MAKERS)
def test_less_memory_asks_for_plans_that_need_less(name, monkeypatch):
    pipe, found = MAKERS[name](), []
    for free in (None, 1e12, 1.0):
        monkeypatch.setattr(call, "free_memory", lambda _device, free=free: free)
        with guide(pipe, PROMPT, config=AUTO) as guidance:
            size = {"use_resolution_binning": False} if name == "pixart" else {}
            pipe(PROMPT, num_inference_steps=2, output_type="latent", height=tiny_transformers.SIDE, width=tiny_transformers.SIDE, **size)
        assert guidance.trace[0].plan == guidance.plan.plan
        assert guidance.trace[0].to_dict()["plan"] == guidance.plan.plan
        found.append(guidance.plan)
    plain = "split" if name == "flux" else "batched"
    assert [one.plan for one in found] == [plain, plain, "checkpoint"]
    assert "does not fit" in found[-1].why


def test_little_memory_does_not_run_blocks_again_whose_weights_change_in_between(monkeypatch):
    pipe = tiny.sd()
    apply_group_offloading(pipe.unet, onload_device=torch.device("cpu"), offload_device=torch.device("cpu"), offload_type="leaf_level")
    monkeypatch.setattr(call, "free_memory", lambda _device: 1.0)
    with guide(pipe, PROMPT, config=AUTO) as guidance:
        pipe(PROMPT, num_inference_steps=1, output_type="latent")
    assert guidance.plan.plan == "split"
    assert guidance.plan.why == '"split" does not fit in 0.00 GB, but group offloading does not allow to run blocks again'


def test_the_image_is_that_of_the_plan_that_was_chosen():
    images = {}
    for plan in ("auto", "batched"):
        pipe = tiny.sd()
        with guide(pipe, PROMPT, config=AUTO.with_(plan=plan)) as guidance:
            images[plan] = pipe(PROMPT, num_inference_steps=2, output_type="latent", generator=torch.Generator().manual_seed(0)).images
    assert guidance.plan is None
    assert torch.equal(images["auto"], images["batched"])


def test_a_denoiser_that_cannot_be_counted_is_guided_in_halves():
    made = Pass(torch.zeros(2, 4, 8, 8), (), {}, Rows(slice(1, 2)))
    found = choose_plan(torch.nn.Linear(2, 2), FAMILIES["sd"], AUTO, made, free=None)
    assert found.plan == "split"
    assert "could not be counted" in found.why


def test_a_denoiser_whose_type_changes_is_counted_again():
    pipe, found = tiny.sd(), []
    for dtype in (torch.float32, torch.bfloat16, torch.float32):
        pipe.to(dtype)
        with guide(pipe, PROMPT, config=AUTO) as guidance:
            pipe(PROMPT, num_inference_steps=1, output_type="latent")
        found.append(guidance.plan)
    assert [one.plan for one in found] == ["batched"] * 3
    assert found[0] == found[2]


def test_free_memory_is_a_part_of_what_there_is():
    assert 0 < free_memory(torch.device("cpu")) < 1e15
    assert free_memory(torch.device("meta")) is None


def test_the_default_chooses_and_what_is_published_does_not():
    assert GuidanceConfig().plan == RECOMMENDED.plan == "auto"
    assert {config.plan for config in (PAPER, PAPER_SDXL, PAPER_CLI, PUBLISHED, PUBLISHED_SDXL)} == {"split"}


def test_describe_tells_how_a_plan_is_chosen():
    assert "0.8 million on cpu" in str(describe(tiny.sd(), AUTO))
    assert describe(tiny.sd(), AUTO.with_(plan="checkpoint")).plan == "checkpoint"
