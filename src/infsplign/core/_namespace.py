"""What the array-API standard lacks and core needs."""

import math
from typing import Any

from array_api_compat import array_namespace, is_jax_namespace, is_numpy_namespace, is_torch_namespace

Array = Any
"""An array of any library of the array-API standard."""


def erf(x: Array) -> Array:
    """The error function of every element. The standard has none, so each library's own is called here and nowhere else.

    numpy has none either: libm's is mapped over the elements without a Python frame for each. A polynomial in whole arrays that is good
    to 2e-15 costs more, and scipy's would make the numbers depend on what is installed.
    """
    xp = array_namespace(x)
    if is_torch_namespace(xp):
        return x.erf()
    if is_jax_namespace(xp):
        from jax.scipy.special import erf as jax_erf  # pyright: ignore[reportMissingImports]

        return jax_erf(x)
    if is_numpy_namespace(xp):
        return xp.reshape(xp.fromiter(map(math.erf, x.ravel().tolist()), x.dtype, x.size), x.shape)
    flat = [math.erf(float(value)) for value in xp.reshape(x, (-1,))]
    return xp.reshape(xp.asarray(flat, dtype=x.dtype, device=device_of(x)), x.shape)


def device_of(x: Array) -> Any:
    """The device to make new arrays on; None lets jax decide, as it must under `jit`."""
    return None if is_jax_namespace(array_namespace(x)) else x.device


def at_least_float32(x: Array) -> Array:
    """`x` in float32 where it is of less: half precision has neither the range for masses nor the digits for centroids."""
    xp = array_namespace(x)
    return x if x.dtype in (xp.float32, xp.float64) else xp.astype(x, xp.float32)
