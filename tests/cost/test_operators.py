"""How many operators a step spends after the maps: on a GPU each is a launch, and launches, not arithmetic, are what they cost."""

from types import SimpleNamespace

import pytest
import torch

from infsplign import Scene
from infsplign.core.object_attention import observe_layers
from infsplign.core.scene_arrays import scene_arrays
from infsplign.cost.counting import counted
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.step_plan import scene_holds

DIRECTIONS = Scene.of([("a", "left of", "b"), ("b", "above", "c")])
PLACES = Scene.of([("a", "near", "b"), ("c", "inside", "b")])


def launches(scene, *levels, grids=((4, 4),)):
    """Of loss, gradient and pause, for layers of these levels, each on the next of the grids."""
    scene = scene_arrays([scene], xp=torch, dtype=torch.float32)
    leaves = [torch.rand(1, 3, *grids[i % len(grids)], requires_grad=True) for i in range(len(levels))]
    layers = [SimpleNamespace(level=level, object_maps=lambda _, x=x: x) for level, x in zip(levels, leaves, strict=True)]
    with counted() as meter:
        observed = observe_layers(layers, None, scene)
        with torch.no_grad():
            scene_holds(observed, slack=0.1)
        torch.autograd.grad(GuidanceConfig().compound().of(observed).total.sum(), leaves)
    return meter.operators


def test_one_layer_takes_few():
    """165 with torch 2.13; every equation of every relation, as it was once, took more than four times as many."""
    assert launches(DIRECTIONS, "coarse") <= 165


def test_layers_of_a_kind_add_hardly_any():
    """A concatenation, its gradient, and sums over layers."""
    assert launches(DIRECTIONS, *["coarse"] * 8) <= launches(DIRECTIONS, *["coarse"] * 2) + 6


@pytest.mark.parametrize("grids", [((4, 4),), ((4, 4), (2, 2))])
def test_kinds_of_layers_count_once_each(grids):
    """Two levels, on one grid or two."""
    two, eight = (launches(DIRECTIONS, *["coarse", "middle"] * n, grids=grids) for n in (1, 4))
    assert two <= 2.2 * launches(DIRECTIONS, "coarse")
    assert eight <= two + 20


def test_what_no_relation_asks_for_is_not_computed():
    """Directions read the maps as they are; sharpened maps and extents are for others."""
    assert launches(DIRECTIONS, "coarse") < 0.7 * launches(PLACES, "coarse")
