"""Object maps made by hand: one Gaussian blob an object."""

from collections.abc import Sequence

import numpy as np


def blob_maps(
    centres: Sequence[tuple[float, float]], *, grid: tuple[int, int] = (12, 16), sigma: float | Sequence[float] = 0.1
) -> np.ndarray:
    """Makes maps with a Gaussian blob for each object: `A_o = exp(-((x - c_x)^2 + (y - c_y)^2) / (2 sigma_o^2))`.

    Args:
        centres: (x, y) of each of O objects, in [0, 1], x to the right, y down.
        grid: (H, W).
        sigma: width of the blobs, > 0, in widths of the map; one number, or one for each object.

    Returns:
        (O, H, W) in float64, with peaks of at most 1.

    >>> blob_maps([(0.0, 0.5), (1.0, 0.5)], grid=(1, 3), sigma=0.5).round(2).tolist()
    [[[1.0, 0.61, 0.14]], [[0.14, 0.61, 1.0]]]
    """
    height, width = grid
    x, y = (np.linspace(0.0, 1.0, n) if n > 1 else np.full(1, 0.5) for n in (width, height))
    places = np.asarray(centres, dtype=np.float64)
    widths = np.broadcast_to(np.asarray(sigma, dtype=np.float64), places.shape[:1])[:, None, None]
    distance = (x[None, None, :] - places[:, 0, None, None]) ** 2 + (y[None, :, None] - places[:, 1, None, None]) ** 2
    return np.exp(-0.5 * distance / widths**2)
