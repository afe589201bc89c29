"""All of core on numpy, the strict reference, torch and jax: the same values and gradients, compiled or not, on any shape."""

import array_api_compat.torch
import array_api_strict
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from infsplign.core import ABOVE, LEFT_OF, Scene, SceneRelation, observe, scene_arrays
from infsplign.core.spatial import EQUATIONS
from tests.core.everything import EVERY_LOSS, EVERY_TERM, NESTED, SCENES, TERMS_OF_MAPS, everything, in_library, inputs, pulls, weighted
from tests.core.numeric import assert_close, gradient, to_numpy
from tests.core.strategies import generic, seeds

XT = array_api_compat.torch


@pytest.fixture(scope="module")
def ways(jnp, torch_compile):
    """Each way to compute everything, from numpy arrays; compiled once."""
    import jax

    in_jax = jax.jit(lambda arrays: everything(jnp, arrays))
    in_torch = torch_compile(lambda arrays: everything(XT, arrays))
    return {
        "strict": lambda arrays: everything(array_api_strict, in_library(array_api_strict, arrays)),
        "torch": lambda arrays: everything(XT, in_library(XT, arrays)),
        "torch, compiled": lambda arrays: in_torch(in_library(XT, arrays)),
        "jax, compiled": lambda arrays: in_jax(in_library(jnp, arrays)),
    }


@settings(max_examples=8)
@given(seed=seeds)
def test_every_function_has_the_same_values_everywhere(ways, seed):
    arrays = inputs(seed)
    expected = everything(np, arrays)
    assert len(expected) > 50
    for way, compute in ways.items():
        found = compute(arrays)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(to_numpy(found[name]), value, atol=1e-12, rtol=1e-14, err_msg=f"{name} in {way}")


@pytest.fixture(scope="module")
def slopes(jnp, torch_compile):
    """The gradient of all losses with respect to the queries, of each library that has one."""
    import jax

    in_jax = jax.jit(jax.grad(lambda query, arrays: weighted(jnp, {**arrays, "query": query})))

    def of_torch(f):
        def slope(arrays):
            arrays = in_library(XT, arrays)
            return gradient(lambda query: f(query, arrays), arrays["query"])

        return slope

    compiled = torch_compile(lambda query, arrays: weighted(XT, {**arrays, "query": query}))
    return {
        "torch": of_torch(lambda query, arrays: weighted(XT, {**arrays, "query": query})),
        "torch, compiled": of_torch(compiled),
        "jax, compiled": lambda arrays: in_jax(jnp.asarray(arrays["query"]), in_library(jnp, arrays)),
    }


@settings(max_examples=5)
@given(seed=seeds)
def test_gradients_are_those_of_central_differences_everywhere(slopes, seed):
    arrays = inputs(seed)
    along = np.random.default_rng(seed + 1).standard_normal(arrays["query"].shape)
    step = 1e-6
    ahead, behind = (float(weighted(np, {**arrays, "query": arrays["query"] + sign * step * along})) for sign in (1, -1))
    found = {name: to_numpy(slope(arrays)) for name, slope in slopes.items()}
    for name, value in found.items():
        assert abs(value).max() > 1e-3
        np.testing.assert_allclose(value, found["torch"], atol=1e-12, rtol=1e-12, err_msg=name)
        assert (value * along).sum() == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("grid", [(1, 1), (1, 5), (4, 1), (2, 2), (64, 64)], ids=str)
@pytest.mark.parametrize("tokens", [1, 512])
def test_any_grid_and_any_length_of_text(grid, tokens):
    arrays = inputs(0, grid=grid, tokens=tokens, heads=1)
    expected = everything(np, arrays, grid)
    for xp in (array_api_strict, XT):
        found = everything(xp, in_library(xp, arrays), grid)
        for name, value in expected.items():
            assert np.isfinite(value).all(), name
            np.testing.assert_allclose(to_numpy(found[name]), value, atol=1e-12, rtol=1e-14, err_msg=name)
    tensors = in_library(XT, arrays)
    assert torch.isfinite(gradient(lambda query: weighted(XT, {**tensors, "query": query}, grid), tensors["query"])).all()


@pytest.mark.parametrize(("grid", "tokens"), [((1, 1), 1), ((64, 64), 512)], ids=str)
def test_jax_on_the_smallest_and_the_largest_maps(jnp, grid, tokens):
    import jax

    arrays = inputs(0, grid=grid, tokens=tokens, heads=1)
    found = jax.jit(lambda arrays: pulls(jnp, arrays, grid))(in_library(jnp, arrays))
    assert_close(found, pulls(np, arrays, grid))


def test_sixty_four_objects_on_large_maps_in_single_precision():
    count = 64
    chain = tuple(SceneRelation(i, (LEFT_OF, ABOVE)[i % 2], i + 1) for i in range(count - 1))
    scene, maps = Scene(tuple(map(str, range(count))), chain), generic(0, 1, count, 64, 64).astype(np.float32)
    expected = {name: term(observe(maps.astype(np.float64)), scene_arrays([scene], xp=np)) for name, term in TERMS_OF_MAPS.items()}
    packed = scene_arrays([scene], xp=XT, dtype=torch.float32)
    for name, term in TERMS_OF_MAPS.items():
        tensor = torch.asarray(maps).requires_grad_()
        value = term(observe(tensor), packed)
        assert_close(value, expected[name], atol=1e-5)
        assert torch.isfinite(torch.autograd.grad(value.sum(), tensor)[0]).all(), name


def test_all_losses_and_equations_are_tried_here():
    """What the two fixtures cover, so that none is left out unnoticed."""
    from infsplign.core import LOSSES, TERMS

    assert {edge.relation.equation for scene in (*SCENES, *NESTED) for edge in scene.relations} == set(EQUATIONS)
    assert set(LOSSES) == set(EVERY_LOSS)
    assert set(TERMS) < set(EVERY_TERM)
    assert {"spatial", "presence", "balance", "boxes"} < set(EVERY_TERM)
