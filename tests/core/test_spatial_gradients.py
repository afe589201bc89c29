"""Gradients of every relation: right, finite, padding has none, and downhill is the way the relation asks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.core import Scene, observe, relation, scene_arrays, spatial_loss
from infsplign.core.spatial import EQUATIONS, Geometry, gaps
from infsplign.core.spellings import RELATIONS
from tests.core.numeric import assert_close, assert_gradient, gradient
from tests.core.strategies import generic, seeds
from tests.core.test_spatial import EVERY, NAMES, alone

every_relation = pytest.mark.parametrize("one", RELATIONS, ids=lambda r: r.name)
ALL = scene_arrays(EVERY, xp=torch)


def loss(maps, rows=EVERY, **options):
    return spatial_loss(observe(maps), scene_arrays(rows, xp=torch), **options)


@every_relation
@given(seed=seeds)
@settings(max_examples=4)
def test_gradients_are_those_of_central_differences(one, seed):
    assert_gradient(lambda maps: loss(maps, [alone(one)], alpha=1.5, margin=1.0), torch.asarray(generic(seed, 3, 3, 4)))


@given(seed=seeds)
@settings(max_examples=10)
def test_a_step_down_the_gradient_widens_the_gap_of_every_relation(seed):
    """With a margin that no gap reaches, so that each penalty has its slope."""
    logits = torch.asarray(np.random.default_rng(seed).standard_normal((1, 3, 5, 6))).expand(len(EVERY), -1, -1, -1)
    slope = gradient(lambda x: loss(x.exp(), alpha=1.5, margin=3.0), logits)
    step = 1e-5 * slope / slope.abs().amax((1, 2, 3), keepdim=True)
    widened = gaps(observe((logits - step).exp()), ALL) - gaps(observe(logits.exp()), ALL)
    assert dict(zip(NAMES, (widened[:, 0] > 1e-8).tolist(), strict=True)) == dict.fromkeys(NAMES, True)


points = st.tuples(st.floats(0, 1), st.floats(0, 1))


def pulls(name, a, b, c=(0.5, 0.5), size_a=0.1, size_b=0.2):
    """Where a step up the gap moves the centroids of A, B, C and the extents of A, B, from anywhere."""
    one = relation(name)
    leaves = [torch.tensor([[x]], dtype=torch.float64, requires_grad=True) for x in (a, b, c, size_a, size_b)]
    direction = torch.tensor([[one.direction]], dtype=torch.float64)
    placed = Geometry((leaves[1] - leaves[0]) * direction, direction, *leaves)
    found = torch.autograd.grad(EQUATIONS[one.equation](placed).sum(), leaves, allow_unused=True)
    return [np.zeros(2) if g is None else g[0, 0].numpy() for g in found]


def apart(a, b):
    return np.abs(np.subtract(b, a)).max()


@given(a=points, b=points)
def test_near_draws_together_what_is_far_and_apart_what_is_merged(a, b):
    """The published code pushes apart whatever is asked to be near."""
    to_a, to_b, *_ = pulls("near", a, b)
    assert_close(to_a, -to_b)
    if apart(a, b) > 0.5:
        moved = np.add(a, 1e-6 * to_a), np.add(b, 1e-6 * to_b)
        assert np.abs(np.subtract(*moved)).sum() < np.abs(np.subtract(a, b)).sum()
    if 1e-5 < apart(a, b) < 0.1:
        assert apart(np.add(a, 1e-6 * to_a), np.add(b, 1e-6 * to_b)) > apart(a, b)


@given(a=points, b=points)
def test_far_draws_apart(a, b):
    to_a, to_b, *_ = pulls("far from", a, b)
    if apart(a, b) > 1e-5:
        assert apart(np.add(a, 1e-6 * to_a), np.add(b, 1e-6 * to_b)) > apart(a, b)


@given(a=points, b=points)
def test_inside_draws_to_the_middle_of_the_other_and_shrinks(a, b):
    to_a, to_b, _, grow_a, grow_b = pulls("inside", a, b)
    distance = np.linalg.norm(np.subtract(b, a))
    if distance > 1e-5:
        assert_close(to_a, np.subtract(b, a) / distance)
        assert_close(to_b, -to_a)
    assert (grow_a, grow_b) == (-1, 1)


@given(a=points, b=points, size=st.floats(0.05, 0.3))
def test_on_top_lifts_what_is_too_low_and_lowers_what_floats(a, b, size):
    to_a, to_b, *_ = pulls("on top of", a, b, size_a=size, size_b=size)
    assert_close(to_a, -to_b)
    down, across = b[1] - a[1], abs(b[0] - a[0])
    if down < size / 2 and across < size:
        assert tuple(to_a) == (0, -1)  # upwards, y is down
    if down > 3 * size and across < size:
        assert tuple(to_a) == (0, 1)
    if across > size and size < down < 2 * size:
        assert tuple(to_a) == (np.sign(b[0] - a[0]), 0)


@given(a=points, b=points, c=points)
def test_between_draws_to_the_middle_and_the_anchors_apart(a, b, c):
    to_a, to_b, to_c, *_ = pulls("between", a, b, c)
    towards, segment = (np.add(b, c) / 2 - a, np.subtract(c, b))
    if np.linalg.norm(towards) > 1e-5:
        assert_close(to_a, towards / np.linalg.norm(towards))
    if np.linalg.norm(segment) > 1e-5:
        assert (to_c - to_b) @ segment > 0


@pytest.mark.parametrize("name", [one.name for one in RELATIONS if one.arity == 1])
@given(a=points)
@settings(max_examples=20)
def test_places_draw_towards_themselves(name, a):
    place = np.array(relation(name).direction)
    to_a = pulls(name, a, (0, 0))[0]
    if place.any():
        assert to_a @ -place > 0  # the direction is that of the middle
    elif apart(a, (0.5, 0.5)) > 1e-5:
        assert to_a @ np.subtract(0.5, a) > 0


def test_sizes_grow_and_shrink():
    for name, sign in (("larger than", 1), ("smaller than", -1)):
        *centroids, grow_a, grow_b = pulls(name, (0.3, 0.4), (0.6, 0.5))
        assert (grow_a, grow_b) == (sign, -sign)
        assert not np.any(centroids)


@pytest.mark.parametrize("fill", [0.0, 1.0, 1e-320, 1e-30])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 3)], ids=str)
@pytest.mark.parametrize("cell", [None, 1.0])
def test_gradients_are_finite_on_empty_even_and_single_cell_maps(fill, shape, cell):
    maps = torch.full((len(EVERY), 3, *shape), fill, dtype=torch.float64)
    if cell is not None:
        maps[:, 0, 0, 0] = cell
    assert torch.isfinite(loss(maps)).all()
    assert torch.isfinite(gradient(loss, maps)).all()


@given(seed=seeds)
@settings(max_examples=5)
def test_padding_has_no_gradient_and_rows_do_not_mix(seed):
    rows = [*EVERY, Scene(tuple("abcde")), Scene.of([("a", "near", "b"), ("c", "inside", "d"), ("e", "in the centre")])]
    maps = torch.asarray(generic(seed, len(rows), 5, 3, 4))
    found = gradient(lambda x: loss(x, rows), maps)
    assert not found[: len(EVERY), 3:].any()
    assert not found[len(EVERY)].any()
    for row in (0, 8, len(rows) - 1):
        count = len(rows[row].objects)
        assert_close(found[row, :count], gradient(lambda x, row=row: loss(x, [rows[row]]), maps[row : row + 1, :count])[0])


@given(seed=seeds)
@settings(max_examples=5)
def test_sharpened_maps_leave_relations_of_direction_as_published(seed):
    """An equation that some row asks for is computed for every row, and must add nothing to a row that does not ask for it."""
    maps = torch.asarray(generic(seed, 2, 2, 4, 5))
    scenes = [Scene.of([("A", "left of", "B")]), Scene.of([("A", "inside", "B")])]
    found = gradient(lambda x: loss(x, scenes, penalty=lambda gap: gap), maps)
    plain = gradient(lambda x: 0.75 * (observe(x).centroid[:, 0, 0] - observe(x).centroid[:, 1, 0]), maps[:1])
    assert_close(found[:1], plain)
