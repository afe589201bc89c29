"""Attention maps made a chunk at a time: the numbers and the gradients of the whole, in a fraction of its memory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.adapters import streamed
from infsplign.adapters.streamed import StreamedAttention
from infsplign.core import AttentionMap, QueryKeyAttention, token_weights
from infsplign.cost.counting import SavedTensors, counted
from infsplign.engine.attention_rows import RowsOf, of_rows


def operands(seed, rows=2, heads=3, grid=(2, 4), keys=9, dtype=torch.float64, mask=None):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(rows, heads, n, 4, generator=generator, dtype=torch.float64).to(dtype) for n in (grid[0] * grid[1], keys)]
    options = {"scale": 0.7, "text": (2, 6), "grid": grid, "mask": mask}
    weights = token_weights([[[0], [1, 3]]] * rows, 4, xp=torch, dtype=torch.promote_types(dtype, torch.float32))
    return [x.requires_grad_() for x in made], options, weights


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), chunk=st.integers(1, 400), axes=st.sampled_from([None, (1, 1, 9), (2, 1, 1, 9), (1, 3, 8, 9), (8, 9)]))
def test_maps_and_gradients_are_those_of_the_whole(seed, chunk, axes):
    mask = None if axes is None else torch.randn(axes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    (query, key), options, weights = operands(seed, mask=mask)
    importance = torch.randn(2, 2, 2, 4, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    p = QueryKeyAttention(query, key, **options).probabilities()  # the whole, by the plain definition
    expected = (p[..., 2:6].mean(1) @ weights).transpose(1, 2).unflatten(2, (2, 4))
    wanted = torch.autograd.grad((expected * importance).sum(), (query, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "chunks", lambda shape, keys: chunks(shape, keys, chunk))
        maps = StreamedAttention(query, key, **options).object_maps(weights)
        found = torch.autograd.grad((maps * importance).sum(), (query, key))
    assert torch.allclose(maps, expected, atol=1e-14)
    for mine, its in zip(found, wanted, strict=True):
        assert torch.allclose(mine, its, atol=1e-13)


chunks = streamed.chunks


def test_only_what_wants_a_gradient_gets_one():
    (query, key), options, weights = operands(0)
    maps = StreamedAttention(query, key.detach(), **options).object_maps(weights)
    (gradient,) = torch.autograd.grad(maps.sum(), query)
    assert gradient.abs().max() > 0
    assert not StreamedAttention(query.detach(), key.detach(), **options).object_maps(weights).requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gets_gradients_of_its_own_type_near_those_of_the_same_numbers_in_double(dtype):
    (query, key), options, weights = operands(1, dtype=dtype)
    maps = StreamedAttention(query, key, **options).object_maps(weights)
    assert maps.dtype == torch.float32
    found = torch.autograd.grad(maps.square().sum(), (query, key))
    doubles = [x.detach().double().requires_grad_() for x in (query, key)]
    exact = StreamedAttention(*doubles, **options).object_maps(weights.double())
    for mine, its in zip(found, torch.autograd.grad(exact.square().sum(), doubles), strict=True):
        assert mine.dtype == dtype
        assert torch.allclose(mine.double(), its, rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("axes", [None, (9,), (8, 9), (1, 1, 9), (1, 3, 8, 9), (3, 1, 1, 9)])
@pytest.mark.parametrize("rows", [slice(1, 3), slice(0, 1), slice(2, 3)])
def test_some_rows_alone_have_the_maps_that_they_have_among_all(axes, rows):
    """As they are cut where only some rows are asked for, and as a layer is read that cannot be cut."""
    mask = None if axes is None else torch.randn(axes, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    (query, key), options, weights = operands(3, rows=3, mask=mask)
    weights = weights * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    whole = StreamedAttention(query, key, **options)
    plain = AttentionMap(whole.probabilities()[..., 2:6], options["grid"])
    expected = whole.object_maps(weights)[rows]
    for attention in (whole, QueryKeyAttention(query, key, **options), plain):
        (cut,) = of_rows([attention], rows, 3)
        assert type(cut) is type(attention)
        assert cut.like.shape[0] == rows.stop - rows.start
        for some in (cut, RowsOf(attention, rows, 3)):
            torch.testing.assert_close(some.object_maps(weights[rows]), expected)
    assert of_rows([whole], slice(0, 3), 3) == [whole]


def test_a_mask_that_wants_a_gradient_gets_it():
    mask = torch.zeros(1, 1, 1, 9, dtype=torch.float64, requires_grad=True)
    (query, key), options, weights = operands(2, mask=mask)
    maps = StreamedAttention(query, key, **options).object_maps(weights)
    assert torch.autograd.grad(maps[0, 0, 0, 0], mask)[0].abs().max() > 0


def test_joint_attention_at_1024_pixels_never_holds_its_matrix():
    """4,096 queries, 4,429 keys, 24 heads: 1.7 GB in float32, and autograd would keep it more than once."""
    query, key = (torch.empty(1, 24, n, 64, dtype=torch.float16, device="meta", requires_grad=True) for n in (4096, 4429))
    weights, saved = torch.empty(1, 333, 2, device="meta"), SavedTensors()
    with counted() as meter, saved.hooks():
        maps = StreamedAttention(query, key, 0.125, (4096, 4429), (64, 64)).object_maps(weights)
        assert meter.peak < 150e6
        assert saved.bytes <= 1.01 * (query.nbytes + key.nbytes + weights.nbytes)
        torch.autograd.grad(maps.sum(), (query, key))
    assert saved.peak < 150e6  # with a chunk that is made again
    assert meter.peak < 400e6
    # a product forward, the same again backward, and one for each gradient; the text's columns besides
    assert meter.flops == pytest.approx(4 * 2 * 4096 * 4429 * 24 * 64, rel=0.02)
