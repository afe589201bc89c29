"""Case 39: what the published resize of maps to 64x64 does to the statistics, as docs/method.md states it."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from infsplign.core import centroid, variance
from infsplign.core.attention import resize

BLOB = np.array([1.0, 2.0, 1.0])


def maps(n):
    """Two soft blobs on a diagonal, away from the border, where a resize would also blur them against it."""
    found = np.zeros((2, n, n))
    for place, one in zip((n // 4, n - 1 - n // 4), found, strict=True):
        one[place - 1 : place + 2, place - 1 : place + 2] = np.outer(BLOB, BLOB)
    return found


@pytest.mark.parametrize(("n", "shrunk"), [(8, 0.889), (16, 0.952), (32, 0.984), (64, 1.0)])
def test_case_39_distances_shrink(n, shrunk):
    before, after = (np.diff(centroid(x), axis=0) for x in (maps(n), resize(maps(n), 64, 64)))
    np.testing.assert_allclose(after / before, (1 - 1 / n) / (1 - 1 / 64), rtol=1e-12)
    assert (1 - 1 / n) / (1 - 1 / 64) == pytest.approx(shrunk, abs=5e-4)


@pytest.mark.parametrize(("n", "shrunk"), [(8, 0.80), (16, 0.91)])
def test_case_39_variances_shrink(n, shrunk):
    """Of an even map: `(64 + 1) / (64 - 1)` over `(n + 1) / (n - 1)`."""
    even = np.ones((n, n))
    ratio = variance(resize(even, 64, 64)) / variance(even)
    assert ratio == pytest.approx((65 / 63) / ((n + 1) / (n - 1)))
    assert ratio == pytest.approx(shrunk, abs=5e-3)


@pytest.mark.parametrize("n", [5, 8, 16, 32, 64, 96])
def test_the_resize_is_that_of_the_published_code(n):
    """torchvision's `resize(..., antialias=True)` is this call of torch."""
    map_ = torch.from_numpy(np.random.default_rng(n).random((1, 1, n, n)))
    expected = interpolate(map_, (64, 64), mode="bilinear", antialias=True, align_corners=False)
    np.testing.assert_allclose(resize(map_, 64, 64), expected, atol=1e-12)
