"""Fused attention with a gradient through its log-sum-exp, against its definition; and what happens when torch's operators change."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.adapters import fused, kernels
from infsplign.adapters.fused import attention, kernel_for, log_sum_exp, works
from infsplign.adapters.kernels import CPU

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}
CPU_DEVICE = torch.device("cpu")


def made(seed, *shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def plain(query, key, value, scale, mask=None):
    """The result and the log-sum-exp by definition, in double precision."""
    logits = scale * query.double() @ key.double().mT
    logits = logits if mask is None else logits + mask.double()
    return logits.softmax(-1) @ value.double(), logits.logsumexp(-1)


def assert_near(found, wanted, dtype):
    for mine, its in zip(found, wanted, strict=True):
        mine, its = mine.detach(), its.detach()
        assert torch.isfinite(mine).all()
        assert (mine.double() - its.double()).abs().max() <= TOLERANCE[dtype] * max(1.0, float(its.abs().max()))


cases = st.fixed_dictionaries(
    {"seed": st.integers(0, 999), "queries": st.integers(1, 40), "keys": st.integers(1, 70), "size": st.sampled_from([4, 7, 16, 40])}
)


@settings(max_examples=25, deadline=None)
@given(case=cases, dtype=st.sampled_from(list(TOLERANCE)), still=st.floats(0, 1))
def test_both_results_and_their_gradients_are_those_of_the_definition(case, dtype, still):
    """Also for queries whose result has no gradient of its own: a share of them, `still`."""
    queries, rest = (2, 3, case["queries"], case["size"]), (2, 3, case["keys"], case["size"])
    query, key, value, to_out = made(case["seed"], queries, rest, rest, queries, dtype=dtype)
    (to_lse,) = made(case["seed"] + 1, queries[:3], dtype=torch.promote_types(dtype, torch.float32))
    to_out[:, :, : round(still * case["queries"])] = 0
    leaves = [x.requires_grad_() for x in (query, key, value)]
    found = attention(*leaves, 0.3, CPU)
    wanted = plain(*leaves, 0.3)
    assert_near(found, wanted, dtype)
    grads = [torch.autograd.grad(pair, leaves, (to_out.to(pair[0].dtype), to_lse.to(pair[1].dtype))) for pair in (found, wanted)]
    assert_near(*grads, dtype)


@settings(max_examples=20, deadline=None)
@given(case=cases, axes=st.sampled_from([None, "keys", "rows", "heads", "all"]), dtype=st.sampled_from(list(TOLERANCE)))
def test_the_log_sum_exp_alone_and_its_gradient(case, axes, dtype):
    s, k, d = case["queries"], case["keys"], case["size"]
    shape = {None: None, "keys": (1, 1, 1, k), "rows": (2, 1, 1, k), "heads": (1, 3, s, k), "all": (2, 3, s, k)}[axes]
    query, key = (x.requires_grad_() for x in made(case["seed"], (2, 3, s, d), (2, 3, k, d), dtype=dtype))
    mask = None if shape is None else made(case["seed"] + 2, shape, dtype=dtype)[0]
    (g,) = made(case["seed"] + 1, (2, 3, s))
    found, wanted = log_sum_exp(query, key, mask, 0.5, CPU), plain(query, key, key, 0.5, mask)[1]
    assert_near([found], [wanted], dtype)
    grads = [torch.autograd.grad(x, (query, key), g.to(x.dtype)) for x in (found, wanted)]
    assert_near(*grads, dtype)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_a_gradient_of_exactly_zero_stays_zero(dtype):
    """Else rounding errors would take its place, which `normalise` enlarges to a whole shift."""
    query, key, value = (x.requires_grad_() for x in made(0, (2, 3, 7, 16), (2, 3, 9, 16), (2, 3, 9, 16), dtype=dtype))
    out, lse = attention(query, key, value, 0.3, CPU)
    to_out, to_lse = torch.zeros_like(out), torch.zeros_like(lse)
    to_lse[0, 1, 2], to_out[0, 1, 5] = 0.5, 0.5
    for found in torch.autograd.grad((out, lse), (query, key, value), (to_out, to_lse)):
        assert torch.isfinite(found).all()
        assert found[0, 1].any()
        assert not found[0, [0, 2]].any()
        assert not found[1].any()


def test_gradcheck():
    query, key, value = (x.requires_grad_() for x in made(0, (1, 2, 5, 4), (1, 2, 6, 4), (1, 2, 6, 4)))
    # `masked` lets gradients be all but 0 (1e-154) where nothing has a gradient
    assert torch.autograd.gradcheck(lambda *x: attention(*x, 0.7, CPU), (query, key, value), masked=True)
    assert torch.autograd.gradcheck(lambda q, k: log_sum_exp(q, k, None, 0.7, CPU), (query, key))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1e-25, 1e-12, 1e12])
def test_gradients_of_any_size_side_by_side(size, dtype):
    """The log-sum-exp's far smaller or far larger than that of the result: right to the rounding of the larger one."""
    query, key, value, to_out = made(3, *[(1, 2, 8, 16)] * 4, dtype=dtype)
    leaves = [x.requires_grad_() for x in (query, key, value)]
    (g,) = made(4, (1, 2, 8), dtype=torch.float32)
    for factor, other in ((1.0, size), (size, 1.0)):
        results = attention(*leaves, 0.3, CPU), plain(*leaves, 0.3)
        given = [(factor * to_out.to(out.dtype), other * g.to(lse.dtype)) for out, lse in results]
        found, wanted = (torch.autograd.grad(pair, leaves, weights) for pair, weights in zip(results, given, strict=True))
        largest = max(float(x.abs().max()) for x in wanted)
        for mine, its in zip(found, wanted, strict=True):
            assert (mine.double() - its.double()).abs().max() <= TOLERANCE[dtype] * largest


def test_the_result_is_torch_s_own_to_the_bit():
    for dtype in TOLERANCE:
        query, key, value = made(5, (2, 3, 33, 24), (2, 3, 50, 24), (2, 3, 50, 24), dtype=dtype)
        assert torch.equal(
            attention(query, key, value, 0.2, CPU)[0], torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=0.2)
        )


def changed(**how):
    return dataclasses.replace(CPU, name="changed", **how)


def off(*results):
    out, lse, rest = CPU.forward(*results)
    return out, lse / 2, rest  # as an operator that has changed to logarithms of another base


def other_gradient(*args):
    to_query, to_key, to_value = CPU.backward(*args)
    return to_query, 1.1 * to_key, to_value


def gone(*_):
    raise RuntimeError("aten::_fused: expected at most 3 arguments")


@pytest.mark.parametrize(
    "how", [{"forward": off}, {"forward": gone}, {"backward": gone}, {"backward": other_gradient}, {"forward": lambda *_: None}]
)
def test_an_operator_that_has_changed_is_not_used(how, monkeypatch):
    kernel = changed(**how)
    assert not works(kernel, CPU_DEVICE, torch.float32)
    query = torch.zeros(1, 1, 4, 8)
    monkeypatch.setitem(kernels.KERNELS, "cpu", (kernel,))
    assert kernel_for(query, masked=False) is None
    monkeypatch.setitem(kernels.KERNELS, "cpu", (kernel, CPU))
    assert kernel_for(query, masked=False) is CPU


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_the_kernel_of_this_machine_works_and_is_tried_once(dtype, monkeypatch):
    assert works(CPU, CPU_DEVICE, dtype)
    monkeypatch.setattr(fused, "_agrees", gone)
    assert works(CPU, CPU_DEVICE, dtype)


def test_a_check_under_the_caller_s_modes_is_not_seen_by_them():
    kernel = changed()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert works(kernel, CPU_DEVICE, torch.float32)


def test_kernels_are_chosen_by_type_mask_head_size_and_torch_s_own_choice():
    def like(dtype, size, device="cpu"):
        return torch.empty(1, 1, 1, size, dtype=dtype, device=device)

    flash, efficient, cudnn = kernels.KERNELS["cuda"]
    assert flash.takes(like(torch.float16, 64), masked=False)
    assert not flash.takes(like(torch.float16, 64), masked=True)
    assert not flash.takes(like(torch.float32, 64), masked=False)
    assert not flash.takes(like(torch.float16, 44), masked=False)
    assert not flash.takes(like(torch.bfloat16, 264), masked=False)
    assert efficient.takes(like(torch.float32, 512), masked=True)
    assert not efficient.takes(like(torch.float64, 64), masked=False)
    assert cudnn.takes(like(torch.bfloat16, 128), masked=True)
    assert kernel_for(like(torch.int8, 64), masked=False) is None
    assert kernel_for(like(torch.float32, 64), masked=False, chosen=CPU.backend.value) is CPU
    assert kernel_for(like(torch.float32, 64), masked=False, chosen=0) is None
    assert kernel_for(like(torch.float32, 64, "meta"), masked=True) is CPU


def test_biases_of_cuda_have_aligned_rows_of_full_size():
    query, key = torch.empty(2, 3, 5, 8), torch.empty(2, 3, 21, 8)
    for shape in ((1, 1, 1, 21), (2, 1, 1, 21), (1, 3, 5, 21), (1, 1, 5, 1)):
        mask = torch.randn(shape)
        bias = kernels._bias(mask, query, key)
        assert torch.equal(bias, mask.expand(2, 3, 5, 21))
        assert bias.stride(-1) == 1
        assert all(bias.stride(axis) % 16 == 0 for axis in range(3))
    assert kernels._bias(None, query, key) is None


def test_the_check_of_a_kernel_draws_no_numbers_of_the_caller_s():
    """It runs before the first guided step of a process; images must not depend on that."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert works(changed(aligned=2), CPU_DEVICE, torch.float32)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_whose_length_no_half_number_holds_keep_the_log_sum_exp_s():
    """The kernel is given O' with rowsum(dO' * O') = rowsum(dO * O) - g."""
    d_out = torch.full((1, 1, 3, 16), 3e4, dtype=torch.float16)
    out, g = torch.randn(1, 1, 3, 16, generator=torch.Generator().manual_seed(0)).half(), torch.tensor([[[0.0, 2e4, -8e4]]])
    other_d_out, other_out = fused._with_lse(d_out, out, g)
    assert other_out.dtype == torch.float16
    found, wanted = ((a.double() * b.double()).sum(-1) for a, b in ((other_d_out, other_out), (d_out, out)))
    assert (found - (wanted - g)).abs().max() < 3e4 * 16 * 2 * torch.finfo(torch.float16).eps
