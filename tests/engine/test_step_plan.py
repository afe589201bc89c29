"""Which steps and rows are guided: the planner against a small rewrite of its rule, row by row."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

from infsplign import GuidanceConfig, Scene
from infsplign.core.object_attention import observe_layers
from infsplign.core.scene_arrays import scene_arrays
from infsplign.engine.step_plan import StepPlanner, rows_mask, scene_holds

windows = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
small = st.integers(1, 4)


def walk(config, truth):
    """Plans and traces of a sampling in which row r holds at step s when `truth[s][r]`."""
    planner, plans = StepPlanner(config), []
    for step, holds in enumerate(truth):
        plan = planner.plan(step / len(truth))
        plans.append([plan.of_row(row) for row in range(len(holds))])
        if plan.action != "plain":
            planner.observe(torch.tensor(holds))
    return plans


def oracle(config, truth):
    """The rule for one row, written as it is told: `held` looks one after the other, then a look each `watch_every` guidable steps."""
    actions, held, waited = [], 0, 0
    inside = [step for step in range(len(truth)) if config.within(step / len(truth))]
    for step, holds in enumerate(truth):
        action = "plain"
        if step in inside[:: config.every]:
            if held >= config.patience:
                waited += 1
                action = "watched" if waited % config.watch_every == 0 else "plain"
            else:
                action = "guided"
        if action != "plain":
            held = held + 1 if holds else 0
            waited = waited if holds else 0
        actions.append(action)
    return actions


@settings(max_examples=150, deadline=None)
@given(
    truth=st.integers(1, 3).flatmap(lambda rows: st.lists(st.lists(st.booleans(), min_size=rows, max_size=rows), min_size=1, max_size=20)),
    patience=small,
    watch_every=small,
    every=small,
    window=windows,
)
def test_each_row_is_paced_as_if_it_were_alone(truth, patience, watch_every, every, window):
    config = GuidanceConfig(patience=patience, watch_every=watch_every, every=every, start=window[0], stop=window[1])
    plans = walk(config, truth)
    for row in range(len(truth[0])):
        mine = [step[row] for step in truth]
        assert [plan[row] for plan in plans] == oracle(config, mine)
        assert [plan[0] for plan in walk(config, [[holds] for holds in mine])] == oracle(config, mine)


def test_it_pauses_looks_and_resumes_a_step_after_the_look():
    config = GuidanceConfig(patience=2, watch_every=2)
    truth = [[holds] for holds in (False, True, True, True, True, False, False, False)]
    assert [plan[0] for plan in walk(config, truth)] == ["guided"] * 3 + ["plain", "watched", "plain", "watched", "guided"]


def test_the_row_that_needs_most_decides_what_is_run():
    planner = StepPlanner(GuidanceConfig(patience=1))
    assert planner.plan(0 / 9).rows is None
    planner.observe(torch.tensor([True, False]))
    plan = planner.plan(1 / 9)
    assert (plan.action, plan.rows, plan.shifted) == ("guided", ("watched", "guided"), (False, True))
    planner.observe(torch.tensor([True, True]))
    plan = planner.plan(2 / 9)
    assert (plan.action, plan.rows, plan.shifted) == ("watched", None, None)


@pytest.mark.parametrize("rows", [1, 3])
def test_other_rows_than_those_that_were_looked_at_are_guided(rows):
    planner = StepPlanner(GuidanceConfig(patience=1))
    planner.plan(0 / 9, 2)
    planner.observe(torch.tensor([True, False]))
    assert planner.plan(1 / 9, rows) == ("guided", None, False)
    planner.observe(torch.ones(rows, dtype=torch.bool))
    assert planner.plan(2 / 9, rows).action == "watched"


@given(window=windows, every=small, steps=st.integers(1, 60))
def test_each_kth_step_of_the_window_beginning_with_its_first(window, every, steps):
    config = GuidanceConfig(start=window[0], stop=window[1])
    inside = [step for step in range(steps) if config.within(step / steps)]
    planner = StepPlanner(config.with_(every=every, reuse=True))
    plans = [planner.plan(step / steps) for step in range(steps)]
    assert [step for step, plan in enumerate(plans) if plan.action == "guided"] == inside[::every]
    assert [step for step, plan in enumerate(plans) if plan.reuses] == [step for step in inside if step not in inside[::every]]


def recorded(scene, *layers):
    """Layers whose object maps are known."""
    return observe_layers([SimpleNamespace(level="coarse", object_maps=lambda _, maps=maps: maps) for maps in layers], None, scene)


SCENES = [
    Scene.of([("a", "left of", "b"), ("a", "above", "c")]),
    Scene.of([("a", "right of", "b")]),
    Scene(("a", "b")),
]


@settings(max_examples=40, deadline=None)
@given(centres=st.lists(st.integers(0, 4), min_size=18, max_size=18), slack=st.sampled_from([0.0, 0.2, 0.5]))
def test_a_scene_holds_when_all_its_relations_do(centres, slack):
    """Maps of a single lit cell on a 5 x 5 grid: each gap is a difference of cell numbers."""
    places = torch.tensor(centres).reshape(3, 3, 2)
    maps = torch.zeros(3, 3, 5, 5, dtype=torch.float64)
    for row in range(3):
        for o in range(3):
            maps[row, o, places[row, o, 1], places[row, o, 0]] = 1.0
    scene = scene_arrays(SCENES, xp=torch, dtype=torch.float64)

    (a, b, c), (d, e, _), _ = (places / 4).tolist()
    expected = [b[0] - a[0] >= slack and c[1] - a[1] >= slack, d[0] - e[0] >= slack, False]
    near = [min(abs(b[0] - a[0] - slack), abs(c[1] - a[1] - slack)) < 1e-9, abs(d[0] - e[0] - slack) < 1e-9, False]
    found = scene_holds(recorded(scene, maps, maps), slack=slack).tolist()
    assert all(f == x or close for f, x, close in zip(found, expected, near, strict=True))


@pytest.mark.parametrize(("slack", "expected"), [(0.0, True), (0.6, True), (0.65, False)])
def test_a_relation_with_less_room_has_less_to_hold_by(slack, expected):
    """A place asks for a third of the slack. The gap here is 1/3 - 1/8, so that it holds up to a slack of 0.625."""
    maps = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    maps[0, 0, 2, :2] = 1.0
    scene = scene_arrays([Scene.of([("a", "on the left side")])], xp=torch)
    assert scene_holds(recorded(scene, maps), slack=slack).tolist() == [expected]


@pytest.mark.parametrize("option", ["every", "watch_every", "patience", "repeats"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_counts_must_be_whole_numbers(option, value):
    with pytest.raises(ValueError, match=f"`{option}` must be .*whole number >= 1, got {value}"):
        GuidanceConfig(**{option: value})


def test_the_mask_of_the_rows_is_copied_without_waiting_for_the_device():
    seen = []

    class Copies(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.extend((args[1:], kwargs) for _ in range(func is torch.Tensor.to))
            return func(*args, **(kwargs or {}))

    with Copies():
        mask = rows_mask((True, False), torch.empty(2, 3, device="meta"))
    assert seen == [((torch.device("meta"),), {"non_blocking": True})]
    assert mask.device.type == "meta"
    assert rows_mask((True, False), torch.zeros(2)).tolist() == [True, False]
