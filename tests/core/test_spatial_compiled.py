"""Every relation under jax and torch, jitted and compiled whole: the values of numpy and the same gradients."""

import warnings

import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from jax import numpy as jnp

from infsplign.core import holds, observe, scene_arrays, spatial_loss
from tests.core.numeric import assert_close, gradient
from tests.core.strategies import generic, seeds
from tests.core.test_spatial import EVERY

SHAPE = (len(EVERY), 3, 4, 5)


def total(maps, arrays):
    return spatial_loss(observe(maps), arrays, alpha=1.5)


@pytest.fixture(scope="module")
def of_jax():
    """Loss and gradient, jitted, in double precision; the scene is an argument, so that nothing of it is read while compiling."""
    with jax.enable_x64(True):
        arrays = scene_arrays(EVERY, xp=jnp)
        losses = jax.jit(total)
        slopes = jax.jit(jax.grad(lambda maps, arrays: total(maps, arrays).sum()))
        yield lambda maps: (losses(jnp.asarray(maps), arrays), slopes(jnp.asarray(maps), arrays))


@given(seed=seeds)
@settings(max_examples=10)
def test_jax_jitted_agrees_with_numpy_and_its_gradient_with_torch(of_jax, seed):
    maps = generic(seed, *SHAPE)
    losses, slopes = of_jax(maps)
    assert losses.dtype == np.float64
    assert_close(losses, total(maps, scene_arrays(EVERY, xp=np)))
    assert_close(slopes, gradient(lambda x: total(x, scene_arrays(EVERY, xp=torch)), maps))


def test_jax_maps_that_are_empty_have_finite_gradients(of_jax):
    assert all(np.isfinite(found).all() for found in of_jax(np.zeros(SHAPE)))


def test_torch_compiles_the_whole_loss_as_one_graph():
    maps, arrays = torch.asarray(generic(0, *SHAPE)), scene_arrays(EVERY, xp=torch)

    def both(maps, arrays):
        return total(maps, arrays), holds(observe(maps), arrays)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")  # array-api-compat's look-ups
        found = torch.compile(both, fullgraph=True, backend="eager")(maps, arrays)
    for mine, its in zip(both(maps, arrays), found, strict=True):
        assert torch.equal(mine, its)
