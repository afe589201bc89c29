"""Where an object is: mass, centroid and variance of its map.

Coordinates are (x, y), x to the right, y down, both in [0, 1]: grid positions are `linspace(0, 1, n)`; a single row or column
lies at 0.5. Maps of integers or booleans count as real numbers. Source: arXiv 2512.17851, section 3.
"""

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, device_of, floating

EPSILON = 1e-12
"""Least mass that a map is divided by, so that an empty map gives finite statistics: centroid (0.5, 0.5), variance 0."""
SHARPNESS = 4
"""Power of `sharpened`."""
LEAST_EXTENT = 0.01
"""Extent of a single cell, so that the gradient of `extent` stays below 50."""


def coordinates(height: int, width: int, *, like: Array) -> tuple[Array, Array]:
    """Returns x positions (W,) and y positions (H,) in [0, 1], with the floating type and the device of `like`."""
    xp, like = array_namespace(like), floating(like)

    def axis(n: int) -> Array:
        if n == 1:
            return xp.full((1,), 0.5, dtype=like.dtype, device=device_of(like))
        return xp.arange(n, dtype=like.dtype, device=device_of(like)) / (n - 1)  # a list would be copied to the device

    return axis(width), axis(height)


def mass(maps: Array) -> Array:
    """Sums each map: `m = sum_{h,w} A[h, w]`.

    Args:
        maps: (..., H, W), not negative.

    Returns:
        (...).
    """
    return array_namespace(maps).sum(floating(maps), axis=(-2, -1))


def centroid(maps: Array) -> Array:
    """Computes the centre of mass: `c = (sum x A / m, sum y A / m)`.

    The sums are taken about the middle of the picture, `c = 0.5 + sum (x - 0.5) A / max(m, EPSILON)`: the same value, and an
    empty map lies in the middle.

    Args:
        maps: (..., H, W), not negative.

    Returns:
        (..., 2), x then y, in [0, 1].

    >>> import numpy
    >>> centroid(numpy.asarray([[0.0, 0.0, 1.0]])).tolist()
    [1.0, 0.5]
    """
    return _Sums(maps).centroid()


def variance(maps: Array, centroids: Array | None = None) -> Array:
    """Computes the spread about the centroid: `v = sum ((x - c_x)^2 + (y - c_y)^2) A / m`.

    Args:
        maps: (..., H, W), not negative.
        centroids: (..., 2), when already known.

    Returns:
        (...), in [0, 0.5]: 0 for a single cell, 0.5 for opposite corners.
    """
    found = _Sums(maps)
    return found.variance(found.centroid() if centroids is None else centroids)


def moments(maps: Array) -> tuple[Array, Array, Array]:
    """`mass`, `centroid` and `variance` of `maps` (..., H, W), the sums over its rows and columns made once."""
    found = _Sums(maps)
    about = found.centroid()
    return found.mass, about, found.variance(about)


def sharpened(maps: Array) -> Array:
    """Raises maps to the fourth power, in units of their mean: `(A / mean A)^4`. This reduces an even background.

    A map of 0 and 1 only changes by a factor. On a background half as bright as an object that covers a tenth of the picture, the
    object has 18% of the mass of the map, and 64% of the mass of the sharpened map.

    Args:
        maps: (..., H, W), not negative.

    Returns:
        (..., H, W).
    """
    xp, maps = array_namespace(maps), floating(maps)
    cells = maps.shape[-2] * maps.shape[-1]
    mean = _safe(xp, mass(maps))[..., None, None] / cells
    return (maps / mean) ** SHARPNESS


def extent(variances: Array) -> Array:
    """Size of an object about its centroid: `e = sqrt(v + LEAST_EXTENT^2)`; an even disc has 0.71 of its radius."""
    return array_namespace(variances).sqrt(floating(variances) + LEAST_EXTENT**2)


class _Sums:
    """Sums of maps that the statistics share."""

    def __init__(self, maps: Array) -> None:
        self.xp, maps = array_namespace(maps), floating(maps)
        self.mass = mass(maps)
        self.x, self.y = coordinates(maps.shape[-2], maps.shape[-1], like=maps)
        self.columns, self.rows = self.xp.sum(maps, axis=-2), self.xp.sum(maps, axis=-1)  # (..., W), (..., H)
        self.total = _safe(self.xp, self.mass)

    def centroid(self) -> Array:
        cx = self.xp.sum(self.columns * (self.x - 0.5), axis=-1) / self.total
        cy = self.xp.sum(self.rows * (self.y - 0.5), axis=-1) / self.total
        return 0.5 + self.xp.stack((cx, cy), axis=-1)

    def variance(self, about: Array) -> Array:
        along_x = self.xp.sum(self.columns * (self.x - about[..., 0:1]) ** 2, axis=-1)
        along_y = self.xp.sum(self.rows * (self.y - about[..., 1:2]) ** 2, axis=-1)
        return (along_x + along_y) / self.total


def _safe(xp, total: Array) -> Array:
    return xp.maximum(total, xp.full_like(total, EPSILON))
