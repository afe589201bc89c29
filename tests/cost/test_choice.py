"""The plan that "auto" takes: the rule on numbers, and on pipelines."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infsplign import GuidanceConfig, describe, guide
from infsplign.adapters import FAMILIES
from infsplign.cost.choice import ROOM, STARTING, Pass, PlanChoice, by_arithmetic, by_memory, choose_plan, free_memory
from infsplign.engine.rows import Rows
from infsplign.pipelines import call
from tests import tiny, tiny_transformers

PROMPT = "a circle to the left of a square"
AUTO = GuidanceConfig(plan="auto", scale=5000.0)
COUNTED = json.loads((Path(__file__).parents[2] / "docs/measured/cost.json").read_text("utf-8"))["counted"]
MAKERS = {"sd": tiny.sd} | {name: tiny_transformers.MAKERS[name] for name in ("pixart", "sd3", "flux")}
ORDER = ["batched", "split", "checkpoint"]


@given(st.floats(1, 1e15), st.integers(1, 10**5), st.sampled_from(["cpu", "cuda", "mps"]))
def test_both_halves_go_together_where_operators_are_small(flops, operators, device):
    wanted = "batched" if flops < STARTING.get(device, 0) * operators else "split"
    assert by_arithmetic(flops, operators, device, others=True).plan == wanted
    assert by_arithmetic(flops, operators, device, others=False).plan == "split"


@pytest.mark.parametrize("name", COUNTED)
def test_real_models_go_in_halves(name):
    """On a CPU; where both halves are rows of one pass."""
    plain = COUNTED[name]["unguided"]
    assert by_arithmetic(plain["tflop"] * 1e12, plain["operators"], "cpu", others=True).plan == "split"


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
    assert [choice.plan for choice in found] == [plain, plain, "checkpoint"]
    assert "does not fit" in found[-1].why


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
    assert [choice.plan for choice in found] == ["batched"] * 3
    assert found[0] == found[2]


def test_free_memory_is_a_part_of_what_there_is():
    assert 0 < free_memory(torch.device("cpu")) < 1e15
    assert free_memory(torch.device("meta")) is None


def test_describe_tells_how_a_plan_is_chosen():
    assert "30 million on cpu" in str(describe(tiny.sd(), AUTO))
    assert describe(tiny.sd(), AUTO.with_(plan="checkpoint")).plan == "checkpoint"
