"""numpy, the strict reference of the standard and torch give the same numbers on the same device they were given."""

import array_api_strict
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infsplign.core import QueryKeyAttention, balance_loss, observe, paper_loss, presence_loss, scene_arrays, spatial_loss, token_weights
from infsplign.core.attention import resize
from infsplign.core.penalties import PENALTIES
from tests.core.numeric import assert_close
from tests.core.strategies import batches, generic, pair, relations, seeds


def compound(xp, seed, relation, device=None):
    """Two layers of queries and keys with a mask, through the published loss."""

    def place(*shape, offset):
        return xp.asarray(generic(seed + offset, *shape), device=device)

    layers = [
        QueryKeyAttention(place(2, 3, 12, 4, offset=i), place(2, 3, 6, 4, offset=i + 5), 3.0, (1, 6), (3, 4), level=level,
                          mask=place(2, 1, 1, 6, offset=9))
        for i, level in enumerate(("coarse", "middle"))
    ]  # fmt: skip
    weights = token_weights([[[0], [2, 3]], [[1], [4]]], 5, xp=xp, device=device)
    return paper_loss()(layers, weights, scene_arrays([pair(relation)] * 2, xp=xp, device=device))


@given(batch=batches())
def test_statistics_and_losses_agree(other, batch):
    rows, maps = batch
    ours, theirs = (observe(xp.asarray(maps)) for xp in (np, other))
    for mine, its in zip(ours, theirs, strict=True):
        assert_close(its, mine)
    for loss in (spatial_loss, presence_loss, balance_loss):
        assert_close(loss(theirs, scene_arrays(rows, xp=other)), loss(ours, scene_arrays(rows, xp=np)))
    assert_close(resize(other.asarray(maps), 7, 5), resize(maps, 7, 5))


@given(x=st.lists(st.floats(-50, 50), min_size=1, max_size=5))
def test_penalties_agree(other, x):
    for penalty in PENALTIES.values():
        assert_close(penalty(other.asarray(x, dtype=other.float64)), penalty(np.asarray(x)), rtol=1e-14)


@given(seed=seeds, relation=relations)
def test_the_compound_of_queries_and_keys_agrees(other, seed, relation):
    ours, theirs = compound(np, seed, relation), compound(other, seed, relation)
    assert_close(theirs.total, ours.total)
    assert_close(theirs.centroid, ours.centroid)
    assert_close(theirs.variance, ours.variance)
    assert theirs.terms.keys() == ours.terms.keys() == {"spatial", "presence", "balance"}
    for name in ours.terms:
        assert_close(theirs.terms[name], ours.terms[name])


@given(seed=seeds, relation=relations)
def test_nothing_moves_to_another_device(seed, relation):
    """The strict library refuses to combine arrays of two devices, so an array made on the default device would raise."""
    device = array_api_strict.Device("device1")
    report = compound(array_api_strict, seed, relation, device)
    assert report.total.device == report.centroid.device == report.maps[0].device == device
    assert resize(report.maps[0], 7, 5).device == device
    for penalty in PENALTIES.values():
        assert penalty(report.total).device == device
