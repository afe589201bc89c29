"""Heads and tokens to object maps: the softmax, the averages, the resize."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from infsplign.core import AttentionMap, QueryKeyAttention, centroid, token_weights, variance
from infsplign.core.attention import resize, resized
from infsplign.core.chunks import chunks, object_columns
from tests.core import published
from tests.core.numeric import assert_close, assert_gradient, gradient, to_numpy
from tests.core.strategies import generic, grids, maps, seeds

token_sets = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=3)


def random_attention(seed, xp, *, grid=(2, 3), keys=6, text=None, spread=2.0, **options):
    """Two rows, two heads, four channels, from a seed."""
    rng = np.random.default_rng(seed)
    query, key = (xp.asarray(spread * rng.standard_normal((2, 2, n, 4))) for n in (grid[0] * grid[1], keys))
    return QueryKeyAttention(query, key, 0.5, text or (0, keys), grid, **options)


@given(seed=seeds, tokens=token_sets, grid=grids)
def test_object_maps_are_the_published_averages(xp, seed, tokens, grid):
    attention = random_attention(seed, xp, grid=grid)
    found = attention.object_maps(token_weights([tokens, tokens], 6, xp=xp))
    assert found.shape == (2, len(tokens), *grid)
    for row in range(2):
        heads = [published.softmax_over_tokens(to_numpy(attention.query)[row, n].tolist(), to_numpy(attention.key)[row, n].tolist(), 0.5)
                 for n in range(2)]  # fmt: skip
        for number, indices in enumerate(tokens):
            assert_close(found[row, number, ...], published.object_map(heads, sorted(set(indices)), *grid))


@given(seed=seeds, start=st.integers(0, 5), length=st.integers(1, 6))
def test_the_softmax_runs_over_all_keys_and_the_text_is_cut_out_after(xp, seed, start, length):
    stop = min(6, start + length)
    attention = random_attention(seed, xp, text=(start, stop))
    every = attention.probabilities()
    assert every.shape == (2, 2, 6, 6)
    assert attention.text_length == stop - start
    identity = token_weights([[[t] for t in range(stop - start)]], stop - start, xp=xp)  # one object a token, one row for all
    text_only = to_numpy(every)[..., start:stop].mean(axis=1)
    assert_close(attention.object_maps(identity), np.moveaxis(text_only, 2, 1).reshape(2, -1, 2, 3))


@given(seed=seeds, size=st.floats(0, 1e15))
def test_probabilities_sum_to_one_however_large_the_logits(xp, seed, size):
    found = to_numpy(random_attention(seed, xp, spread=size).probabilities())
    assert ((found >= 0) & (found <= 1)).all()
    assert_close(found.sum(axis=-1), np.ones((2, 2, 6)))


@given(seed=seeds, shift=st.floats(-1e3, 1e3))
def test_a_number_added_to_all_logits_changes_nothing(xp, seed, shift):
    plain, masked = random_attention(seed, xp), random_attention(seed, xp, mask=xp.full((1, 1, 1, 6), shift, dtype=xp.float64))
    assert_close(masked.probabilities(), plain.probabilities())


@given(seed=seeds, hidden=st.sets(st.integers(0, 5), min_size=1, max_size=5), value=st.sampled_from([-1e4, -1e9, -3e38, float("-inf")]))
def test_masked_keys_get_nothing_and_the_others_share(xp, seed, hidden, value):
    mask = np.zeros((2, 1, 1, 6))
    mask[1, ..., sorted(hidden)] = value  # the first row keeps all its keys
    attention = random_attention(seed, xp, mask=xp.asarray(mask))
    found, kept = to_numpy(attention.probabilities()), sorted(set(range(6)) - hidden)
    assert (found[1][..., sorted(hidden)] == 0).all()
    shorter = QueryKeyAttention(attention.query, xp.asarray(to_numpy(attention.key)[:, :, kept]), 0.5, (0, len(kept)), (2, 3))
    assert_close(found[1][..., kept], to_numpy(shorter.probabilities())[1])
    assert_close(found[0], to_numpy(random_attention(seed, xp).probabilities())[0], atol=0)
    masked_object = attention.object_maps(token_weights([[[min(hidden)]]], 6, xp=xp))
    assert_close(centroid(masked_object)[1, ...], [[0.5, 0.5]], atol=0)
    assert_close(variance(masked_object)[1, ...], [0.0], atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@given(seed=seeds, size=st.floats(0.1, 8))
def test_half_precision_is_finite_and_near_float64(dtype, seed, size):
    rng = np.random.default_rng(seed)
    query, key = (torch.asarray(size * rng.standard_normal((1, 2, 4, 8))) for _ in range(2))
    weights = token_weights([[[0], [1, 2]]], 4, xp=torch, dtype=torch.float32)

    def maps_of(q, k, w):
        return QueryKeyAttention(q, k, 8**-0.5, (0, 4), (2, 2)).object_maps(w)

    half = maps_of(query.to(dtype), key.to(dtype), weights)
    assert half.dtype == torch.float32
    assert_close(half, maps_of(query.to(dtype).double(), key.to(dtype).double(), weights.double()), atol=1e-4)  # same numbers
    rounding = size**2 * 8**0.5 * 4 * torch.finfo(dtype).eps  # bound on what rounding q and k does to a logit of this size
    assert float((half - maps_of(query, key, weights.double())).abs().max()) <= 4 * rounding
    slope = gradient(lambda q: maps_of(q, key.to(dtype), weights)[:, 0, 0], query.to(dtype))
    assert slope.dtype == dtype
    assert torch.isfinite(slope).all()


def test_half_precision_logits_beyond_its_range_stay_finite():
    query = torch.full((1, 1, 1, 64), 200.0, dtype=torch.float16)
    key = torch.cat([query, -query, query], dim=2)  # logits of 320 000, where float16 ends at 65 504
    assert_close(QueryKeyAttention(query, key, 0.125, (0, 3), (1, 1)).probabilities(), [[[[0.5, 0.0, 0.5]]]], atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_least_number_of_half_precision_hides_a_key(dtype):
    """Diffusers masks with `finfo(dtype).min`, which no sum of logits may turn into -inf or overcome."""
    query = torch.ones(1, 1, 1, 4, dtype=dtype)
    mask = torch.asarray([0.0, torch.finfo(dtype).min, 0.0]).to(dtype)[None, None, None]
    found = QueryKeyAttention(query, -query.expand(1, 1, 3, 4), 0.5, (0, 3), (1, 1), mask=mask).probabilities()
    assert_close(found, [[[[0.5, 0.0, 0.5]]]], atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_maps_take_the_weights_that_the_protocol_promises(dtype):
    attention = AttentionMap(torch.full((1, 2, 6, 4), 0.25, dtype=dtype), (2, 3))
    assert attention.like.dtype == dtype
    found = attention.object_maps(token_weights([[[1], [2, 3]]], 4, xp=torch, dtype=torch.float32))
    assert found.dtype == torch.float32
    assert_close(found, np.full((1, 2, 2, 3), 0.25), atol=0)


@given(seed=seeds)
def test_gradients_are_those_of_central_differences(seed):
    query, key, mask = (torch.asarray(generic(seed + i, *shape)) for i, shape in enumerate([(2, 6, 4), (2, 5, 4), (1, 1, 5)]))
    weights = token_weights([[[0], [1, 3]]], 4, xp=torch)
    importance = torch.asarray(generic(seed + 3, 2, 2, 3))

    def reduced(q, k, m):
        attention = QueryKeyAttention(q, k, 2.0, (1, 5), (2, 3), mask=m)
        return (attention.object_maps(weights) * importance).sum((1, 2, 3))

    assert_gradient(lambda q: reduced(q, key[None], mask), query)
    assert_gradient(lambda k: reduced(query[None], k, mask), key)
    assert_gradient(lambda m: reduced(query[None].expand(len(m), -1, -1, -1), key[None], m), mask)


@given(rows=st.lists(token_sets, min_size=1, max_size=3))
def test_each_column_of_the_weights_averages_the_tokens_of_its_object(xp, rows):
    wide = max(len(row) for row in rows)
    weights = token_weights(rows, 6, xp=xp)
    assert weights.dtype == xp.float64
    expected = np.zeros((len(rows), 6, wide))
    for row, objects in enumerate(rows):
        for column, indices in enumerate(objects):
            for index in indices:  # a token that is named twice counts once
                expected[row, index, column] = 1 / len(set(indices))
    assert_close(weights, expected, atol=0)
    assert token_weights(rows, 6, xp=xp, dtype=xp.float32).dtype == xp.float32


def interpolate(a, *size):
    return torch.nn.functional.interpolate(torch.asarray(a), size, mode="bilinear", antialias=True)


@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor])
def test_a_token_that_is_named_twice_counts_once_in_whatever_it_is_named(kind):
    assert token_weights([[kind([2, 2, 1])]], 3, xp=np).tolist() == [[[0.0], [0.5], [0.5]]]



@given(a=maps(1, 2, grid=st.tuples(st.integers(1, 12), st.integers(1, 12))), height=st.integers(1, 12), width=st.integers(2, 12))
def test_resize_is_the_antialiased_interpolation_of_torch(xp, a, height, width):
    assert_close(resize(xp.asarray(a), height, width), interpolate(a, height, width))


@given(a=maps(1, 2, grid=st.tuples(st.integers(1, 12), st.integers(1, 12))), height=st.integers(2, 12))
def test_resize_to_one_column_is_the_transpose_of_one_row(xp, a, height):
    """Torch 2.13 repeats the first row when it antialiases to a single column, so it is asked for the transpose."""
    assert_close(resize(xp.asarray(a), height, 1), interpolate(np.swapaxes(a, 2, 3).copy(), 1, height).swapaxes(2, 3))


@given(a=maps(1, 1, grid=st.tuples(st.integers(2, 16), st.integers(2, 16))))
def test_the_published_resize_to_64_moves_the_statistics_a_little(xp, a):
    """Published quirk: resizing aligns the edges of cells where `linspace` aligns their centres, which pulls centroids inwards."""
    assume(a.sum() > 1e-6)
    large = resize(xp.asarray(a), 64, 64)
    assert_close(large, interpolate(a, 64, 64))
    moved = np.abs(to_numpy(centroid(large) - centroid(xp.asarray(a))))[0, 0]
    assert (moved <= 0.6 / np.asarray(a.shape[:1:-1])).all()


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.just(4)), keys=st.integers(1, 9), most=st.integers(1, 500)
)
def test_chunks_hold_each_logit_once_and_no_more_than_asked(shape, keys, most):
    seen = np.zeros(shape[1:3], dtype=int)
    for heads, queries in chunks(shape, keys, most):
        seen[heads, queries] += 1
        size = shape[0] * keys * (heads.stop - heads.start) * (queries.stop - queries.start)
        assert size <= max(most, shape[0] * keys)  # one query of one head is the least
    assert (seen == 1).all()


@given(seed=seeds, chunk=st.integers(1, 200))
def test_the_size_of_the_pieces_changes_nothing(xp, seed, chunk):
    attention = random_attention(seed, xp, text=(1, 5), mask=xp.asarray(generic(seed, 2, 1, 6, 6)))
    weights = token_weights([[[0], [1, 3]]], 4, xp=xp)
    options = {"scale": attention.scale, "text": attention.text, "mask": attention.mask}
    found = object_columns(attention.query, attention.key, weights, chunk=chunk, **options)
    whole = to_numpy(attention.probabilities())[..., 1:5].mean(axis=1) @ to_numpy(weights)
    assert_close(found, whole)


MASKS = [None, (2, 2, 6, 6), (2, 1, 6, 6), (1, 2, 1, 6), (2, 1, 1, 6), (1, 1, 6, 6), (6, 6), (6,)]


@pytest.mark.parametrize("shape", MASKS)
@pytest.mark.parametrize("most", [1, 12, 24, 10**6])
def test_chunks_take_their_part_of_every_kind_of_mask(xp, shape, most):
    """Masks of each head and query, and masks that all heads or all queries share."""
    attention = random_attention(5, xp, text=(1, 5), mask=None if shape is None else xp.asarray(generic(6, *shape)))
    weights = token_weights([[[0], [1, 3]], [[2], [3]]], 4, xp=xp)
    options = {"scale": attention.scale, "text": attention.text, "mask": attention.mask}
    whole = to_numpy(attention.probabilities())[..., 1:5].mean(axis=1) @ to_numpy(weights)
    assert_close(object_columns(attention.query, attention.key, weights, chunk=most, **options), whole)


@pytest.mark.parametrize("shape", MASKS)
def test_the_attention_of_some_rows_is_that_part_of_the_whole(xp, shape):
    attention = random_attention(7, xp, mask=None if shape is None else xp.asarray(generic(8, *shape)))
    weights = token_weights([[[0], [1, 3]], [[2], [3]]], 6, xp=xp)
    whole = attention.object_maps(weights)
    for row in range(2):
        rows = slice(row, row + 1)
        assert_close(attention.of_rows(rows).object_maps(weights[rows, ...]), to_numpy(whole)[rows])
        as_map = AttentionMap(attention.probabilities(), (2, 3))
        assert_close(as_map.of_rows(rows).object_maps(weights[rows, ...]), to_numpy(whole)[rows])


@pytest.mark.parametrize(("grid", "expected"), [((4, 4), (6, 6)), ((4, 8), (6, 12)), ((9, 6), (9, 6)), ((5, 3), (10, 6))])
def test_the_shorter_side_is_resized_and_the_other_follows(xp, grid, expected):
    maps = xp.asarray(generic(9, 2, *grid))
    found = resized(maps, 6)
    assert found.shape == (2, *expected)
    assert_close(found, resize(maps, *expected))
