"""Half precision: what goes in may be float16 or bfloat16, what is computed is float32, and the bounds of `docs/losses.md` hold."""

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.core import observe, scene_arrays, token_weights
from tests.core.everything import EVERY_LOSS, EVERY_TERM, SCENES, inputs, layers_of
from tests.core.numeric import assert_close, gradient
from tests.core.strategies import generic, seeds

half = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
SINGLE, DOUBLE = (scene_arrays(SCENES, xp=xp, dtype=dtype) for dtype in (torch.float32, torch.float64))


@half
@settings(max_examples=10)
@given(seed=seeds, brightness=st.floats(0.05, 1.0))
def test_terms_of_half_maps_are_within_the_stated_bounds(dtype, seed, brightness):
    """1e-5 of the float64 value of the same maps, 8 roundings (`finfo.eps / 2`) of that of maps that were not rounded."""
    exact = torch.asarray(brightness * generic(seed, 2, 3, 6, 5))
    rounded = exact.to(dtype)
    objects = observe(rounded)
    assert {x.dtype for x in objects} == {torch.float32}
    for name, term in EVERY_TERM.items():
        value = term(objects, SINGLE)
        assert value.dtype == torch.float32, name
        assert_close(value, term(observe(rounded.double()), DOUBLE), atol=1e-5)
        if "sharp" not in name:  # that one multiplies the maps by 30 in a softmax
            assert_close(value, term(observe(exact), DOUBLE), atol=4 * torch.finfo(dtype).eps)


@half
@settings(max_examples=5)
@given(seed=seeds)
def test_losses_of_half_queries_and_keys_are_those_of_the_same_numbers(dtype, seed):
    def total(loss, kind, out):
        arrays = {name: torch.asarray(value).to(dtype).to(kind) for name, value in inputs(seed).items()}
        weights = token_weights([[[0], [1, 2], [4]], [[0], [4]]], 5, xp=xp, dtype=out)
        return loss(layers_of(arrays, (3, 4)), weights, SINGLE if out == torch.float32 else DOUBLE).total

    for loss in EVERY_LOSS.values():
        found = total(loss, dtype, torch.float32)
        assert found.dtype == torch.float32
        assert_close(found, total(loss, torch.float64, torch.float64), atol=1e-5)


@half
@pytest.mark.parametrize("name", EVERY_TERM)
def test_empty_and_faint_half_maps_have_finite_values_and_slopes(dtype, name):
    faint = torch.full((2, 3, 4, 4), torch.finfo(dtype).tiny, dtype=torch.float32)
    for maps in (torch.zeros(2, 3, 4, 4), faint):
        value = EVERY_TERM[name](observe(maps.to(dtype)), SINGLE)
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient(lambda x: EVERY_TERM[name](observe(x), SINGLE), maps)).all()


def test_the_masses_of_large_half_maps_do_not_overflow():
    maps = torch.full((2, 3, 300, 300), 1.0, dtype=torch.float16)  # the sum, 90 000, is beyond float16
    assert_close(observe(maps).mass, np.full((2, 3), 90_000.0), rtol=1e-6)
