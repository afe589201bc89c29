"""The record of a step: as numbers of all images and of one, and what a shift adds to it."""

import json
from dataclasses import replace

import pytest
import torch

from infsplign.engine.shift import Shift
from infsplign.engine.trace import StepTrace, row_norm

TWO = torch.tensor([1.0, 2.0])
WHOLE = {
    "step": 3,
    "timestep": 500.0,
    "guided": True,
    "loss": [1.0, 2.0],
    "terms": {"spatial": [1.0, 2.0]},
    "centroid": [[[0.0, 1.0]], [[0.5, 0.5]]],
    "variance": [[0.0], [0.25]],
    "gradient_norm": [1.0, 2.0],
    "shift": [1.0, 2.0],
    "watched": False,
    "reused": False,
    "bounded": [1.0, 2.0],
    "weight": 0.5,
    "repeated": [[1.0, 2.0], [1.0, 2.0]],
    "holds": [True, False],
    "actions": ["guided", "plain"],
    "plan": "split",
}


def trace():
    tensors = {name: torch.tensor(WHOLE[name]) for name in ("centroid", "variance", "holds")}
    tensors |= dict.fromkeys(("gradient_norm", "shift", "bounded"), TWO) | {"loss": TWO.clone().requires_grad_()}
    options = {"repeated": (TWO, TWO), "actions": ("guided", "plain"), "plan": "split", "maps": (torch.zeros(2, 1, 4, 4),), "weight": 0.5}
    return StepTrace(3, 500.0, guided=True, terms={"spatial": TWO}, **tensors, **options)


def test_a_step_is_numbers_and_lists_without_its_maps():
    assert trace().to_dict() == WHOLE
    assert json.loads(json.dumps(trace().to_dict())) == WHOLE


def test_one_image_has_its_part_of_every_value():
    each = [trace().to_dict(row) for row in range(2)]
    assert each[1] == WHOLE | {
        "loss": 2.0, "terms": {"spatial": 2.0}, "centroid": [[0.5, 0.5]], "variance": [0.25], "gradient_norm": 2.0, "shift": 2.0,
        "bounded": 2.0, "repeated": [2.0, 2.0], "holds": False, "actions": "plain", "guided": False,
    }  # fmt: skip
    assert (each[0]["loss"], each[0]["actions"], each[0]["holds"], each[0]["guided"]) == (1.0, "guided", True, True)


def test_an_image_that_is_only_watched_says_so_where_others_are_guided():
    found = replace(trace(), actions=("watched", "guided"))
    assert [(one["guided"], one["watched"]) for one in map(found.to_dict, range(2))] == [(False, True), (True, False)]


def test_an_image_that_paused_does_not_reuse_a_gradient():
    found = replace(trace(), guided=False, reused=True, actions=None, shift=torch.tensor([0.5, 0.0]))
    assert [one["reused"] for one in map(found.to_dict, (None, 0, 1))] == [True, True, False]


@pytest.mark.parametrize("row", [None, 0])
def test_a_plain_step_has_nothing_to_tell(row):
    found = StepTrace(0, 900.0, guided=False).to_dict(row)
    told = {"step": 0, "timestep": 900.0, "guided": False, "watched": False, "reused": False, "weight": 1.0, "repeated": []}
    assert {name: value for name, value in found.items() if value is not None} == told
    assert found.keys() == WHOLE.keys()


@pytest.mark.parametrize("reused", [False, True])
def test_a_shift_makes_a_watched_step_a_guided_or_reused_one(reused):
    output = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    step = StepTrace(0, 900.0, guided=False, watched=True).with_shift(
        Shift(output, output, TWO), reused=reused, weight=0.25, gradient_norm=None if reused else 2 * TWO
    )
    assert (step.guided, step.reused, step.watched, step.weight) == (not reused, reused, False, 0.25)
    assert step.shift.tolist() == pytest.approx([12.5**0.5, 0.5**0.5])
    assert step.bounded is TWO
    assert (None if reused else [2.0, 4.0]) == (None if step.gradient_norm is None else step.gradient_norm.tolist())


@pytest.mark.parametrize("shape", [(2, 4), (2, 2, 2), (2, 1, 2, 2)])
def test_norms_are_taken_row_by_row_and_in_single_precision(shape):
    x = torch.tensor([[300.0, 400.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]).reshape(shape)
    for dtype in (torch.float16, torch.float32):  # the square of 300 is no half number
        assert row_norm(x.to(dtype)).tolist() == [500.0, 2.0]
        assert row_norm(x.to(dtype), mean=True).tolist() == [250.0, 1.0]
