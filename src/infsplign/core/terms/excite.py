"""Attend-and-Excite: every object has a place that attends to it strongly. Source: arXiv 2301.13826, equations 1 and 2."""

import math
from collections.abc import Sequence

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, check_flag, check_number, device_of
from infsplign.core.losses import LossTerm, WithOptions
from infsplign.core.object_attention import ObjectAttention, check_fits
from infsplign.core.scene_arrays import SceneArrays


def excite_loss(
    objects: ObjectAttention, scene: SceneArrays, *, worst: bool = True, sigma: float = 0.5, sharpness: float | None = None
) -> Array:
    """Asks for a strong peak: `L_o = max(0, 1 - max_{h,w} smooth(A_o))`, `L = max_o L_o`.

    The published method first takes a softmax of 100 A over the words of the prompt, the start token left out. Here the maps are already
    reduced to objects, so that the other words are gone: by default the maps count as they are, and their peaks stay well below 1
    because the start token has its share. `sharpness=100` gives the nearest that is left, a softmax over the row's objects alone.
    Unlike the published one it is 1 everywhere, and the loss 0, for a single object; with it, the objects compete for each place.

    Args:
        objects: statistics of the maps, which must be probabilities.
        scene: which objects are present.
        worst: the most neglected object alone, as published; the mean over objects otherwise.
        sigma: width of the 3x3 smoothing in cells, as in the published code: see `smoothing`. 0 smooths nothing.
        sharpness: None, or the factor of the maps in a softmax over objects.

    Returns:
        (B,), in [0, 1].
    """
    check_fits(objects, scene)
    check_flag(worst, "worst")
    xp = array_namespace(objects.maps)
    maps = objects.maps if sharpness is None else _compete(objects.maps, scene.present, sharpness)
    if sigma:
        maps = smooth(maps, sigma)
    missing = 1.0 - xp.max(maps, axis=(-2, -1))
    missing = xp.where(missing > 0, missing, xp.zeros_like(missing)) * scene.present  # (B, O); never below the 0 of padding
    return xp.max(missing, axis=-1) if worst else xp.sum(missing, axis=-1) / xp.sum(scene.present, axis=-1)


def smooth(maps: Array, sigma: float) -> Array:
    """Smooths maps (..., H, W) with three cells an axis, mirrored at the border: two matrix products, `rows @ maps @ columns^T`."""
    xp = array_namespace(maps)
    rows, columns = (xp.asarray(smoothing(n, sigma), dtype=maps.dtype, device=device_of(maps)) for n in maps.shape[-2:])
    return rows @ maps @ xp.matrix_transpose(columns)


def smoothing(n: int, sigma: float) -> list[list[float]]:
    """Rows of weights `exp(-(d / (2 sigma))^2)` at d = -1, 0, 1, of sum 1; what falls off the axis is mirrored at its last cell.

    The published code divides by `2 sigma` inside the square, so its "sigma 0.5" is a Gaussian of deviation `sqrt(2) sigma`.

    >>> [[round(weight, 4) for weight in row] for row in smoothing(3, 0.5)]
    [[0.5761, 0.4239, 0.0], [0.2119, 0.5761, 0.2119], [0.0, 0.4239, 0.5761]]
    """
    side = math.exp(-((1.0 / (2.0 * sigma)) ** 2))
    weights = [[0.0] * n for _ in range(n)]
    for row in range(n):
        for step, weight in ((-1, side), (0, 1.0), (1, side)):
            mirrored = abs(row + step) if row + step < n else 2 * (n - 1) - row - step
            weights[row][mirrored if n > 1 else 0] += weight / (1.0 + 2.0 * side)
    return weights


def _compete(maps: Array, present: Array, sharpness: float) -> Array:
    """`softmax over the row's objects of sharpness * A`, at each position; padding takes no part."""
    xp = array_namespace(maps)
    there = present[:, :, None, None]
    logits = sharpness * xp.where(there > 0, maps, xp.full_like(maps, -1.0))  # below any probability, so never the maximum
    weights = xp.exp(logits - xp.max(logits, axis=1, keepdims=True)) * there
    return weights / xp.sum(weights, axis=1, keepdims=True)


def excite(
    weight: float = 1.0,
    *,
    worst: bool = True,
    sigma: float = 0.5,
    sharpness: float | None = None,
    levels: Sequence[str] = ("coarse",),
) -> LossTerm:
    """`excite_loss` as a term of the coarse level, the one that is 16x16 in Stable Diffusion, as published.

    Raises:
        TypeError: `worst` is neither True nor False, or `sigma` or `sharpness` no number.
        ValueError: one of them is negative or not finite.
    """
    check_flag(worst, "worst")
    for name, value in (("sigma", sigma), ("sharpness", 0.0 if sharpness is None else sharpness)):
        check_number(value, name)
        if value < 0:
            raise ValueError(f"`{name}` must be >= 0, got {value!r}")
    return LossTerm("excite", WithOptions(excite_loss, worst=worst, sigma=sigma, sharpness=sharpness), weight, tuple(levels), rowwise=True)
