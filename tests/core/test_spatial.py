"""Gaps of every relation: values by hand, what holds in drawn pictures, mirrors, padding."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from infsplign.core import Scene, SceneRelation, gaps, holds, observe, relation, scene_arrays, spatial_loss, statistics
from infsplign.core.spatial import EQUATIONS
from infsplign.core.spellings import RELATIONS
from infsplign.core.statistics import EPSILON
from tests.core import relations_by_hand as by_hand
from tests.core.numeric import assert_close, to_numpy
from tests.core.strategies import maps

NAMES = [one.name for one in RELATIONS]


def alone(one):
    """A scene of three objects in one relation."""
    return Scene(("A", "B", "C"), (SceneRelation(0, one, *range(1, one.arity)),))


EVERY = [alone(one) for one in RELATIONS]


def measured(xp, a):
    """Gaps of all relations in one picture (3, H, W)."""
    a = np.broadcast_to(a, (len(EVERY), *a.shape)).copy()
    return to_numpy(gaps(observe(xp.asarray(a)), scene_arrays(EVERY, xp=xp)))[:, 0]


def bright(a):
    """Maps whose fourth power does not vanish."""
    return (a.max((-2, -1)) > 1e-2).all()


def discs(*objects, size=49):
    """Maps of even discs, each (x, y, radius)."""
    x, y = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size))
    return np.stack([((x - cx) ** 2 + (y - cy) ** 2 <= r**2) * 1.0 for cx, cy, r in objects])


@given(a=maps(1, 3))
@settings(max_examples=20)
def test_every_relation_has_the_gap_of_its_equation(xp, a):
    assume(bright(a))
    assert_close(measured(xp, a[0]), [by_hand.gap(name, a[0].tolist()) for name in NAMES])


def test_every_equation_is_some_relations_equation():
    assert {one.equation for one in RELATIONS} == set(EQUATIONS)


CENTRE = (0.5, 0.5, 0.1)
BY_SIZE = ("on top of", "inside", "larger than", "smaller than")
"""What is left of a background still adds to an extent, and more to a small object's: these are exact without one only."""
# what is asked, A, B (and C), whether it holds
DRAWN = [
    ("left of", [(0.4, 0.9, 0.1), (0.6, 0.1, 0.1)], True),
    ("upper left of", [(0.3, 0.3, 0.1), CENTRE], True),
    ("upper left of", [(0.3, 0.6, 0.1), CENTRE], False),
    ("lower right of", [(0.7, 0.6, 0.1), CENTRE], True),
    ("upper right of", [(0.7, 0.6, 0.1), CENTRE], False),
    ("near", [(0.3, 0.5, 0.1), CENTRE], True),
    ("near", [(0.45, 0.55, 0.1), CENTRE], False),  # merged
    ("near", [(0.1, 0.5, 0.1), (0.8, 0.5, 0.1)], False),  # at one height, but far
    ("near", [(0.1, 0.1, 0.1), CENTRE], False),  # close on neither axis
    ("near", [(0.2, 0.05, 0.1), CENTRE], True),  # close on one axis, as T2I-CompBench has it
    ("far from", [(0.1, 0.5, 0.1), (0.8, 0.5, 0.1)], True),
    ("far from", [(0.3, 0.3, 0.1), CENTRE], False),
    ("on top of", [(0.5, 0.3, 0.1), CENTRE], True),  # touching
    ("on top of", [(0.5, 0.7, 0.1), CENTRE], False),  # below
    ("on top of", [(0.5, 0.1, 0.1), (0.5, 0.8, 0.1)], False),  # in the air
    ("on top of", [(0.3, 0.3, 0.1), CENTRE], False),  # beside
    ("on top of", [(0.5, 0.47, 0.1), CENTRE], False),  # one thing
    ("inside", [(0.55, 0.5, 0.05), (0.5, 0.5, 0.3)], True),
    ("inside", [(0.5, 0.5, 0.3), (0.55, 0.5, 0.05)], False),
    ("inside", [(0.7, 0.5, 0.15), (0.5, 0.5, 0.3)], False),  # across the rim
    ("between", [CENTRE, (0.2, 0.2, 0.1), (0.8, 0.8, 0.1)], True),
    ("between", [(0.35, 0.3, 0.1), (0.8, 0.2, 0.1), (0.1, 0.4, 0.1)], True),
    ("between", [(0.2, 0.5, 0.1), CENTRE, (0.8, 0.5, 0.1)], False),  # beyond
    ("between", [(0.5, 0.9, 0.1), (0.2, 0.5, 0.1), (0.8, 0.5, 0.1)], False),  # off the segment
    ("between", [(0.2, 0.5, 0.1), (0.2, 0.5, 0.1), (0.8, 0.5, 0.1)], False),  # at an end
    ("larger than", [(0.3, 0.3, 0.2), (0.7, 0.7, 0.1)], True),
    ("smaller than", [(0.3, 0.3, 0.2), (0.7, 0.7, 0.1)], False),
    ("in the centre", [(0.55, 0.45, 0.1)], True),
    ("in the centre", [(0.75, 0.5, 0.1)], False),
    ("on the left side", [(0.2, 0.8, 0.1)], True),
    ("on the left side", [(0.45, 0.8, 0.1)], False),
    ("on the right side", [(0.8, 0.5, 0.1)], True),
    ("at the top", [(0.5, 0.2, 0.1)], True),
    ("at the bottom", [(0.5, 0.2, 0.1)], False),
    ("in the top left corner", [(0.2, 0.2, 0.1)], True),
    ("in the top left corner", [(0.2, 0.5, 0.1)], False),
    ("in the bottom right corner", [(0.8, 0.8, 0.1)], True),
]


@pytest.mark.parametrize(("name", "placed", "expected"), DRAWN, ids=str)
@pytest.mark.parametrize("background", [0.0, 0.3])
def test_drawn_discs_are_in_the_relation_or_not(name, placed, expected, background):
    """Also where an even background, 0.3 as bright as the discs, holds most of the mass and draws centroids to the middle."""
    a = discs(*placed, *[CENTRE] * (3 - len(placed))) + background
    found = holds(observe(a[None]), scene_arrays([alone(relation(name))], xp=np))
    if background == 0 or name not in BY_SIZE:
        assert found.tolist() == [[expected]]


@given(a=maps(1, 3))
@settings(max_examples=20)
def test_what_is_on_top_is_above_and_what_is_inside_is_smaller(a):
    assume(bright(a))
    found = dict(zip(NAMES, measured(np, a[0]), strict=True))
    sharp = dict(zip(NAMES, measured(np, a[0] ** 4), strict=True))
    assert found["inside"] <= found["smaller than"] + 1e-12
    assert found["on top of"] <= sharp["above"] + 1e-12
    assert found["near"] <= -found["far from"] + 1e-12
    for corner, parts in {"in the top left corner": ("at the top", "on the left side")}.items():
        assert found[corner] == min(found[part] for part in parts)


@given(a=maps(1, 3))
@settings(max_examples=20)
def test_mirrors_swap_sides(xp, a):
    assume(bright(a))
    found = dict(zip(NAMES, measured(xp, a[0]), strict=True))
    mirror = dict(zip(NAMES, measured(xp, np.flip(a[0], 2)), strict=True))
    upside_down = dict(zip(NAMES, measured(xp, np.flip(a[0], 1)), strict=True))
    for name in NAMES:
        assert_close(mirror[by_hand.mirrored(name)], found[name])
        if by_hand.flipped(name) is not None:
            assert_close(upside_down[by_hand.flipped(name)], found[name])


@given(a=maps(1, 3))
@settings(max_examples=20)
def test_inverse_relations_and_anchors_may_be_exchanged(a):
    assume(bright(a))
    found = dict(zip(NAMES, measured(np, a[0]), strict=True))
    exchanged = dict(zip(NAMES, measured(np, a[0][[1, 0, 2]]), strict=True))
    for one in RELATIONS:
        if one.inverse is not None:
            assert_close(exchanged[one.inverse], found[one.name])
    anchors = dict(zip(NAMES, measured(np, a[0][[0, 2, 1]]), strict=True))
    assert_close(anchors["between"], found["between"])


@given(a=maps(1, 3), slack=st.floats(-0.5, 0.5))
@settings(max_examples=20)
def test_a_relation_holds_from_its_gap_on_and_padding_always(xp, a, slack):
    rows = [Scene(("A", "B", "C"), tuple(alone(one).relations[0] for one in RELATIONS[:2])[:1]), Scene(("A",)), EVERY[8]]
    rows.append(Scene.of([("A", "left of", "B"), ("A", "above", "C"), ("B", "near", "C")]))
    arrays = scene_arrays(rows, xp=xp)
    objects = observe(xp.asarray(np.broadcast_to(a, (4, *a.shape[1:])).copy()))
    d = to_numpy(gaps(objects, arrays))
    padded = np.array([[False, True, True], [True] * 3, [False, True, True], [False] * 3])
    assert not d[padded].any()
    full = to_numpy(objects.mass) > EPSILON
    told = np.ones((4, 3), bool)
    for row, scene in enumerate(rows):
        for number, edge in enumerate(scene.relations):
            told[row, number] = all(full[row, place] for place in edge.objects)
    np.testing.assert_array_equal(to_numpy(holds(objects, arrays, slack=slack)), (d >= -slack) & told | padded)


@given(a=maps(1, 3))
@settings(max_examples=20)
def test_more_relations_do_not_mean_more_force(xp, a):
    """The loss of a scene is the mean of the losses of its relations, each with its own margin."""
    scene = Scene.of([("A", "near", "B"), ("A", "between", ("B", "C")), ("C", "at the top"), ("A", "upper left of", "C")])
    single = [Scene(scene.objects, (edge,)) for edge in scene.relations]
    a5 = np.broadcast_to(a, (5, *a.shape[1:])).copy()
    found = to_numpy(spatial_loss(observe(xp.asarray(a5)), scene_arrays([scene, *single], xp=xp)))
    assert_close(found[0], found[1:].mean())


@pytest.mark.parametrize("one", RELATIONS, ids=lambda r: r.name)
def test_the_loss_asks_for_the_relations_own_margin(one):
    objects = observe(discs((0.31, 0.42, 0.1), (0.62, 0.53, 0.15), (0.9, 0.2, 0.1))[None])
    arrays = scene_arrays([alone(one)], xp=np)
    expected = 2.0 * (0.3 * one.margin - gaps(objects, arrays)[0, 0])
    assert_close(spatial_loss(objects, arrays, alpha=2.0, margin=0.3, penalty=lambda x: x), [expected])


@pytest.mark.parametrize(("name", "sharpens", "sizes"), [("left of", 0, 0), ("upper right of", 0, 0), ("near", 1, 0), ("inside", 1, 1)])
def test_only_what_the_relations_need_is_computed(name, sharpens, sizes, monkeypatch):
    """Each small operation costs a GPU a launch for each layer and step."""
    calls = []
    for function in ("sharpened", "extent"):
        own = getattr(statistics, function)
        monkeypatch.setattr(statistics, function, lambda *args, own=own, function=function: calls.append(function) or own(*args))
    gaps(observe(discs(CENTRE, CENTRE, CENTRE)[None]), scene_arrays([alone(relation(name))], xp=np))
    assert (calls.count("sharpened"), calls.count("extent")) == (sharpens, sizes)
