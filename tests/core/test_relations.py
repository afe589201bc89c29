"""Spellings, scenes, contradictions, and scenes as arrays."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.core import ABOVE, BELOW, LEFT_OF, RIGHT_OF, Scene, SceneRelation, relation, scene_arrays
from infsplign.core.relations import SPELLINGS
from tests.core.numeric import assert_close, to_numpy
from tests.core.strategies import RELATIONS, relations, scenes

edges = st.builds(SceneRelation, st.integers(0, 3), relations, st.integers(0, 3)).filter(lambda edge: edge.first != edge.second)


def can_be_drawn(objects, wanted):
    """Tries every order of the objects along each axis."""

    def holds(axis, order):
        return all(order[e.second] * e.relation.direction[axis] > order[e.first] * e.relation.direction[axis]
                   for e in wanted if e.relation.direction[axis])  # fmt: skip

    return all(any(holds(axis, order) for order in permutations(range(objects))) for axis in (0, 1))


@given(st.sampled_from(sorted(SPELLINGS)), st.sampled_from([str.upper, str.title, str.lower]), st.sampled_from([" ", "  ", "\t", " \n"]))
def test_case_and_blanks_of_a_spelling_do_not_matter(spelling, case, blank):
    assert relation(blank + case(spelling).replace(" ", blank) + blank) is SPELLINGS[spelling]


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [("to the left of", LEFT_OF), ("on the right of", RIGHT_OF), ("on the top of", ABOVE), ("on the bottom of", BELOW), ("under", BELOW)],
)
def test_spellings_of_the_benchmarks_mean_what_they_say(spelling, expected):
    assert relation(spelling) is expected


@pytest.mark.parametrize("one", RELATIONS)
def test_inverse_is_the_opposite_direction_on_the_same_axis(one):
    inverse = relation(one.inverse)
    assert inverse.inverse == one.name
    assert inverse.axis == one.axis == [abs(part) for part in one.direction].index(1)
    assert [a + b for a, b in zip(one.direction, inverse.direction, strict=True)] == [0, 0]
    assert relation(one) is one


@pytest.mark.parametrize("unknown", ["near", "next to", "", "lef of", "left of of"])
def test_unknown_relations_are_refused_with_the_known_ones(unknown):
    with pytest.raises(ValueError, match=f"`relation` is unknown: got '{unknown}', expected one of above, at the"):
        relation(unknown)


@given(scenes())
def test_what_was_read_off_positions_never_contradicts_itself(scene):
    spelled = [(scene.objects[e.first], e.relation.name, scene.objects[e.second]) for e in scene.relations]
    if spelled:
        built = Scene.of(spelled)
        assert [(built.objects[e.first], e.relation.name, built.objects[e.second]) for e in built.relations] == spelled


@given(st.lists(edges, max_size=7))
def test_a_scene_raises_exactly_when_no_order_of_its_objects_fits(wanted):
    objects = ("a", "b", "c", "d")
    if can_be_drawn(4, wanted):
        assert Scene(objects, tuple(wanted)).relations == tuple(wanted)
    else:
        with pytest.raises(ValueError, match='`relations` contradict each other: "'):
            Scene(objects, tuple(wanted))


@pytest.mark.parametrize(
    "triples",
    [
        [("a", "left of", "b"), ("b", "left of", "a")],
        [("a", "left of", "b"), ("a", "right of", "b")],
        [("a", "above", "b"), ("b", "over", "a")],
        [("a", "under", "b"), ("b", "beneath", "a")],
        [("a", "above", "b"), ("a", "below", "b")],
        [("a", "left of", "b"), ("b", "left of", "c"), ("c", "left of", "a")],
        [("a", "left of", "b"), ("c", "right of", "b"), ("a", "right of", "c")],
        [("a", "above", "b"), ("c", "under", "b"), ("c", "on top of", "a")],
    ],
)
def test_a_cycle_is_named_by_all_its_edges(triples):
    with pytest.raises(ValueError, match="`relations` contradict each other: ") as error:
        Scene.of(triples)
    for first, spelling, second in triples:
        assert f'"{first} {relation(spelling).name} {second}"' in str(error.value)


def test_only_the_edges_of_the_cycle_are_named():
    with pytest.raises(ValueError) as error:
        Scene.of([("x", "left of", "a"), ("a", "left of", "b"), ("a", "above", "b"), ("b", "left of", "a"), ("b", "left of", "y")])
    assert str(error.value) == '`relations` contradict each other: "a left of b", "b left of a"'


def test_orders_on_different_axes_do_not_contradict():
    scene = Scene.of([("a", "left of", "b"), ("b", "above", "a"), ("b", "to the right of", "a")])
    assert scene.objects == ("a", "b")
    assert [(e.first, e.relation, e.second) for e in scene.relations] == [(0, LEFT_OF, 1), (1, ABOVE, 0), (1, RIGHT_OF, 0)]


def test_equal_phrases_are_one_object_whatever_their_blanks():
    assert Scene.of([("a  cat", "left of", "a dog"), (" a dog ", "above", "a cat")]).objects == ("a cat", "a dog")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Scene(()), "`objects` must name at least one object, got none"),
        (lambda: Scene.of([]), "`objects` must name at least one object, got none"),
        (lambda: Scene(("a", "b"), (SceneRelation(0, ABOVE, 2),)), "`relations` must refer to objects 0 to 1, got 0 and 2"),
        (lambda: Scene(("a", "b"), (SceneRelation(-1, ABOVE, 1),)), "`relations` must refer to objects 0 to 1, got -1 and 1"),
        (lambda: Scene.of([("a", "above", "a")]), '`relations` must join two different objects, got "a above a"'),
        (lambda: Scene.of(["abc"]), """`relations` must be triples such as ("cat", "left of", "dog"), got 'abc'"""),
        (lambda: Scene.of([("a", "b")]), """`relations` must be triples such as ("cat", "left of", "dog"), got ('a', 'b')"""),
        (lambda: Scene.of([("a", "above", " ")]), "`relations` must name two objects, got ('a', 'above', ' ')"),
        (lambda: Scene.of([("", "above", "b")]), "`relations` must name two objects, got ('', 'above', 'b')"),
        (lambda: scene_arrays([], xp=np), "`scenes` must hold at least one scene, got none"),
    ],
)
def test_errors_name_the_argument_and_the_value(build, message):
    with pytest.raises(ValueError) as error:
        build()
    assert str(error.value) == message


@given(rows=st.lists(scenes(), min_size=1, max_size=4))
def test_arrays_hold_each_scene_and_zeros_elsewhere(xp, rows):
    arrays = scene_arrays(rows, xp=xp)
    difference, direction, weight, present = (to_numpy(array) for array in arrays)
    most, wide = max(1, *(len(s.relations) for s in rows)), max(len(s.objects) for s in rows)
    assert [a.shape for a in (difference, direction, weight, present)] == [
        (len(rows), most, wide), (len(rows), most, 2), (len(rows), most), (len(rows), wide)]  # fmt: skip
    places = np.arange(2.0 * wide).reshape(wide, 2) ** 2
    for row, scene in enumerate(rows):
        count = len(scene.relations)
        for number, edge in enumerate(scene.relations):
            assert_close(difference[row, number] @ places, places[edge.second] - places[edge.first])
            assert tuple(direction[row, number]) == edge.relation.direction
        assert_close(weight[row, :count].sum(), float(count > 0))
        assert not difference[row, count:].any()
        assert not direction[row, count:].any()
        assert not weight[row, count:].any()
        assert list(present[row]) == [1.0] * len(scene.objects) + [0.0] * (wide - len(scene.objects))


def test_arrays_have_the_type_that_was_asked_for(xp):
    scene = Scene.of([("a", "above", "b")])
    assert all(array.dtype == xp.float32 for array in scene_arrays([scene], xp=xp, dtype=xp.float32))
    assert all(array.dtype == xp.float64 for array in scene_arrays([scene], xp=xp))
