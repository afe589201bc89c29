"""Unity: the attention of an object is one blob. Source: Rao's quadratic entropy under a Gaussian kernel.

C. R. Rao, "Diversity and dissimilarity coefficients: a unified approach", Theoretical Population Biology 21, 1982.
"""

from collections.abc import Sequence

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, device_of
from infsplign.core.losses import LossTerm, WithOptions
from infsplign.core.object_attention import ObjectAttention, check_fits
from infsplign.core.scene_arrays import SceneArrays
from infsplign.core.statistics import EPSILON


def unity_loss(objects: ObjectAttention, scene: SceneArrays, *, sigma: float = 0.15, power: float = 2.0) -> Array:
    """Asks that two points drawn from an object's map lie close together:

        p_o = A_o^power / sum A_o^power
        L = mean_o (1 - sum_{x,y} p_o(x) p_o(y) exp(-|x - y|^2 / (2 sigma^2)))

    A blob smaller than `sigma` has a low loss, whatever its place and shape. Two of them far apart have 1/2. The variance does not
    distinguish two blobs from one large blob, and pulls both to the middle.

    Args:
        objects: statistics of the maps, (B, O, H, W).
        scene: which objects are present.
        sigma: width of the kernel, > 0, in widths of the picture; in sides of the square of the same area where it is not square.
        power: sharpens the maps, >= 1. A higher power reduces an even background more.

    Returns:
        (B,), in [0, 1]: 0 for a single cell, 1/2 for two cells far apart, 1 for an empty map, which has no gradient.

    Raises:
        ValueError: `sigma` or `power` out of range.
    """
    check_fits(objects, scene)
    _check(sigma, power)
    xp = array_namespace(objects.maps)
    height, width = objects.maps.shape[-2:]
    mean = (objects.mass + EPSILON) / (height * width)  # keeps powers within half a type's range, and cancels in `share`
    sharp = (objects.maps / mean[..., None, None]) ** power
    # the mean of powers is at least the power of the mean, 1: only the total of an empty map is smaller than its number of cells
    share = sharp / (xp.sum(sharp, axis=(-2, -1)) + EPSILON)[..., None, None]  # (B, O, H, W)
    cells = sigma * (height * width) ** 0.5
    rows, columns = (closeness(n, cells, like=objects.maps) for n in (height, width))
    close = xp.sum(share * (rows @ share @ columns), axis=(-2, -1))  # the kernel is a product of one an axis
    return xp.sum((1.0 - close) * scene.present, axis=-1) / xp.sum(scene.present, axis=-1)


def closeness(n: int, sigma: float, *, like: Array) -> Array:
    """The kernel of one axis, `exp(-(i - j)^2 / (2 sigma^2))`, (n, n), with the type and device of `like`.

    Args:
        n: cells of the axis.
        sigma: width of the kernel, in cells.

    >>> import numpy
    >>> closeness(3, 1.0, like=numpy.zeros(1)).round(4).tolist()
    [[1.0, 0.6065, 0.1353], [0.6065, 1.0, 0.6065], [0.1353, 0.6065, 1.0]]
    """
    xp = array_namespace(like)
    cell = xp.arange(n, dtype=like.dtype, device=device_of(like))
    return xp.exp(-0.5 * ((cell[:, None] - cell[None, :]) / sigma) ** 2)


def unity(weight: float = 1.0, *, sigma: float = 0.15, power: float = 2.0, levels: Sequence[str] = ()) -> LossTerm:
    """`unity_loss` as a term of all layers.

    Raises:
        ValueError: `sigma` or `power` out of range.
    """
    _check(sigma, power)
    return LossTerm("unity", WithOptions(unity_loss, sigma=sigma, power=power), weight, tuple(levels), rowwise=True)


def _check(sigma: float, power: float) -> None:
    if not 0 < sigma < float("inf"):
        raise ValueError(f"`sigma` must be a finite number > 0, got {sigma!r}")
    if not 1 <= power < float("inf"):
        raise ValueError(f"`power` must be a finite number >= 1, got {power!r}")
