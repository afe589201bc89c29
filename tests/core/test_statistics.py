"""Mass, centroid and variance of maps."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from infsplign.core import centroid, coordinates, mass, variance
from infsplign.core.statistics import EPSILON
from tests.core import published
from tests.core.numeric import assert_close, assert_gradient, gradient, to_numpy
from tests.core.strategies import generic, grids, maps, seeds

batches = maps(2, 2)


@given(a=batches)
def test_ranges_hold_for_any_map_also_an_empty_one(xp, a):
    c, v = to_numpy(centroid(xp.asarray(a))), to_numpy(variance(xp.asarray(a)))
    assert c.shape == (2, 2, 2)
    assert v.shape == (2, 2)
    assert ((c >= -1e-12) & (c <= 1 + 1e-12)).all()
    assert ((v >= 0) & (v <= 0.5 + 1e-12)).all()


@given(a=batches)
def test_loops_over_the_published_formulas_agree(xp, a):
    assume((a.sum(axis=(2, 3)) > EPSILON).all())
    m, c, v = (f(xp.asarray(a)) for f in (mass, centroid, variance))
    for row, column in np.ndindex(2, 2):
        expected = published.statistics(a[row, column].tolist())
        assert_close(m[row, column], expected[0])
        assert_close(c[row, column, :], expected[1])
        assert_close(v[row, column], expected[2])


@given(a=batches, scale=st.floats(1e-6, 1e6))
def test_scale_changes_mass_alone(xp, a, scale):
    assume((a.sum(axis=(2, 3)) * min(scale, 1) > EPSILON).all())
    assert_close(mass(xp.asarray(a * scale)), scale * mass(xp.asarray(a)), rtol=1e-12)
    assert_close(centroid(xp.asarray(a * scale)), centroid(xp.asarray(a)))
    assert_close(variance(xp.asarray(a * scale)), variance(xp.asarray(a)))


@given(a=batches)
def test_mirrors_and_transposes_move_the_centroid_and_keep_the_variance(xp, a):
    c, v = to_numpy(centroid(xp.asarray(a))), variance(xp.asarray(a))
    for changed, expected in [
        (np.flip(a, 3), c * [-1, 1] + [1, 0]),
        (np.flip(a, 2), c * [1, -1] + [0, 1]),
        (np.swapaxes(a, 2, 3), c[..., ::-1]),
    ]:
        assert_close(centroid(xp.asarray(changed.copy())), expected)
        assert_close(variance(xp.asarray(changed.copy())), v)


@given(a=maps(3, 2), order=st.permutations(range(3)))
def test_rows_and_objects_are_independent(xp, a, order):
    for f in (mass, centroid, variance):
        assert_close(f(xp.asarray(a[order][:, ::-1].copy())), to_numpy(f(xp.asarray(a)))[order][:, ::-1])
        assert_close(f(xp.asarray(a))[1, 1, ...], f(xp.asarray(a[1, 1])))


@given(grid=grids, data=st.data())
def test_a_single_cell_has_its_own_place_and_no_variance(xp, grid, data):
    height, width = grid
    h, w = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    a = np.zeros(grid)
    a[h, w] = data.draw(st.floats(1e-9, 1))
    assert_close(centroid(xp.asarray(a)), [published.position(w, width), published.position(h, height)])
    assert_close(variance(xp.asarray(a)), 0.0)


def test_opposite_corners_have_the_greatest_variance(xp):
    assert_close(variance(xp.asarray([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])), 0.5)


@given(a=maps(1, 1), shift=st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_variance_is_least_about_the_centroid(xp, a, shift):
    """Koenig and Huygens: about any other point it grows by the square of the distance."""
    assume(a.sum() > EPSILON)
    about = to_numpy(centroid(xp.asarray(a))) + np.asarray(shift)
    grown = variance(xp.asarray(a), xp.asarray(about))
    assert_close(grown, variance(xp.asarray(a)) + shift[0] ** 2 + shift[1] ** 2, atol=1e-11)


@given(a=batches)
def test_a_known_centroid_is_not_computed_again(xp, a):
    assert_close(variance(xp.asarray(a), centroid(xp.asarray(a))), variance(xp.asarray(a)), atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_empty_map_lies_in_the_middle(xp, dtype):
    empty = xp.zeros((2, 1, 3, 4), dtype=getattr(xp, dtype))
    assert_close(mass(empty), np.zeros((2, 1)), atol=0)
    assert_close(centroid(empty), np.full((2, 1, 2), 0.5), atol=0)
    assert_close(variance(empty), np.zeros((2, 1)), atol=0)
    assert centroid(empty).dtype == variance(empty).dtype == empty.dtype


@given(grid=grids)
def test_coordinates_are_linspace(xp, grid):
    height, width = grid
    x, y = coordinates(height, width, like=xp.zeros((1,), dtype=xp.float32))
    assert x.dtype == y.dtype == xp.float32
    assert_close(x, np.linspace(0, 1, width) if width > 1 else [0.5], atol=1e-7)
    assert_close(y, np.linspace(0, 1, height) if height > 1 else [0.5], atol=1e-7)


@given(seeds, st.integers(2, 5), st.integers(2, 5))
def test_gradients_are_those_of_central_differences(seed, height, width):
    a, about = generic(seed, height, width), torch.asarray(generic(seed + 1, 2))
    assert_gradient(mass, a)
    assert_gradient(lambda x: centroid(x)[..., 0], a)
    assert_gradient(lambda x: centroid(x)[..., 1], a)
    assert_gradient(variance, a)
    assert_gradient(lambda x: variance(x, about), a)
    assert_gradient(lambda c: variance(torch.asarray(a), c), about)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_at_an_empty_map_is_finite(dtype):
    for f in (lambda x: centroid(x).sum((-1, -2)), variance):
        assert torch.isfinite(gradient(f, torch.zeros(2, 1, 3, 4, dtype=dtype))).all()


def test_the_least_mass_is_public():
    import infsplign.core

    assert infsplign.core.EPSILON is EPSILON
    right = np.asarray([[0.0, 0.0, 1.0]])
    assert_close(centroid(EPSILON * right), [1.0, 0.5])
    assert_close(centroid(0.5 * EPSILON * right), [0.75, 0.5])  # less than EPSILON: on the way to the middle
