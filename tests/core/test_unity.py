"""Unity against the double sum that it stands for, and what it says of one blob and of two."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infsplign.core import Scene, observe, scene_arrays
from infsplign.core.terms import unity
from infsplign.core.terms.unity import unity_loss
from tests.core.numeric import gradient, to_numpy
from tests.core.strategies import maps

GRID = (9, 12)
blobs = hnp.arrays(np.float64, (3, 3), elements=st.floats(0.1, 1.0))
sigmas = st.floats(0.05, 0.5)


def value(xp, a, **options):
    """The loss of maps (H, W), one object each, in library `xp`."""
    objects = observe(xp.asarray(np.stack([np.asarray(one, dtype=np.float64) for one in a])[None]))
    return float(to_numpy(unity_loss(objects, scene_arrays([Scene(tuple("abcdef"[: len(a)]))], xp=xp), **options))[0])


def placed(*blobs_at, grid=GRID):
    """A map with each blob (h, w) at its upper left corner."""
    found = np.zeros(grid)
    for blob, (row, column) in blobs_at:
        found[row : row + blob.shape[0], column : column + blob.shape[1]] += blob
    return found


def double_sum(a, sigma, power):
    """One minus the chance that two draws are close, from all pairs of cells."""
    p = a**power / (a**power).sum()
    side = math.sqrt(a.size)  # of the square of the same area, in cells
    cells = [(row, column) for row in range(a.shape[0]) for column in range(a.shape[1])]
    return 1.0 - sum(p[x] * p[y] * math.exp(-(math.dist(x, y) ** 2) / (2 * (sigma * side) ** 2)) for x in cells for y in cells)


@settings(max_examples=20, deadline=None)
@given(a=maps(1, 2), sigma=sigmas, power=st.floats(1.0, 4.0))
def test_unity_is_the_double_sum_over_all_pairs_of_cells(xp, a, sigma, power):
    assume((a.max(axis=(2, 3)) > 1e-3).all())
    expected = np.mean([double_sum(one, sigma, power) for one in a[0]])
    assert value(xp, a[0], sigma=sigma, power=power) == pytest.approx(expected, abs=1e-11)


@given(blob=blobs, sigma=sigmas, row=st.integers(0, 6), column=st.integers(0, 9))
def test_one_blob_costs_the_same_wherever_it_is_and_however_bright(blob, sigma, row, column):
    here, there = placed((blob, (0, 0))), placed((0.01 * blob, (row, column)))
    assert value(np, [there], sigma=sigma) == pytest.approx(value(np, [here], sigma=sigma), abs=1e-12)


@given(blob=blobs, sigma=sigmas, share=st.floats(0.1, 1.0), column=st.integers(6, 9))
def test_two_blobs_cost_more_than_one_and_the_more_the_more_even_they_are(blob, sigma, share, column):
    one = value(np, [placed((blob, (0, 0)))], sigma=sigma)
    two = value(np, [placed((blob, (0, 0)), (share * blob, (6, column)))], sigma=sigma)
    even = value(np, [placed((blob, (0, 0)), (blob, (6, column)))], sigma=sigma)
    assert one < two <= even + 1e-12


@given(sigma=sigmas, apart=st.integers(1, 11))
def test_two_cells_cost_one_half_less_their_closeness(xp, sigma, apart):
    cells = placed((np.ones((1, 1)), (4, 0)), (np.ones((1, 1)), (4, apart)))
    closeness = math.exp(-(apart**2) / (2 * sigma**2 * GRID[0] * GRID[1]))
    assert value(xp, [cells], sigma=sigma) == pytest.approx((1.0 - closeness) / 2, abs=1e-12)
    assert value(xp, [placed((np.ones((1, 1)), (4, apart)))], sigma=sigma) == pytest.approx(0.0, abs=1e-12)


def test_a_finer_grid_costs_the_same():
    coarse = placed((np.ones((2, 2)), (1, 1)), (np.ones((2, 3)), (5, 7)))
    fine = np.kron(coarse, np.ones((4, 4)))
    assert value(np, [fine]) == pytest.approx(value(np, [coarse]), abs=0.02)


def test_an_empty_map_costs_one_and_its_gradient_is_finite():
    scene = scene_arrays([Scene(("a", "b"))], xp=torch)
    a = torch.zeros(1, 2, 4, 5)
    assert float(unity_loss(observe(a), scene)) == 1.0
    assert torch.isfinite(gradient(lambda x: unity_loss(observe(x), scene), a)).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("brightness", [1e-4, 1.0])
def test_half_precision_neither_overflows_nor_underflows(dtype, brightness):
    """A single bright cell of 64x64: its square in units of the mean is 2^24, which float16 cannot hold."""
    a = torch.zeros(1, 1, 64, 64, dtype=dtype)
    a[0, 0, 10, 20], a[0, 0, 50, 20] = brightness, brightness
    scene = scene_arrays([Scene(("a",))], xp=torch, dtype=torch.float32)
    assert float(unity_loss(observe(a), scene)) == pytest.approx(0.5, abs=1e-3)
    assert torch.isfinite(gradient(lambda x: unity_loss(observe(x), scene), a)).all()


def test_descent_leaves_one_of_two_blobs_where_it_was():
    scene = scene_arrays([Scene(("a",))], xp=torch)
    start = placed((np.full((2, 2), 1.0), (1, 1)), (np.full((2, 2), 0.8), (6, 9))) + 0.05
    logits = torch.asarray(np.log(start))[None, None]
    for _ in range(300):
        logits = logits.detach().requires_grad_()
        a = torch.softmax(logits.flatten(2), -1).reshape(logits.shape)
        (slope,) = torch.autograd.grad(unity_loss(observe(a), scene).sum(), logits)
        logits = logits - 20.0 * slope
    a = torch.softmax(logits.detach().flatten(2), -1).reshape(logits.shape)[0, 0]
    assert float(a[1:3, 1:3].sum()) > 0.9
    assert float(a[6:8, 9:11].sum()) < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, "`sigma` must be a finite number > 0, got 0.0"),
        ({"sigma": math.inf}, "`sigma` must be a finite number > 0, got inf"),
        ({"sigma": math.nan}, "`sigma` must be a finite number > 0, got nan"),
        ({"power": 0.5}, "`power` must be a finite number >= 1, got 0.5"),
        ({"power": math.inf}, "`power` must be a finite number >= 1, got inf"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    for call in (lambda: unity(**options), lambda: value(np, [np.ones((2, 2))], **options)):
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value) == message


def test_a_power_of_one_is_the_map_itself():
    assert unity(power=1.0).term.keywords["power"] == 1.0
    a = placed((np.ones((1, 1)), (4, 0)), (3 * np.ones((1, 1)), (4, 11)))
    assert value(np, [a], power=1.0, sigma=1e-3) == pytest.approx(1 - (1 + 9) / 16)
