"""The weighted compound over layers, and the published total."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.core import (
    LEFT_OF,
    AttentionMap,
    CompoundLoss,
    LossTerm,
    balance_loss,
    boxes,
    observe,
    paper_loss,
    presence_loss,
    scene_arrays,
    spatial_loss,
    token_weights,
)
from tests.core import published
from tests.core.numeric import assert_close, to_numpy
from tests.core.strategies import generic, pair, relations, seeds

levels = st.lists(st.sampled_from(["coarse", "middle"]), min_size=1, max_size=4)
weights3 = st.tuples(*[st.floats(0, 3)] * 3)


def layers_of(xp, seed, names):
    """Attention (2, 3, H * W, 4) for each level, on grids of different sizes and shapes; some may share both, and are then one group."""
    grids = [(2, 3), (1, 6), (2, 3), (1, 6)] if seed % 2 else [(2, 3), (4, 4), (5, 2), (1, 6)]
    return [
        AttentionMap(xp.asarray(generic(seed + i, 2, 3, h * w, 4)), (h, w), f"layer {i}", level)
        for i, (level, (h, w)) in enumerate(zip(names, grids, strict=False))
    ]


def setting(xp, *wanted):
    return token_weights([[[0], [1, 2]]] * 2, 4, xp=xp), scene_arrays([pair(relation) for relation in wanted], xp=xp)


@given(seed=seeds, names=levels, wanted=st.tuples(relations, relations), options=st.tuples(st.floats(0, 3), st.floats(0, 1)), w=weights3)
def test_the_total_is_the_published_one(xp, seed, names, wanted, options, w):
    """Mean over layers of lambda_s L_s + (lambda_p L_p on the coarse level, lambda_b L_b on the middle one)."""
    layers = layers_of(xp, seed, names)
    weights, scene = setting(xp, *wanted)
    alpha, margin = options
    compound = paper_loss(alpha=alpha, margin=margin, spatial=w[0], presence=w[1], balance=w[2])
    found = compound(layers, weights, scene).total
    for row, relation in enumerate(wanted):
        maps = []
        for layer in layers:
            heads = to_numpy(layer.probabilities)[row].tolist()
            maps.append((layer.level, *(published.object_map(heads, tokens, *layer.grid) for tokens in ([0], [1, 2]))))
        expected = published.total(maps, relation.name, alpha=alpha, margin=margin, lambda_s=w[0], lambda_p=w[1], lambda_b=w[2])
        assert_close(found[row], expected)


@given(seed=seeds, names=levels, relation=relations)
def test_the_report_holds_plain_means_over_the_layers_that_were_read(xp, seed, names, relation):
    layers = layers_of(xp, seed, names)
    weights, scene = setting(xp, relation, relation)
    report = paper_loss(presence=5.0)(layers, weights, scene)
    seen = [observe(layer.object_maps(weights)) for layer in layers]
    assert_close(report.centroid, np.mean([to_numpy(objects.centroid) for objects in seen], axis=0))
    assert_close(report.variance, np.mean([to_numpy(objects.variance) for objects in seen], axis=0))
    assert [a.shape for a in report.maps] == [(2, 2, *layer.grid) for layer in layers]
    for found, objects in zip(report.maps, seen, strict=True):
        assert_close(found, objects.maps, atol=0)
    readers = {
        "spatial": (spatial_loss, ("coarse", "middle")),
        "presence": (presence_loss, ("coarse",)),
        "balance": (balance_loss, ("middle",)),
    }
    assert report.terms.keys() == {name for name, (_, read) in readers.items() if set(read) & set(names)}
    for name, found in report.terms.items():
        term, read = readers[name]
        values = [to_numpy(term(objects, scene)) for objects, level in zip(seen, names, strict=True) if level in read]
        assert_close(found, np.mean(values, axis=0))


@given(seed=seeds, names=levels, relation=relations, factor=st.floats(0, 10))
def test_the_total_is_linear_in_the_weights(xp, seed, names, relation, factor):
    layers = layers_of(xp, seed, names)
    weights, scene = setting(xp, relation, relation)

    def total(**lambdas):
        return to_numpy(paper_loss(**{"spatial": 0.0, "presence": 0.0, "balance": 0.0} | lambdas)(layers, weights, scene).total)

    parts = factor * total(spatial=1.0) + total(presence=1.0) + 2.0 * total(balance=1.0)
    assert_close(total(spatial=factor, presence=1.0, balance=2.0), parts)


@pytest.mark.parametrize("terms", [(), (LossTerm("presence", presence_loss, 0.0),)])
def test_a_compound_that_reads_nothing_is_zero_and_still_observes(xp, terms):
    layers = layers_of(xp, 0, ["coarse", "middle"])
    report = CompoundLoss(terms)(layers, *setting(xp, *[LEFT_OF] * 2))
    assert_close(report.total, np.zeros(2), atol=0)
    assert report.terms == {}
    assert report.centroid.shape == (2, 2, 2)


def test_a_term_without_levels_reads_every_layer(xp):
    layers = layers_of(xp, 0, ["coarse", "middle", "middle"])
    weights, scene = setting(xp, *[LEFT_OF] * 2)
    report = CompoundLoss((LossTerm("own", presence_loss, 3.0),))(layers, weights, scene)
    expected = np.mean([to_numpy(presence_loss(observe(layer.object_maps(weights)), scene)) for layer in layers], axis=0)
    assert_close(report.terms["own"], expected)
    assert_close(report.total, 3.0 * expected)


@given(seed=seeds, prompts=st.sampled_from([1, 2, 4]))
def test_a_term_with_numbers_of_its_own_for_each_row_sees_one_layer_at_a_time(xp, seed, prompts):
    """Layers of one kind are a batch for terms that say `rowwise`, and boxes of prompts would not fit its rows."""
    layers = [AttentionMap(xp.asarray(generic(seed + i, 4, 3, 12, 4)), (3, 4), f"layer {i}", "coarse") for i in range(3)]
    weights, scene = token_weights([[[0], [1, 2]]] * 4, 4, xp=xp), scene_arrays([pair(LEFT_OF)] * 4, xp=xp)
    corners = [[(0.0, 0.1 * p, 0.5, 1.0), (0.3, 0.0, 1.0, 0.9 - 0.1 * p)] for p in range(prompts)]
    term = boxes(corners)
    assert not term.rowwise
    rows = []

    def seen(objects, scene):
        rows.append(objects.maps.shape[0])
        return term.term(objects, scene)

    found = CompoundLoss((LossTerm("boxes", seen), LossTerm("spatial", spatial_loss, rowwise=True)))(layers, weights, scene)
    each = [observe(layer.object_maps(weights)) for layer in layers]
    assert rows == [4, 4, 4]
    assert_close(found.terms["boxes"], np.mean([to_numpy(term.term(objects, scene)) for objects in each], axis=0))
    assert_close(found.terms["spatial"], np.mean([to_numpy(spatial_loss(objects, scene)) for objects in each], axis=0))


@given(seed=seeds, relation=relations)
def test_one_scene_serves_all_rows(xp, seed, relation):
    layers = [AttentionMap(xp.asarray(generic(seed + i, 3, 2, 12, 4)), (3, 4), f"layer {i}", "middle") for i in range(2)]
    weights = token_weights([[[0], [1, 2]]] * 3, 4, xp=xp)
    one, many = (paper_loss()(layers, weights, scene_arrays([pair(relation)] * n, xp=xp)) for n in (1, 3))
    assert_close(one.total, many.total)
    assert_close(one.terms["spatial"], many.terms["spatial"])


def test_terms_that_read_no_recorded_level_are_named_with_the_levels_they_read():
    """A term of weight 0 may read what it likes."""
    middle, coarse = LossTerm("m", lambda o, s: o.mass[:, 0], 1.0, ("middle",)), LossTerm("c", lambda o, s: o.mass[:, 0], -2.0, ("coarse",))
    loss = CompoundLoss((middle, coarse, LossTerm("off", middle.term, 0.0, ("middle",)), LossTerm("all", middle.term)))
    assert loss.unread({"coarse"}) == {"m": ("middle",)}
    assert loss.unread({"middle"}) == {"c": ("coarse",)}
    assert loss.unread({"coarse", "middle"}) == {}


@given(seed=seeds, relation=relations)
def test_the_published_terms_take_the_rows_of_several_layers_at_once(xp, seed, relation):
    """Each row's value is the same alone, so that layers of one kind are computed together."""
    objects = observe(xp.asarray(generic(seed, 4, 2, 3, 4)))
    for term in paper_loss().terms:
        assert term.rowwise, term.name
        whole = term.term(objects, scene_arrays([pair(relation)], xp=xp))
        for row in range(4):
            alone = type(objects)(*(part[row : row + 1, ...] for part in objects))
            assert_close(term.term(alone, scene_arrays([pair(relation)], xp=xp))[0], whole[row])
