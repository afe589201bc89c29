"""Spellings, scenes, contradictions, and scenes as arrays."""

from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.core import ABOVE, LEFT_OF, Relation, Scene, SceneRelation, relation, scene_arrays
from infsplign.core.relations import ARITIES, NEAR
from infsplign.core.spatial import EQUATIONS
from infsplign.core.spellings import _SPELLED, SPELLINGS
from infsplign.core.spellings import RELATIONS as ALL
from tests.core.numeric import assert_close, to_numpy
from tests.core.strategies import RELATIONS, scenes

ROOT = Path(__file__).parents[2]
orders = st.sampled_from([one for one in ALL if one.axes])  # also diagonals and "on top of"
edges = st.builds(SceneRelation, st.integers(0, 3), orders, st.integers(0, 3)).filter(lambda edge: edge.first != edge.second)


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
    [
        ("to the left of", "left of"), ("on the right of", "right of"), ("on the top of", "above"), ("on the bottom of", "below"),
        ("under", "below"), ("near", "near"), ("next to", "near"), ("on side of", "near"),
        # the same words with and without "of", and what they join
        ("on the left side of", "left of"), ("on the left side", "on the left side"), ("on the left", "on the left side"),
        ("to the top left of", "upper left of"), ("in the top-left", "in the top left corner"), ("on top of", "on top of"),
        ("on the top", "at the top"), ("in the middle", "in the centre"), ("in between", "between"), ("bigger than", "larger than"),
    ],
)  # fmt: skip
def test_spellings_of_the_benchmarks_mean_what_they_say(spelling, expected):
    assert relation(spelling).name == expected


def test_no_spelling_has_two_meanings_and_every_name_is_one():
    assert sum(len(spellings) + (one.name not in spellings) for one, spellings in _SPELLED.items()) == len(SPELLINGS)
    assert all(spelling == " ".join(spelling.lower().split()) for spelling in SPELLINGS)
    for one in ALL:
        assert relation(one.name) is one
        assert one.inverse is None or relation(one.inverse).inverse == one.name


@pytest.mark.parametrize("one", RELATIONS)
def test_inverse_is_the_opposite_direction_on_the_same_axis(one):
    inverse = relation(one.inverse)
    assert inverse.inverse == one.name
    assert inverse.axis == one.axis == [abs(part) for part in one.direction].index(1)
    assert [a + b for a, b in zip(one.direction, inverse.direction, strict=True)] == [0, 0]
    assert relation(one) is one


@pytest.mark.parametrize("unknown", ["behind", "in front of", "", "lef of", "left of of"])
def test_unknown_relations_are_refused_with_the_known_ones(unknown):
    with pytest.raises(ValueError, match=f"`relation` is unknown: got '{unknown}', expected one of above, at the bottom, "):
        relation(unknown)


@given(scenes())
def test_what_was_read_off_positions_never_contradicts_itself(scene):
    spelled = [(scene.objects[e.first], e.relation.name, scene.objects[e.second]) for e in scene.relations]
    if spelled:
        built = Scene.of(spelled)
        assert [(built.objects[e.first], e.relation.name, built.objects[e.second]) for e in built.relations] == spelled


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (Relation("far left of", (1.0, 0.0), inverse="right of", margin=0.3), "right of"),
        (Relation("beside it", (0.0, 1.0), inverse="near"), "near"),
        (Relation("right of", (-1.0, 0.0), inverse="left of", margin=0.1), "left of"),
    ],
)
def test_relations_of_one_s_own_are_no_repetitions(own, other):
    for triples in ([("a", own, "b"), ("b", other, "a")], [("b", other, "a"), ("a", own, "b")]):
        assert len(Scene.of(triples).relations) == 2


def check_keeps(scene, wanted):
    """The scene keeps the first of what is said twice, also from the other side, and nothing is lost."""
    sides = {(edge.first, edge.relation.name, edge.second) for edge in scene.relations}
    turned = {(edge.second, edge.relation.inverse, edge.first) for edge in scene.relations if edge.second is not None}
    assert not sides & turned
    assert {(edge.first, edge.relation.name, edge.second) for edge in wanted} <= sides | turned
    assert list(scene.relations) == [edge for edge in dict.fromkeys(wanted) if edge in scene.relations]


@given(st.lists(edges, max_size=7))
def test_a_scene_raises_exactly_when_no_order_of_its_objects_fits(wanted):
    objects = ("a", "b", "c", "d")
    if can_be_drawn(4, wanted):
        check_keeps(Scene(objects, tuple(wanted)), wanted)
    else:
        with pytest.raises(ValueError, match='`relations` contradict each other: "'):
            Scene(objects, tuple(wanted))


@pytest.mark.parametrize(
    ("triples", "kept"),
    [
        ([("a", "left of", "b"), ("b", "right of", "a")], 1),
        ([("a", "left of", "b"), ("a", "left of", "b")], 1),
        ([("a", "upper left of", "b"), ("b", "lower right of", "a")], 1),
        ([("a", "near", "b"), ("b", "near", "a")], 1),
        ([("a", "larger than", "b"), ("b", "smaller than", "a")], 1),
        ([("a", "between", ("b", "c")), ("a", "between", ("c", "b"))], 1),
        ([("a", "at the top"), ("a", "at the top")], 1),
        ([("a", "at the top"), ("a", "on the left side")], 2),
        ([("a", "on top of", "b"), ("a", "above", "b")], 2),
        ([("a", "left of", "b"), ("a", "left of", "c"), ("b", "right of", "a")], 2),
        ([("a", "between", ("b", "c")), ("b", "left of", "c")], 2),
    ],
)
def test_a_relation_that_is_said_twice_counts_once(triples, kept):
    assert Scene.of(triples).relations == Scene.of(triples[:kept]).relations


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
        [("a", "upper left of", "b"), ("b", "left of", "a")],
        [("a", "upper left of", "b"), ("b", "upper right of", "c"), ("c", "above", "a")],
        [("a", "near", "b"), ("b", "far from", "a")],
        [("a", "inside", "b"), ("b", "inside", "a")],
        [("a", "inside", "b"), ("b", "in", "c"), ("c", "within", "a")],
        [("a", "inside", "b"), ("a", "far from", "b")],
        [("a", "larger than", "b"), ("b", "larger than", "a")],
        [("a", "larger than", "b"), ("a", "smaller than", "b")],
        [("a", "larger than", "b"), ("b", "larger than", "c"), ("a", "inside", "c")],
    ],
)
def test_a_cycle_is_named_by_all_its_edges(triples):
    with pytest.raises(ValueError, match="`relations` contradict each other: ") as error:
        Scene.of(triples)
    for first, spelling, second in triples:
        assert f'"{first} {relation(spelling).name} {second}"' in str(error.value)


PLACES_THAT_CANNOT_HOLD = [
    [("a", "on the left side"), ("a", "on the right side")],
    [("a", "in the centre"), ("a", "in the top left corner")],
    [("a", "at the top"), ("a", "in the bottom left corner")],
    [("a", "on the left side"), ("b", "in the centre"), ("b", "left of", "a")],
    [("a", "at the bottom"), ("a", "above", "b"), ("b", "on top of", "c"), ("c", "at the top")],
    [("a", "in the centre"), ("b", "in the centre"), ("a", "far from", "b")],
    [("a", "in the top left corner"), ("b", "in the bottom right corner"), ("b", "near", "a")],
    [("a", "between", ("b", "c")), ("a", "upper left of", "b"), ("a", "upper left of", "c")],
]


@pytest.mark.parametrize("triples", PLACES_THAT_CANNOT_HOLD)
def test_places_that_cannot_hold_are_named_with_what_they_contradict(triples):
    with pytest.raises(ValueError, match="`relations` contradict each other: ") as error:
        Scene.of(triples)
    found = str(error.value)
    for triple in triples:
        others = "" if len(triple) == 2 else f" {triple[2] if isinstance(triple[2], str) else ' and '.join(triple[2])}"
        assert f'"{triple[0]} {triple[1]}{others}"' in found
    assert found.count('"') == 2 * len(triples)


@pytest.mark.parametrize(
    "triples",
    [
        [("a", "on the left side"), ("a", "at the top"), ("a", "in the top left corner")],
        [("a", "on the left side"), ("b", "on the left side"), ("a", "right of", "b"), ("a", "near", "b")],
        [("a", "in the top left corner"), ("b", "at the top"), ("a", "far from", "b")],
        [("a", "between", ("b", "c")), ("a", "left of", "b"), ("a", "left of", "c")],
        [("a", "between", ("b", "c")), ("a", "upper left of", "b"), ("a", "lower right of", "c")],
        [("a", "inside", "b"), ("a", "near", "b"), ("a", "left of", "b"), ("b", "larger than", "a")],
        [("a", "on top of", "b"), ("a", "near", "b"), ("a", "left of", "b"), ("a", "far from", "c")],
    ],
)
def test_what_may_hold_together_is_let_through(triples):
    found = Scene.of(triples)
    assert len(found.relations) == len(triples)
    assert replace(found, relations=deepcopy(found.relations)) == found


@pytest.mark.parametrize("triples", [[("a", "near", "b"), ("b", "far from", "a")], *PLACES_THAT_CANNOT_HOLD[-3:]])
def test_copies_of_relations_contradict_each_other_as_the_relations_do(triples, monkeypatch):
    """As those that another process has sent."""
    monkeypatch.setattr("infsplign.core.scenes.relation", lambda spelling: deepcopy(relation(spelling)))
    with pytest.raises(ValueError, match="`relations` contradict each other: "):
        Scene.of(triples)


located = st.one_of(
    st.builds(SceneRelation, st.integers(0, 2), st.sampled_from([one for one in ALL if one.arity == 1])),
    st.builds(SceneRelation, st.integers(0, 2), orders, st.integers(0, 2)).filter(lambda edge: edge.first != edge.second),
)


def has_room(wanted):
    """Tries every way to put three objects on nine places along each axis, three in each third of the picture."""

    def holds(axis, places, edge):
        along, one = edge.relation.direction[axis], places[edge.first]
        if edge.second is not None:
            return along == 0 or along * places[edge.second] > along * one
        if edge.relation.name == "in the centre":
            return one // 3 == 1
        return along == 0 or one // 3 == (0 if along > 0 else 2)

    return all(any(all(holds(axis, places, e) for e in wanted) for places in product(range(9), repeat=3)) for axis in (0, 1))


@given(st.lists(located, max_size=4))
@settings(max_examples=60)
def test_orders_and_places_raise_exactly_when_there_is_no_room(wanted):
    if has_room(wanted):
        check_keeps(Scene(("a", "b", "c"), tuple(wanted)), wanted)
    else:
        with pytest.raises(ValueError, match='`relations` contradict each other: "'):
            Scene(("a", "b", "c"), tuple(wanted))


sizes = st.sampled_from([relation(name) for name in ("larger than", "smaller than", "inside")])
sized = st.builds(SceneRelation, st.integers(0, 3), sizes, st.integers(0, 3)).filter(lambda edge: edge.first != edge.second)


@given(st.lists(sized, max_size=5))
def test_sizes_raise_exactly_when_they_cannot_be_put_in_order(wanted):
    def fits(order):
        return all((order[e.first] > order[e.second]) == (e.relation.name == "larger than") for e in wanted)

    if any(map(fits, permutations(range(4)))):
        check_keeps(Scene(tuple("abcd"), tuple(wanted)), wanted)
    else:
        with pytest.raises(ValueError, match='`relations` contradict each other: "'):
            Scene(tuple("abcd"), tuple(wanted))


def test_all_forms_of_a_relation():
    scene = Scene.of(
        [("cat", "left of", "dog"), ("bird", "between", ("dog", "tree")), ("tree", "at the top"), ("cat", "in the center", None)]
    )
    assert scene.objects == ("cat", "dog", "bird", "tree")
    assert [edge.objects for edge in scene.relations] == [(0, 1), (2, 1, 3), (3,), (0,)]
    assert [(edge.second, edge.third) for edge in scene.relations] == [(1, None), (1, 3), (None, None), (None, None)]
    assert [scene.text(edge) for edge in scene.relations] == [
        "cat left of dog", "bird between dog and tree", "tree at the top", "cat in the centre"]  # fmt: skip


def test_only_the_edges_of_the_cycle_are_named():
    with pytest.raises(ValueError) as error:
        Scene.of([("x", "left of", "a"), ("a", "left of", "b"), ("a", "above", "b"), ("b", "left of", "a"), ("b", "left of", "y")])
    assert str(error.value) == '`relations` contradict each other: "a left of b", "b left of a"'


def test_orders_on_different_axes_do_not_contradict():
    scene = Scene.of([("a", "left of", "b"), ("b", "above", "a"), ("a", "near", "b")])
    assert scene.objects == ("a", "b")
    assert [(e.first, e.relation, e.second) for e in scene.relations] == [(0, LEFT_OF, 1), (1, ABOVE, 0), (0, NEAR, 1)]


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
        (lambda: Scene.of([("a",)]), """`relations` must be triples such as ("cat", "left of", "dog"), got ('a',)"""),
        (
            lambda: Scene.of([("a", "left of")]),
            """`relations` must give 'left of' two objects, such as ("cat", 'left of', "dog"), got ('a', 'left of')""",
        ),
        (
            lambda: Scene.of([("a", "in the middle", "b")]),
            """`relations` must give 'in the centre' one object, such as ("cat", 'in the centre'), got ('a', 'in the middle', 'b')""",
        ),
        (
            lambda: Scene.of([("a", "between", "b")]),
            """`relations` must give 'between' three objects, such as ("cat", 'between', ("dog", "tree")), got ('a', 'between', 'b')""",
        ),
        (
            lambda: Scene.of([("a", "between", ("b", "b"))]),
            '`relations` must join 3 different objects, got "a between b and b"',
        ),
        (lambda: Scene(("a", "b"), (SceneRelation(0, ABOVE),)), "`relations` must give 'above' two objects, got numbers (0,)"),
        (lambda: Scene(("a", "b"), (SceneRelation(0, ABOVE, None, 1),)), "`relations` must give 'above' two objects, got numbers (0, 1)"),
        (lambda: Scene.of([("a", "above", " ")]), "`relations` must name two objects, got ('a', 'above', ' ')"),
        (lambda: Scene.of([("", "above", "b")]), "`relations` must name two objects, got ('', 'above', 'b')"),
        (lambda: scene_arrays([], xp=np), "`scenes` must hold at least one scene, got none"),
        (
            lambda: Relation("beyond"),
            "`direction` of 'beyond' must not be (0, 0) for the equation 'ordered': it would always hold",
        ),
        (lambda: Relation("far left", (2.0, 0.0)), "`direction` of 'far left' must be two of -1, 0 and 1, (x, y), got (2.0, 0.0)"),
        (lambda: Relation("left", 1, "right"), "`direction` of 'left' must be two of -1, 0 and 1, (x, y), got 1"),
        (lambda: Relation("amid", equation="between"), "`arity` of 'amid' must be 3 for the equation 'between', got 2"),
        (lambda: Relation("amid", arity=4, equation="mine"), "`arity` of 'amid' must be 1, 2 or 3, got 4"),
    ],
)
def test_errors_name_the_argument_and_the_value(build, message):
    with pytest.raises(ValueError) as error:
        build()
    assert str(error.value) == message


@given(rows=st.lists(scenes(), min_size=1, max_size=4))
@settings(max_examples=20)
def test_arrays_hold_each_scene_and_zeros_elsewhere(xp, rows):
    rows = [*rows, Scene.of([("a", "between", ("b", "c")), ("b", "on the left side")])]
    packed = scene_arrays(rows, xp=xp)
    arrays = type(packed)(*({k: to_numpy(v) for k, v in x.items()} if isinstance(x, dict) else to_numpy(x) for x in packed))
    most, wide = max(len(s.relations) for s in rows), max(len(s.objects) for s in rows)
    asked = {edge.relation.equation for scene in rows for edge in scene.relations}
    assert set(arrays.equation) == asked <= set(EQUATIONS)
    assert {chosen.shape for chosen in arrays.equation.values()} == {(len(rows), most)}
    assert {name: getattr(arrays, name).shape[1:] for name in arrays._fields if name != "equation"} == {
        "difference": (most, wide), "direction": (most, 2), "relation_weight": (most,), "present": (wide,),
        "roles": (3, most, wide), "margin": (most,)}  # fmt: skip
    for row, scene in enumerate(rows):
        count = len(scene.relations)
        for number, edge in enumerate(scene.relations):
            wanted = [[float(place == o) for o in range(wide)] for place in (edge.first, edge.second, edge.third)]
            np.testing.assert_array_equal(arrays.roles[row, :, number], wanted)
            np.testing.assert_array_equal(arrays.difference[row, number], np.subtract(wanted[1], wanted[0]))
            assert tuple(arrays.direction[row, number]) == edge.relation.direction
            for name, chosen in arrays.equation.items():
                assert chosen[row, number] == float(name == edge.relation.equation)
            assert arrays.margin[row, number] == edge.relation.margin
        assert_close(arrays.relation_weight[row, :count].sum(), float(count > 0))
        for values in (arrays.difference, arrays.direction, arrays.relation_weight, arrays.margin, *arrays.equation.values()):
            assert not values[row, count:].any()
        assert not arrays.roles[row, :, count:].any()
        assert list(arrays.present[row]) == [1.0] * len(scene.objects) + [0.0] * (wide - len(scene.objects))


def test_arrays_have_the_type_that_was_asked_for(xp):
    scene = Scene.of([("a", "above", "b")])
    for asked, dtype in ((xp.float32, xp.float32), (None, xp.float64)):
        *arrays, equation = sorted(scene_arrays([scene], xp=xp, dtype=asked), key=lambda x: isinstance(x, dict))
        assert all(array.dtype == dtype for array in (*arrays, *equation.values()))


THIRD = {"left": (0, 1 / 3), "top": (0, 1 / 3), "centre": (1 / 3, 2 / 3), "right": (2 / 3, 1), "bottom": (2 / 3, 1), "": (0, 1)}
PLACES = {
    **{f"in the {y} {x} corner": (THIRD[x], THIRD[y]) for y in ("top", "bottom") for x in ("left", "right")},
    **{f"on the {x} side": (THIRD[x], THIRD[""]) for x in ("left", "right")},
    **{f"at the {y}": (THIRD[""], THIRD[y]) for y in ("top", "bottom")},
    "in the centre": (THIRD["centre"], THIRD["centre"]),
}


def distances(one, other):
    """All distances on an axis of points inside two parts of it."""
    inside = [np.linspace(low + 1e-3, high - 1e-3, 9) for low, high in (one, other)]
    return np.abs(inside[0][:, None] - inside[1][None, :]).ravel()


@pytest.mark.parametrize("asked", ["near", "far from"])
@pytest.mark.parametrize(("first", "second"), list(product(PLACES, repeat=2)))
def test_places_leave_room_for_distances_exactly_where_points_can_have_them(asked, first, second):
    """Near: within 150 of 479 pixels on one axis, and within half the picture on both; far: further apart than half the picture on one."""
    x, y = (distances(one, other) for one, other in zip(PLACES[first], PLACES[second], strict=True))
    dx, dy = x[:, None], y[None, :]
    near = (np.minimum(dx, dy) < 150 / 479) & (np.maximum(dx, dy) < 0.5)
    possible = near.any() if asked == "near" else bool((np.maximum(dx, dy) > 0.5).any())
    relations = [("a", first), ("b", second), ("a", asked, "b")]
    if possible:
        assert len(Scene.of(relations).relations) == 3
    else:
        with pytest.raises(ValueError, match="contradict"):
            Scene.of(relations)


def test_every_relation_stands_in_the_table_of_the_docs_with_its_margin():
    """The place, direction and inverse of each follow from its name, by the words in it."""
    page = (ROOT / "docs" / "relations.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and line.endswith(" |")][1:]
    margins = {}
    for first, *_, margin in rows:
        for name in first.removeprefix("| ").split(", "):
            corner = name in ("top right", "bottom left", "bottom right")
            margins[f"in the {name} corner" if corner else name] = float(Fraction(margin.removesuffix(" |")))
    assert {one.name: one.margin for one in ALL} == pytest.approx(margins)
    sides = {"left": (1, 0), "right": (-1, 0), "above": (0, 1), "below": (0, -1), "upper": (0, 1), "lower": (0, -1), "top": (0, 1)}
    sides |= {"bottom": (0, -1)}
    opposite = {"left": "right", "right": "left", "above": "below", "below": "above", "upper": "lower", "lower": "upper"}
    opposite |= {"larger": "smaller", "smaller": "larger"}
    for one in ALL:
        words = one.name.split()
        assert one.direction == tuple(np.sum([sides.get(word, (0, 0)) for word in words], axis=0)), one.name
        assert one.axes == tuple(axis for axis in (0, 1) if one.direction[axis] and one.arity == 2), one.name
        assert one.axis == (one.axes[0] if one.axes else None), one.name
        one_way = one.arity != 2 or one.name in ("on top of", "inside")
        assert one.inverse == (None if one_way else " ".join(opposite.get(word, word) for word in words)), one.name


LEFT = relation("left of")
WRONG_KINDS = {
    "a text for objects, which has letters": (lambda: Scene("cat"), "`objects` must be a tuple of phrases, got 'cat'"),
    "numbers for phrases": (lambda: Scene((1, 2)), "`objects` must be a tuple of phrases, got (1, 2)"),
    "a generator, which a check uses up": (
        lambda: Scene(("cat", "dog"), (SceneRelation(*edge) for edge in [(0, LEFT, 1)])),
        "`relations` must be a tuple of `SceneRelation`s; see `Scene.of`, got <generator",
    ),
    "one relation alone": (lambda: Scene(("cat", "dog"), SceneRelation(0, LEFT, 1)), "`relations` must be a tuple of"),
    "triples": (lambda: Scene(("cat", "dog"), (("cat", "left of", "dog"),)), "`relations` must be a tuple of"),
    "a relation in words": (lambda: SceneRelation(0, "left of", 1), "`relation` must be a `Relation`, got 'left of'"),
    "phrases for numbers": (lambda: SceneRelation("cat", LEFT, "dog"), "`first` must be the number of an object, got 'cat'"),
    "no first object": (lambda: SceneRelation(None, LEFT, 1), "`first` must be the number of an object, got None"),
    "a fraction": (lambda: SceneRelation(0, LEFT, 1.0), "`second` must be the number of an object, got 1.0"),
}


@pytest.mark.parametrize(("build", "message"), WRONG_KINDS.values(), ids=WRONG_KINDS)
def test_what_is_of_another_kind_is_refused(build, message):
    with pytest.raises(TypeError) as error:
        build()
    assert message in str(error.value)


def test_lists_become_tuples():
    scene = Scene(["cat", "dog"], [SceneRelation(np.int64(0), LEFT, 1)])
    assert scene == Scene.of([("cat", "left of", "dog")])
    assert hash(scene) == hash(Scene.of([("cat", "left of", "dog")]))


def test_every_equation_has_its_number_of_objects_and_every_relation_has_it():
    assert set(ARITIES) == set(EQUATIONS)
    assert all(one.arity == ARITIES[one.equation] for one in ALL)
