"""Maps from the columns of the objects' tokens: the numbers and gradients of the whole matrix, at a cost that is counted."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.adapters import columns, fused, kernels
from infsplign.adapters.columns import ColumnAttention, ObjectTokens
from infsplign.adapters.fused import attention
from infsplign.adapters.kernels import CPU
from infsplign.adapters.streamed import StreamedAttention
from infsplign.core import QueryKeyAttention, token_weights
from infsplign.cost.counting import SavedTensors, counted
from infsplign.engine.attention_rows import of_rows
from tests.syncs import no_sync

AXES = [None, (1, 1, 9), (2, 1, 1, 9), (1, 3, 8, 9), (8, 9), (1, 1, 8, 1)]
TOLERANCE = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 5e-3, torch.bfloat16: 2e-2}


@pytest.fixture(autouse=True)
def own_kernel_for_small_ones(monkeypatch):
    """Also for matrices so small that they would be made as one chunk."""
    monkeypatch.setattr(columns, "CHUNK", 0)


def operands(seed, dtype=torch.float64, mask=None, tokens=((0,), (1, 3))):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(2, 3, n, 4, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for n in (8, 9, 9)]
    options = {"scale": 0.7, "text": (2, 6), "grid": (2, 4), "mask": mask}
    weights = token_weights([tokens] * 2, 4, xp=torch, dtype=torch.promote_types(dtype, torch.float32))
    return made, options, weights


def of_whole(query, key, weights, **options):
    """By the plain definition, in double precision."""
    whole = QueryKeyAttention(query.double(), key.double(), **options).probabilities()[..., 2:6].mean(1)
    return (whole @ weights.double()).transpose(1, 2).unflatten(2, (2, 4))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999), axes=st.sampled_from(AXES), dtype=st.sampled_from(list(TOLERANCE)),
    tokens=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=3),
)  # fmt: skip
def test_maps_and_gradients_are_those_of_the_whole(seed, axes, dtype, tokens):
    mask = None if axes is None else torch.randn(axes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
    (query, key, _), options, weights = operands(seed, dtype, mask, tokens)
    maps, expected = ColumnAttention(query, key, **options).object_maps(weights), of_whole(query, key, weights, **options)
    importance = torch.randn(maps.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    assert maps.dtype == weights.dtype
    assert (maps - expected).abs().max() <= TOLERANCE[dtype]
    found, wanted = (torch.autograd.grad((x * importance).sum(), (query, key)) for x in (maps, expected))
    for mine, its in zip(found, wanted, strict=True):
        assert mine.dtype == dtype
        assert (mine.double() - its.double()).abs().max() <= TOLERANCE[dtype] * max(1e-3, float(its.abs().max()))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), dtype=st.sampled_from(list(TOLERANCE)), queries=st.integers(1, 8))
def test_with_the_log_sum_exp_of_the_denoiser_s_own_call(seed, dtype, queries):
    """The maps of some queries, beside the gradient of the call's own result."""
    (query, key, value), options, weights = operands(seed, dtype)
    image, options = slice(0, queries), options | {"grid": (1, queries)}
    importance = torch.randn(2, 2, 1, queries, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    to_out = torch.randn(query.shape, generator=torch.Generator().manual_seed(seed + 2), dtype=torch.float64)
    out, lse = attention(query, key, value, 0.7, CPU)
    maps = ColumnAttention(query[:, :, image], key, lse=lse[:, :, image], **options).object_maps(weights)
    whole = QueryKeyAttention(query.double(), key.double(), **options | {"grid": (2, 4)}).probabilities()
    own = (whole[..., 2:6].mean(1) @ weights.double()).transpose(1, 2)[:, :, None, image]
    found, wanted = (
        torch.autograd.grad((a * to_out).sum() + (b * importance).sum(), (query, key, value))
        for a, b in ((out, maps), (whole @ value.double(), own))
    )
    for mine, its in zip(found, wanted, strict=True):
        assert (mine.double() - its.double()).abs().max() <= TOLERANCE[dtype] * float(its.abs().max())


def test_gradcheck():
    (query, key, value), options, weights = operands(0)

    def maps(query, key, value):
        out, lse = attention(query, key, value, 0.7, CPU)
        return out, ColumnAttention(query, key, lse=lse, **options).object_maps(weights)

    # gradients that should be 0 may be 1e-154
    assert torch.autograd.gradcheck(maps, (query, key, value), masked=True, check_undefined_grad=False)


@pytest.mark.parametrize("hidden", [-1e4, torch.finfo(torch.float32).min])
def test_large_negative_numbers_at_all_keys_change_nothing(hidden):
    """A softmax does not see what is added to all logits; no digits are lost, though the log-sum-exp itself has none to spare."""
    (query, key, _), options, weights = operands(4, torch.float32)
    expected = ColumnAttention(query, key, **options).object_maps(weights)
    found = ColumnAttention(query, key, **options | {"mask": torch.full((1, 1, 1, 9), hidden)}).object_maps(weights)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("rows", [slice(1, 2), slice(0, 1)])
def test_some_rows_alone_have_the_maps_that_they_have_among_all(rows):
    (query, key, value), options, weights = operands(3)
    _, lse = attention(query, key, value, 0.7, CPU)
    for whole in (ColumnAttention(query, key, **options), ColumnAttention(query, key, lse=lse, **options)):
        (cut,) = of_rows([whole], rows, 2)
        assert type(cut) is ColumnAttention
        torch.testing.assert_close(cut.object_maps(weights[rows]), whole.object_maps(weights)[rows])


def test_an_object_without_tokens_has_an_empty_map():
    (query, key, _), options, weights = operands(0)
    maps = ColumnAttention(query, key, **options).object_maps(0 * weights)
    assert maps.abs().max() == 0
    assert torch.autograd.grad(maps.sum(), query)[0].abs().max() == 0


def test_a_kernel_that_fails_its_check_leaves_the_chunks(monkeypatch):
    def gone(*_):
        raise TypeError("unexpected keyword argument")

    broken = dataclasses.replace(CPU, name="broken", forward=gone)
    monkeypatch.setitem(kernels.KERNELS, "cpu", (broken,))
    (query, key, _), options, weights = operands(6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "log_sum_exp", gone)
        maps = ColumnAttention(query, key, **options).object_maps(weights)
    assert torch.equal(maps, StreamedAttention(query, key, **options).object_maps(weights))
    assert not fused.works(broken, torch.device("cpu"), torch.float64)


def test_a_mask_that_wants_a_gradient_gets_it():
    mask = torch.zeros(1, 1, 1, 9, dtype=torch.float64, requires_grad=True)
    (query, key, _), options, weights = operands(2, mask=mask)
    maps = ColumnAttention(query, key, **options).object_maps(weights)
    assert torch.autograd.grad(maps[0, 0, 0, 0], mask)[0].abs().max() > 0


def test_weights_are_read_once_and_again_when_they_change():
    tokens, weights = ObjectTokens(), torch.zeros(1, 5, 2)
    weights[0, 3, 1] = 1
    assert tokens(weights, 10)[0].tolist() == [13]
    with no_sync():
        assert tokens(weights, 10)[1].shape == (1, 1, 2)
    weights[0, 0, 0] = 0.5
    assert tokens(weights, 10)[0].tolist() == [10, 13]
    assert tokens(weights, 0)[0].tolist() == [0, 3]
    assert len(tokens._read) == 1
    del weights
    assert len(tokens._read) == 0
    with torch.inference_mode():  # no version tells whether such a tensor was changed
        fresh = torch.ones(1, 2, 1)
        assert tokens(fresh, 0)[0].tolist() == [0, 1]
        fresh[0, 0] = 0
        assert tokens(fresh, 0)[0].tolist() == [1]


def test_joint_attention_at_1024_pixels_costs_little_beside_the_denoiser_s_own():
    """4,096 queries, 4,429 keys, 24 heads: operations, operators and bytes, against the same attention made in chunks."""
    query, key, value = (torch.empty(1, 24, 4429, 64, dtype=torch.float16, device="meta", requires_grad=True) for _ in range(3))
    weights, options = torch.empty(1, 333, 2, device="meta"), {"scale": 0.125, "text": (4096, 4429), "grid": (64, 64)}
    to_out = torch.empty_like(query)

    def step(kind):
        saved = SavedTensors()
        with counted() as meter, saved.hooks():
            out, lse = attention(query, key, value, 0.125, CPU)
            own = {"lse": lse[:, :, :4096]} if kind is ColumnAttention else {}
            maps = [] if kind is None else [kind(query[:, :, :4096], key, **own, **options).object_maps(weights)]
            kept = saved.bytes
            torch.autograd.grad([out, *maps], (query, key, value), [to_out, *(torch.empty_like(m) for m in maps)])
        return meter, kept

    (alone, alone_kept), (ours, kept), (chunked, _) = (step(kind) for kind in (None, ColumnAttention, StreamedAttention))
    assert ours.flops - alone.flops < 0.01 * (chunked.flops - alone.flops)
    assert ours.operators - alone.operators <= 40
    assert ours.operators - alone.operators < 0.1 * (chunked.operators - alone.operators)
    assert kept - alone_kept < 5e6  # the columns of two tokens, and the text's keys
    assert ours.peak < chunked.peak


def test_cross_attention_needs_no_more_operators_than_in_one_chunk():
    """28 and 27 with torch 2.13, the attention itself and the sums of gradients included."""
    query, key, value = (torch.randn(1, 4, 12, 8, requires_grad=True) for _ in range(3))
    weights, tokens = torch.eye(12)[None, :, :2].contiguous(), ObjectTokens()
    tokens(weights, 0)

    def operators(kind):
        with counted() as meter:
            out, lse = attention(query, key, value, 0.3, CPU)
            own = {"lse": lse, "object_tokens": tokens} if kind is ColumnAttention else {}
            maps = kind(query, key, 0.3, (0, 12), (3, 4), **own).object_maps(weights)
            torch.autograd.grad((out, maps), (query, key, value), (torch.ones_like(out), torch.ones_like(maps)))
        return meter.operators

    assert operators(ColumnAttention) <= operators(StreamedAttention) + 1


def test_products_read_no_memory_that_nothing_was_written_to():
    """In torch's deterministic mode such memory is filled with NaN."""
    a, b = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
    torch.use_deterministic_algorithms(True)
    try:
        found = columns._product(a, b, 0.5)
        (query, key, _), options, weights = operands(7)
        maps = ColumnAttention(query, key, **options).object_maps(weights)
        grads = torch.autograd.grad(maps.square().sum(), (query, key))
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(found, 0.5 * a @ b)
    assert all(torch.isfinite(x).all() for x in (maps, *grads))


@pytest.mark.parametrize(("tokens", "objects"), [(5, 2), (2, 5), (3, 3)])
def test_without_values_one_token_an_object_is_assumed_and_no_more_than_there_are(tokens, objects):
    found, weights = ObjectTokens()(torch.empty(1, tokens, objects, device="meta"), 4)
    assert (found.shape, found.device.type) == ((min(tokens, objects),), "meta")
    assert weights.shape == (1, min(tokens, objects), objects)


def test_matrices_of_at_most_one_chunk_are_computed_as_one(monkeypatch):
    (query, key, _), options, _ = operands(8)
    own = ColumnAttention(query, key, **options)
    for size, expected in ((2 * 3 * 8 * 9, None), (2 * 3 * 8 * 9 - 1, CPU)):
        monkeypatch.setattr(columns, "CHUNK", size)
        assert own._kernel() is expected


def test_grouped_heads_and_masks_with_a_gradient_have_no_kernel():
    (query, key, _), options, _ = operands(9)
    assert ColumnAttention(query, key, **options)._kernel() is CPU
    assert ColumnAttention(query, key[:, :1], **options)._kernel() is None
    for wanted, expected in ((True, None), (False, CPU)):
        mask = torch.zeros(1, 1, 1, 9, dtype=torch.float64, requires_grad=wanted)
        assert ColumnAttention(query, key, **options | {"mask": mask})._kernel() is expected
