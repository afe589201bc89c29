"""Gradients of the losses: right, finite, mirrored with the picture, and downhill the way each relation asks."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from infsplign.core import (
    QueryKeyAttention,
    balance_loss,
    centroid,
    observe,
    paper_loss,
    presence_loss,
    scene_arrays,
    spatial_loss,
    token_weights,
)
from infsplign.core.penalties import PENALTIES
from infsplign.core.spatial import gaps
from tests.core.numeric import assert_close, assert_gradient, gradient
from tests.core.strategies import MIRROR, RELATIONS, batches, generic, pair, relations, scenes, seeds

LOSSES = (spatial_loss, presence_loss, balance_loss)
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)
every_relation = pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: r.name)


def of_maps(loss, rows, **options):
    """`loss` as a function of maps (B, O, H, W) alone."""
    scene = scene_arrays(rows, xp=torch)
    return lambda maps: loss(observe(maps), scene, **options)


@every_loss
@given(scene=scenes(least=2), seed=seeds)
def test_gradients_are_those_of_central_differences(loss, scene, seed):
    assume(loss is not spatial_loss or scene.relations)
    maps = torch.asarray(generic(seed, len(scene.objects), 3, 4))
    v = observe(maps[None]).variance[0]
    assume(loss is not balance_loss or float(torch.pdist(v[:, None], 1).min()) > 1e-4)  # |v_i - v_j| has a kink at 0
    f = of_maps(loss, [scene])
    assume(float(gradient(f, maps[None]).abs().max()) > 1e-6)  # opposite pulls may cancel
    assert_gradient(f, maps)


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@given(relation=relations, seed=seeds, margin=st.floats(0.3, 1))
def test_spatial_gradients_are_right_under_every_penalty(penalty, relation, seed, margin):
    maps = torch.asarray(generic(seed, 2, 4, 3))
    gap = float(gaps(observe(maps[None]), scene_arrays([pair(relation)], xp=torch))[0, 0])
    assume(margin - gap > 1e-3)  # violated: none of the penalties is flat, none has a kink below 1
    assert_gradient(of_maps(spatial_loss, [pair(relation)], margin=margin, penalty=penalty), maps)


@given(relation=relations, seed=seeds, lambdas=st.tuples(*[st.floats(0.1, 2)] * 3))
def test_the_chain_from_queries_and_keys_to_the_compound_loss(relation, seed, lambdas):
    query, key = torch.asarray(generic(seed, 2, 6, 4)), torch.asarray(generic(seed + 1, 2, 5, 4))
    weights, scene = token_weights([[[0], [1, 3]]], 4, xp=torch), scene_arrays([pair(relation)], xp=torch)
    compound = paper_loss(spatial=lambdas[0], presence=lambdas[1], balance=lambdas[2])

    def total(q, k):
        layers = [QueryKeyAttention(q, k, 4.0, (1, 5), (2, 3), level=level) for level in ("coarse", "middle")]
        v = observe(layers[0].object_maps(weights)).variance.detach()
        assume(float((v[:, 0] - v[:, 1]).abs().min()) > 1e-5)  # the kink of the balance loss
        return compound(layers, weights, scene).total

    assert_gradient(lambda q: total(q, key[None]), query)
    assert_gradient(lambda k: total(query[None], k), key)


@every_loss
@given(batch=batches())
def test_gradients_are_finite_also_at_empty_maps(loss, batch):
    rows, maps = batch
    assert torch.isfinite(gradient(of_maps(loss, rows), maps)).all()


@every_loss
@given(rows=st.lists(scenes(), min_size=2, max_size=4), seed=seeds)
def test_padding_has_no_gradient_and_rows_do_not_mix(loss, rows, seed):
    maps = generic(seed, len(rows), 5, 3, 4)
    wide = [*rows[:-1], rows[-1].__class__(tuple("abcde"))]
    found = gradient(of_maps(loss, wide), maps)
    for row, scene in enumerate(wide):
        count = len(scene.objects)
        assert not found[row, count:].any()
        assert_close(found[row, :count], gradient(of_maps(loss, [scene]), maps[row : row + 1, :count])[0])


@every_loss
@given(relation=relations, seed=seeds)
def test_a_mirrored_picture_has_the_mirrored_gradient(loss, relation, seed):
    maps = torch.asarray(generic(seed, 1, 2, 4, 5))
    flip = (3,) if relation.axis == 0 else (2,)
    mirrored = gradient(of_maps(loss, [pair(MIRROR[relation])]), maps.flip(flip))
    assert_close(mirrored.flip(flip), gradient(of_maps(loss, [pair(relation)]), maps))


@every_relation
@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@given(seed=seeds)
def test_descent_moves_each_object_the_way_the_relation_asks(penalty, relation, seed):
    logits = torch.asarray(np.random.default_rng(seed).standard_normal((1, 2, 4, 5)))
    gap = float(gaps(observe(logits.exp()), scene_arrays([pair(relation)], xp=torch))[0, 0])
    assume(-0.75 < gap < 0.45)  # where every penalty has a slope: relu wants the margin violated, hardtanh not by too much
    f = of_maps(spatial_loss, [pair(relation)], margin=0.5, penalty=penalty)
    slope = gradient(lambda x: f(x.exp()), logits)
    step = 1e-4 * slope / slope.abs().max()
    along = torch.tensor(relation.direction, dtype=logits.dtype)
    moved = (centroid((logits - step).exp()) - centroid(logits.exp())) @ along
    assert float(moved[0, 0]) < -1e-7  # "A left of B": A goes left ...
    assert float(moved[0, 1]) > 1e-7  # ... and B goes right


@every_relation
def test_descent_through_attention_establishes_the_relation(relation):
    """From image queries that know nothing of the relation to both objects on their sides, margin kept."""
    torch.manual_seed(0)
    query, key = torch.randn(1, 2, 36, 8, dtype=torch.float64), torch.randn(1, 2, 4, 8, dtype=torch.float64)
    weights, scene = token_weights([[[1], [2]]], 4, xp=torch), scene_arrays([pair(relation)], xp=torch)

    def layers(q):
        return [QueryKeyAttention(q, key, 8**-0.5, (0, 4), (6, 6))]

    def gap(q):
        return float(gaps(observe(layers(q)[0].object_maps(weights)), scene)[0, 0])

    assert abs(gap(query)) < 0.1
    for _ in range(60):
        query = query - 20.0 * gradient(lambda q: paper_loss(presence=0.0)(layers(q), weights, scene).total, query)
    assert gap(query) > 0.25
