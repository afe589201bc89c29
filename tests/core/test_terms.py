"""Terms of other methods against small loops over their published formulas, and what holds for all of them."""

import math
import pickle

import array_api_strict
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from infsplign.core import (
    LEFT_OF,
    LOSSES,
    TERMS,
    CompoundLoss,
    LossTerm,
    Scene,
    SceneRelation,
    boxes,
    excite,
    observe,
    paper_loss,
    scene_arrays,
)
from infsplign.core.relations import ABOVE
from infsplign.core.terms import boxes_loss, excite_loss, layout_loss, overlap_loss, relation_boxes, superiority_loss
from infsplign.core.terms.excite import smooth
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.fingerprint import plain
from tests.core.everything import TERMS_OF_MAPS
from tests.core.numeric import assert_close, assert_gradient, to_numpy
from tests.core.strategies import MIRROR, RELATIONS, TRANSPOSED, batches, generic, maps, pair, relations, scenes, seeds

NEW = {name: TERMS_OF_MAPS[name] for name in TERMS_OF_MAPS if name not in ("spatial", "presence", "balance")}
every_term = pytest.mark.parametrize("name", NEW)
every_relation = pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: r.name)


def value(term, xp, a, rows, **options):
    """The term of numpy maps in library `xp`, as numpy (B,)."""
    return to_numpy(term(observe(xp.asarray(np.array(a))), scene_arrays(rows, xp=xp), **options))


def mirrored(i, n):
    """The cell that a mirror at the last cell puts at i."""
    return 0 if n == 1 else -i if i < 0 else 2 * (n - 1) - i if i >= n else i


def smoothed(one_map):
    """3x3 cells with the weights of the published code: exp(-(d / (2 * 0.5))^2) an axis."""
    height, width = one_map.shape
    weight = {d: math.exp(-(d * d)) for d in (-1, 0, 1)}
    total = sum(weight.values()) ** 2
    return [
        [sum(weight[i] * weight[j] * one_map[mirrored(h + i, height), mirrored(w + j, width)] for i in weight for j in weight) / total
         for w in range(width)]
        for h in range(height)
    ]  # fmt: skip


@settings(max_examples=20)
@given(a=maps(1, 3))
def test_excite_is_one_minus_the_peak_of_the_smoothed_map(xp, a):
    scene = [Scene(tuple("abc"))]
    missing = [1.0 - max(max(row) for row in smoothed(one)) for one in a[0]]
    assert_close(value(excite_loss, xp, a, scene), [max(missing)])
    assert_close(value(excite_loss, xp, a, scene, worst=False), [np.mean(missing)])
    assert_close(value(excite_loss, xp, a, scene, sigma=0.0), [1.0 - a[0].max(axis=(1, 2)).min()])


def test_smoothing_keeps_a_flat_map_and_spreads_a_point(xp):
    assert_close(smooth(xp.asarray(np.full((1, 4), 0.3)), 0.5), np.full((1, 4), 0.3))
    point = np.zeros((5, 5))
    point[2, 2] = 1.0
    side = math.exp(-1.0) / (1.0 + 2.0 * math.exp(-1.0))
    assert_close(smooth(xp.asarray(point), 0.5)[2, 1], side * (1.0 - 2.0 * side))


@settings(max_examples=20)
@given(a=maps(1, 3), sharpness=st.floats(0.1, 100.0))
def test_sharpened_excite_is_a_softmax_over_the_objects_of_the_row(xp, a, sharpness):
    powers = np.exp(sharpness * (a[0] - a[0].max(axis=0)))
    expected = 1.0 - (powers / powers.sum(axis=0)).max(axis=(1, 2))
    assert_close(value(excite_loss, xp, a, [Scene(tuple("abc"))], sigma=0.0, sharpness=sharpness), [expected.max()])
    assert_close(value(excite_loss, xp, a[:, :1], [Scene(("a",))], sharpness=sharpness), [0.0])  # alone it has no rival


def test_sharpened_excite_is_finite_where_no_object_is_and_however_sharp(xp):
    """Where both maps are empty, both objects have half the place."""
    a = np.zeros((1, 2, 2, 2))
    a[0, 0, 0, 0] = 1.0
    assert_close(value(excite_loss, xp, a, [Scene(("a", "b"))], sigma=0.0, sharpness=1e4), [0.5])
    assert_close(value(excite_loss, xp, a, [Scene(("a", "b"))], sigma=0.0, sharpness=1e4, worst=False), [0.25])


def superiority(first, second, axis, sign):
    """1 - P(first lies before second), from all pairs of cells; a pair in one column, or row, counts one half."""
    p, q = (one.sum(axis=axis) / one.sum() for one in (first, second))
    pairs = [(i, j) for i in range(len(p)) for j in range(len(q))]
    return 1.0 - sum(p[i] * q[j] * (0.5 if i == j else float((j - i) * sign > 0)) for i, j in pairs)


@settings(max_examples=20)
@given(a=maps(1, 2), relation=relations)
def test_superiority_is_the_share_of_pairs_in_order(xp, a, relation):
    assume((a.sum(axis=(2, 3)) > 1e-9).all())
    expected = superiority(*a[0], relation.axis, relation.direction[relation.axis])
    assert_close(value(superiority_loss, xp, a, [pair(relation)]), [expected])
    assert_close(value(superiority_loss, xp, a, [pair(MIRROR[relation])]), [1.0 - expected])


def test_superiority_of_a_diagonal_is_the_mean_of_its_axes_and_what_has_no_direction_is_left_out(xp):
    a = generic(3, 1, 3, 4, 5)
    axes = [superiority(a[0, 0], a[0, 1], axis, 1.0) for axis in (0, 1)]
    rest = [("a", "near", "c"), ("a", "larger than", "b"), ("c", "in the centre"), ("a", "between", ("b", "c"))]
    found = value(superiority_loss, xp, a, [Scene.of([("a", "upper left of", "b"), *rest])])
    assert_close(found, [np.mean(axes)])


def test_superiority_knows_wholly_held_wholly_broken_and_nothing(xp):
    apart = np.zeros((1, 2, 2, 4))
    apart[0, 0, :, :2] = apart[0, 1, :, 2:] = 0.1
    assert_close(value(superiority_loss, xp, apart, [pair(LEFT_OF)]), [0.0])
    assert_close(value(superiority_loss, xp, apart[:, ::-1], [pair(LEFT_OF)]), [1.0])
    assert_close(value(superiority_loss, xp, np.ones((1, 2, 3, 4)), [pair(LEFT_OF)]), [0.5])
    assert_close(value(superiority_loss, xp, np.zeros((1, 2, 3, 4)), [pair(LEFT_OF)]), [0.5])
    assert_close(value(superiority_loss, xp, np.ones((1, 2, 3, 4)), [Scene(("a", "b"))]), [0.0])


@settings(max_examples=20)
@given(a=maps(1, 2, grid=st.just((4, 6))), data=st.data())
def test_boxes_on_cell_borders_are_the_published_masks(xp, a, data):
    assume((a.sum(axis=(2, 3)) > 1e-9).all())
    edges, expected = [], []
    for one in a[0]:
        x0, x1 = sorted(data.draw(st.sets(st.integers(0, 6), min_size=2, max_size=2)))
        y0, y1 = sorted(data.draw(st.sets(st.integers(0, 4), min_size=2, max_size=2)))
        edges.append((x0 / 6, y0 / 4, x1 / 6, y1 / 4))
        expected.append((1.0 - one[y0:y1, x0:x1].sum() / one.sum()) ** 2)
    found = to_numpy(boxes([edges]).term(observe(xp.asarray(a)), scene_arrays([Scene(("a", "b"))], xp=xp)))
    assert_close(found, [np.mean(expected)])


def test_a_cell_counts_by_the_part_that_its_box_covers(xp):
    scene = [Scene(("a",))]
    found = value(boxes_loss, xp, np.ones((1, 1, 3, 3)), scene, boxes=[[(0.1, 0.2, 0.85, 0.6)]])
    assert_close(found, [(1.0 - 0.75 * 0.4) ** 2])
    assert_close(value(boxes_loss, xp, np.zeros((1, 1, 3, 3)), scene, boxes=[[(0, 0, 0.5, 1)]]), [1.0])


def test_rows_take_the_boxes_of_their_prompt_and_none_asks_for_nothing(xp):
    a = generic(0, 4, 2, 4, 4)
    scene = [Scene(("a", "b"))] * 2 + [Scene(("a",))] * 2
    term = boxes([[(0, 0, 0.5, 1), None], [(0.25, 0.5, 1, 1)]]).term  # two prompts, two rows each
    inside = [a[row, 0, :, :2].sum() / a[row, 0].sum() for row in (0, 1)] + [a[row, 0, 2:, 1:].sum() / a[row, 0].sum() for row in (2, 3)]
    expected = (1.0 - np.asarray(inside)) ** 2 / [2, 2, 1, 1]
    assert_close(term(observe(xp.asarray(a)), scene_arrays(scene, xp=xp)), expected)


@pytest.mark.parametrize("given_as", [np.asarray, lambda x: torch.asarray(x)], ids=["numpy", "torch"])
def test_boxes_may_be_an_array(given_as):
    box = [[[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]]
    assert plain(boxes(given_as(box))) == plain(boxes(box))


def test_boxes_of_relations_are_halves(xp):
    scene = Scene(tuple("abcd"), (SceneRelation(0, LEFT_OF, 1), SceneRelation(1, LEFT_OF, 2), SceneRelation(2, ABOVE, 0)))
    found = relation_boxes(scene_arrays([scene, pair(RELATIONS[1])], xp=xp))
    assert_close(found[0, ...], [[0, 0.5, 0.5, 1], [0.25, 0, 0.75, 1], [0.5, 0, 1, 0.5], [0, 0, 1, 1]])
    assert_close(found[1, ...], [[0.5, 0, 1, 1], [0, 0, 0.5, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    places = Scene.of([("a", "in the top left corner"), ("b", "on the right side"), ("c", "in the centre")])
    assert_close(relation_boxes(scene_arrays([places], xp=xp))[0, ...], [[0, 0, 0.5, 0.5], [0.5, 0, 1, 1], [0, 0, 1, 1]])
    a = generic(1, 1, 4, 4, 4)
    drawn = boxes(to_numpy(found)[:1].tolist()).term
    assert_close(value(layout_loss, xp, a, [scene]), value(drawn, xp, a, [scene]))


@settings(max_examples=20)
@given(a=maps(1, 3))
def test_overlap_is_the_shared_part_of_each_pair(xp, a):
    assume((a.sum(axis=(2, 3)) > 1e-9).all())
    pairs = [(0, 1), (0, 2), (1, 2)]
    scene = [Scene(tuple("abc"))]
    published = [np.minimum(a[0, i], a[0, j]).sum() / (a[0, i] + a[0, j]).sum() for i, j in pairs]
    assert_close(value(overlap_loss, xp, a, scene), [np.mean(published)])
    shares = a[0] / a[0].sum(axis=(1, 2), keepdims=True)
    apart = [np.abs(shares[i] - shares[j]).sum() / 2 for i, j in pairs]  # total variation
    assert_close(value(overlap_loss, xp, a, scene, normalised=True), [np.mean([(1.0 - d) / 2 for d in apart])])


def test_normalised_overlap_does_not_fall_when_an_object_fades(xp):
    a = generic(2, 1, 2, 4, 4)
    faded = a * np.asarray([1.0, 0.01])[:, None, None]
    scene = [Scene(("a", "b"))]
    assert value(overlap_loss, xp, faded, scene) < 0.1 * value(overlap_loss, xp, a, scene)
    assert_close(value(overlap_loss, xp, faded, scene, normalised=True), value(overlap_loss, xp, a, scene, normalised=True))


@settings(max_examples=20)
@given(batch=batches())
def test_values_lie_in_their_range_for_any_maps_and_scenes(xp, batch):
    rows, a = batch
    for name, term in NEW.items():
        found = value(term, xp, a, rows)
        assert found.shape == (len(rows),)
        assert ((found >= -1e-12) & (found <= (0.5 if "overlap" in name else 1.0) + 1e-12)).all(), name


@settings(max_examples=20)
@given(batch=batches(), junk=st.floats(0, 10), data=st.data())
def test_rows_stand_alone_padding_is_not_read_and_no_order_matters(batch, junk, data):
    rows, a = batch
    wide = [*rows, Scene(tuple("abcde"))]  # pads every row
    padded = np.full((len(wide), 5, *a.shape[2:]), junk)
    padded[: len(rows), : a.shape[1]] = a
    for term in NEW.values():
        whole = value(term, np, padded, wide)
        for row, scene in enumerate(rows):
            alone = a[row : row + 1, : len(scene.objects)]
            expected = value(term, np, alone, [scene])
            assert_close(whole[row], expected[0], atol=1e-11)
            order = data.draw(st.permutations(range(len(scene.objects))))
            place = {old: new for new, old in enumerate(order)}
            edges = [SceneRelation(place[e.first], e.relation, place[e.second]) for e in scene.relations]
            other = Scene(tuple(scene.objects[old] for old in order), tuple(edges[::-1]))
            assert_close(value(term, np, alone[:, order], [other]), expected, atol=1e-11)


@settings(max_examples=20)
@given(scene=scenes(), data=st.data())
def test_mirrored_pictures_ask_for_mirrored_relations(scene, data):
    a = data.draw(maps(1, len(scene.objects)))

    def turned(table):
        return [Scene(scene.objects, tuple(SceneRelation(e.first, table.get(e.relation, e.relation), e.second) for e in scene.relations))]

    sideways, upright = ({r: MIRROR[r] for r in RELATIONS if r.axis == axis} for axis in (0, 1))
    for term in NEW.values():
        expected = value(term, np, a, [scene])
        assert_close(value(term, np, np.flip(a, 3), turned(sideways)), expected)
        assert_close(value(term, np, np.flip(a, 2), turned(upright)), expected)
        assert_close(value(term, np, np.swapaxes(a, 2, 3), turned(TRANSPOSED)), expected)


@every_term
@settings(max_examples=5)
@given(seed=seeds)
def test_gradients_are_those_of_central_differences(name, seed):
    scene = Scene(tuple("abc"), (SceneRelation(0, LEFT_OF, 1), SceneRelation(2, ABOVE, 1)))
    packed = scene_arrays([scene], xp=torch)
    assert_gradient(lambda x: NEW[name](observe(x), packed), torch.asarray(generic(seed, 3, 3, 4)))


@every_relation
@pytest.mark.parametrize("term", [superiority_loss, layout_loss], ids=lambda f: f.__name__)
def test_descent_moves_each_object_the_way_the_relation_asks(term, relation):
    logits = torch.asarray(np.random.default_rng(0).standard_normal((1, 2, 6, 6)))
    packed = scene_arrays([pair(relation)], xp=torch)
    gap = {}
    for step in range(200):
        logits.requires_grad_()
        objects = observe(torch.softmax(logits.flatten(2), -1).reshape(logits.shape))
        gap[step] = float((objects.centroid[0, 1] - objects.centroid[0, 0]).detach() @ torch.tensor(relation.direction, dtype=logits.dtype))
        logits = (logits - 5.0 * torch.autograd.grad(term(objects, packed).sum(), logits)[0]).detach()
    assert abs(gap[0]) < 0.2
    if term is layout_loss:  # all mass in its own half is all that it asks for: the nearest cells of two halves are a fifth apart
        assert float(term(objects, packed).sum().detach()) < 0.01
        assert gap[199] > 0.2
    else:
        assert gap[199] > 0.4


def test_names_lead_to_terms_and_losses():
    assert set(LOSSES) == {"paper", "attend-and-excite", "psg", "layout", "overlap"}
    for name, factory in TERMS.items():
        term = factory(weight=2.0, levels=["middle"])
        assert (term.name, term.weight, term.levels) == (name, 2.0, ("middle",))
        assert plain(pickle.loads(pickle.dumps(term))) == plain(term)
    for loss in LOSSES.values():
        assert plain(loss()) == plain(loss())
        assert isinstance(loss(), CompoundLoss)
    assert {name: [term.name for term in loss().terms] for name, loss in LOSSES.items()} == {
        "paper": ["spatial", "presence", "balance"], "attend-and-excite": ["excite"], "psg": ["superiority"], "layout": ["layout"],
        "overlap": ["overlap"],
    }  # fmt: skip
    assert len({str(plain(loss())) for loss in LOSSES.values()}) == len(LOSSES)
    assert plain(LOSSES["paper"]()) == plain(GuidanceConfig().compound())
    assert excite().levels == ("coarse",)


def test_extra_terms_follow_the_paper_s():
    extra = (TERMS["excite"](0.5), TERMS["overlap"](2.0))
    loss = paper_loss(extra=extra)
    assert loss.terms[:3] == paper_loss().terms
    assert [term.name for term in loss.terms] == ["spatial", "presence", "balance", "excite", "overlap"]
    assert loss.terms[3:] == extra


BOX = "`boxes` must be (x0, y0, x1, y1) with 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1, got "
WRONG = {
    "no prompt": (lambda: boxes([]), ValueError, "`boxes` must hold at least one prompt, got none"),
    "an empty box": (lambda: boxes([[(0.5, 0, 0.5, 1)]]), ValueError, BOX + "(0.5, 0, 0.5, 1)"),
    "a box beyond the picture": (lambda: boxes([[(0, 0, 64, 64)]]), ValueError, BOX + "(0, 0, 64, 64)"),
    "a number": (lambda: boxes([[0.5]]), ValueError, BOX + "0.5"),
    "boxes of other objects": (
        lambda: value(boxes([[None]]).term, np, np.ones((2, 2, 3, 3)), [Scene(("a", "b"))] * 2),
        ValueError,
        "`boxes` must have shape (a divisor of 2, 2, 4), got (1, 1, 4)",
    ),
    "boxes of other prompts": (
        lambda: value(boxes([[None]] * 3).term, np, np.ones((2, 1, 3, 3)), [Scene(("a",))] * 2),
        ValueError,
        "`boxes` must have shape (a divisor of 2, 1, 4), got (3, 1, 4)",
    ),
    "no function": (
        lambda: LossTerm("own", 3.0),
        TypeError,
        "`term` must be a function of the maps and the scene, got 3.0 for 'own'",
    ),
    "a single level": (
        lambda: LossTerm("own", overlap_loss, levels="coarse"),
        TypeError,
        "`levels` must be a tuple such as ('coarse',), got 'coarse'",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG.values(), ids=WRONG)
def test_errors_name_the_argument_and_the_value(call, kind, message):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == message


@pytest.mark.parametrize(("own", "came"), [(lambda o, s: o.mass.sum(), "()"), (lambda o, s: o.mass, "(1, 2)"), (lambda o, s: 0.5, "0.5")])
def test_a_term_of_your_own_must_give_one_value_a_row(own, came):
    from tests.core.everything import AttentionMap, token_weights

    layer = AttentionMap(generic(0, 1, 1, 4, 3), (2, 2))
    with pytest.raises(ValueError) as error:
        CompoundLoss((LossTerm("own", own),))([layer], token_weights([[[0], [1]]], 3, xp=np), scene_arrays([pair(LEFT_OF)], xp=np))
    assert str(error.value) == f"`terms` must give one value a row, shape (1,), got {came} from 'own'"


@pytest.mark.parametrize("place", ["on the left side", "at the top", "in the bottom right corner", "in the centre"])
def test_places_and_distances_are_left_out_of_the_mean_of_superiority(xp, place):
    a = generic(3, 1, 3, 4, 5)
    alone = value(superiority_loss, xp, a, [Scene.of([("a", "left of", "b"), ("a", "below", "c")])])
    more = Scene.of([("a", "left of", "b"), ("a", "below", "c"), ("b", place), ("b", "near", "c")])
    assert_close(value(superiority_loss, xp, a, [more]), alone)
    assert_close(value(superiority_loss, xp, a, [Scene.of([("a", place), ("b", "near", "c")])]), [0.0])


@every_term
def test_terms_stay_on_the_device_of_their_maps(name):
    """The strict library refuses to combine arrays of two devices."""
    device = array_api_strict.Device("device1")
    scene = scene_arrays([Scene.of([("a", "left of", "b")])] * 2, xp=array_api_strict, device=device)
    found = NEW[name](observe(array_api_strict.asarray(generic(4, 2, 2, 3, 4), device=device)), scene)
    assert (found.shape, found.device) == ((2,), device)


def test_an_object_without_a_box_may_be_anywhere():
    assert plain(boxes([[None]])) == plain(boxes([[(0, 0, 1, 1)]])) == plain(boxes([[(0.0, 0.0, 1.0, 1.0)]]))


def test_terms_weigh_one_and_read_the_published_levels_unless_told_otherwise():
    made = {term.name: (term.weight, term.levels) for term in (*(factory() for factory in TERMS.values()), boxes([[None]]))}
    assert made.pop("excite") == (1.0, ("coarse",))
    assert set(made.values()) == {(1.0, ())}
