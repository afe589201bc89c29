"""Half-precision gradients: nothing is lost to underflow, overflow costs a row one step, rows do not see each other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infsplign import Steps
from infsplign.engine.loss_scale import BACKOFF, HALF_LOSS_SCALE, LossScale
from tests.engine.test_steps import TIMES, made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_only_float16_is_scaled(dtype):
    scale, loss = LossScale(), torch.ones(2)
    assert scale.scaled(loss, dtype) is loss
    gradient = torch.full((2, 3), 1e-30, dtype=dtype)
    found, wanted = scale.unscaled(gradient), gradient.to(torch.promote_types(dtype, torch.float32))
    assert found.dtype == wanted.dtype
    assert torch.equal(found, wanted)


@given(st.floats(1e-8, 1.0), st.floats(1e-8, 1.0))
def test_a_gradient_through_half_numbers_survives(a, b):
    """`d loss / d x` of `loss = a x_0 + b x_1`, passed through float16 on its way: relative error of a rounding, not of underflow."""
    scale, wanted = LossScale(), torch.tensor([[a, b]])
    x = torch.zeros(1, 2, dtype=torch.float16, requires_grad=True)
    loss = (x.float() * wanted).sum(1)
    (gradient,) = torch.autograd.grad(scale.scaled(loss, torch.float16).sum(), x)
    assert torch.allclose(scale.unscaled(gradient), wanted, rtol=1e-3)


def test_a_row_that_overflows_sits_a_step_out_and_is_scaled_less():
    scale = LossScale()
    for step, factor in enumerate((HALF_LOSS_SCALE, HALF_LOSS_SCALE / BACKOFF)):
        scaled = scale.scaled(torch.ones(2), torch.float16)
        assert scaled.tolist() == [HALF_LOSS_SCALE, factor]
        gradient = (scaled[:, None] * torch.tensor([[1e-3], [100.0]])).half()
        found = scale.unscaled(gradient).flatten().tolist()
        assert found == pytest.approx([1e-3, 0.0 if step == 0 else 100.0], rel=1e-3)


def test_what_is_never_finite_becomes_an_error_in_the_end():
    scale = LossScale()
    for _ in range(4):
        scale.scaled(torch.ones(1), torch.float16)
        found = scale.unscaled(torch.full((1, 2), float("nan"), dtype=torch.float16))
    assert found.isnan().all()


def test_each_sampling_begins_with_the_first_factor():
    """Else an image would depend on those that were sampled before it."""
    _, guidance = made()
    first = guidance._loss_scale
    first._factor = torch.ones(1)
    Steps(guidance, TIMES)
    assert guidance._loss_scale is not first
    assert guidance._loss_scale._factor is None
