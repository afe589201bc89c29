"""Counts of operations and bytes, against torch's own counter and sums done by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from infsplign.cost.counting import Meter, SavedTensors, counted


def test_operations_are_those_of_torch_s_counter():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(2), torch.nn.Linear(36, 5), torch.nn.GELU())
    x = torch.randn(2, 3, 8, 8)
    with FlopCounterMode(display=False) as expected:
        model(x).sum().backward()
    with Meter() as meter:
        model(x).sum().backward()
    assert meter.flops == expected.get_total_flops() > 0
    assert meter.again == 0


def test_bytes_alive_are_those_of_the_tensors_that_are_there():
    outside = torch.ones(1000)
    with Meter() as meter:
        a = torch.ones(1000)  # 4,000 bytes
        b = a.view(10, 100)[2:]  # a view is no memory of its own
        a += outside
        assert meter.live == 4000
        c = torch.cat([a, a])
        assert (meter.live, meter.peak) == (12000, 12000)
        del c
        assert (meter.live, meter.peak) == (4000, 12000)
        del a
        assert meter.live == 4000  # the view holds it
        del b
        view = outside[10:]
        assert (meter.live, meter.peak) == (0, 12000)
    assert len(view) == 990


def test_saved_bytes_count_each_storage_once_and_fall_with_the_gradient():
    weight, x = torch.randn(100, 100), torch.randn(10, 100, requires_grad=True)
    saved = SavedTensors([weight])
    with saved.hooks():
        y = x @ weight  # needs the weight alone, which is given
        assert saved.bytes == 0
        z = y.exp()  # its result
        total = (z * z).sum()  # twice the same
        assert (saved.bytes, saved.peak) == (4000, 4000)
    torch.autograd.grad(total, x)
    del z, total
    assert (saved.bytes, saved.peak) == (0, 4000)


@pytest.mark.parametrize("mask", [None, torch.bool, torch.float16])
@pytest.mark.parametrize("named", [False, True])
def test_attention_on_meta_tensors_is_fused(mask, named):
    """512 queries and keys of 4 heads: the matrix alone would be 2 MB in half precision; a matrix product is 2 * 512 * 512 * 128."""
    own, product = F.scaled_dot_product_attention, 2 * 512 * 512 * 128
    q, k, v = (torch.empty(1, 4, 512, 32, dtype=torch.float16, device="meta", requires_grad=True) for _ in range(3))
    given = None if mask is None else torch.empty(1, 1, 1, 512, dtype=mask, device="meta")
    with counted() as meter:
        call = {"query": q, "key": k, "value": v, "attn_mask": given} if named else None
        out = F.scaled_dot_product_attention(**call) if call else F.scaled_dot_product_attention(q, k, v, given)
        assert out.shape == q.shape
        assert meter.flops == 2 * product
        torch.autograd.grad(out.sum(), (q, k, v))
    assert meter.flops == 7 * product
    assert meter.again == product
    assert meter.peak < 2**20
    assert F.scaled_dot_product_attention is own


def test_real_tensors_attend_as_ever_while_counted():
    q = torch.randn(1, 2, 8, 4)
    expected = F.scaled_dot_product_attention(q, q, q)
    with counted():
        assert torch.equal(F.scaled_dot_product_attention(q, q, q), expected)
