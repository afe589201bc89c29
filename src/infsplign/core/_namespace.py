"""Functions that core needs and the array-API standard lacks."""

import math
from numbers import Real
from typing import Any

from array_api_compat import array_namespace, is_jax_namespace, is_numpy_namespace, is_torch_namespace

Array = Any
"""An array of any library of the array-API standard."""


def erf(x: Array) -> Array:
    """The error function of every element. The standard has none, so this function calls each library's own.

    numpy has none either, so libm's is mapped over the elements, without a Python frame for each. A polynomial on whole arrays with an
    error of 2e-15 costs more, and scipy's would make the numbers depend on the installed version.
    """
    x = floating(x)
    xp = array_namespace(x)
    if is_torch_namespace(xp):
        return x.erf()
    if is_jax_namespace(xp):
        from jax.scipy.special import erf as jax_erf  # pyright: ignore[reportMissingImports]

        return jax_erf(x)
    if is_numpy_namespace(xp):
        return xp.reshape(xp.fromiter(map(math.erf, x.ravel().tolist()), x.dtype, x.size), x.shape)
    flat = [math.erf(float(value)) for value in xp.reshape(x, (x.size,))]
    return xp.reshape(xp.asarray(flat, dtype=x.dtype, device=device_of(x)), x.shape)


def device_of(x: Array) -> Any:
    """The device to make new arrays on; None lets jax decide, as it must under `jit`."""
    return None if is_jax_namespace(array_namespace(x)) else x.device


def floating(x: Array) -> Array:
    """`x` as real numbers: integers and booleans become the library's default floating type, all else stays.

    Raises:
        TypeError: complex numbers.
    """
    xp = array_namespace(x)
    if xp.isdtype(x.dtype, ("bool", "integral")):
        return xp.astype(x, xp.asarray(0.0).dtype)
    if xp.isdtype(x.dtype, "complex floating"):
        raise TypeError(f"expected an array of real numbers, got {x.dtype}; take the magnitude or the real part")
    return x


def at_least_float32(x: Array) -> Array:
    """Converts half precision to float32: it has neither the range for masses nor the precision for centroids."""
    xp, x = array_namespace(x), floating(x)
    return x if x.dtype in (xp.float32, xp.float64) else xp.astype(x, xp.float32)


def floating_dtype(dtype: Any, xp: Any) -> Any:
    """`dtype`, float64 where it is None.

    Raises:
        TypeError: it cannot hold fractions, which would be cut off.
    """
    if dtype is None:
        return xp.float64
    if not array_namespace(sample := xp.zeros((), dtype=dtype)).isdtype(sample.dtype, "real floating"):
        raise TypeError(f"`dtype` must be a real floating type such as float32, got {dtype}")
    return dtype


def check_flag(value: object, name: str) -> None:
    """Raises TypeError unless `value` is True or False: any text that is not empty, "no" and "False" too, counts as true."""
    if type(value).__name__ != "bool":  # Python's or numpy's
        raise TypeError(f"`{name}` must be True or False, got {value!r}")


def check_number(value: object, name: str) -> None:
    """Raises TypeError unless `value` is a real number, ValueError unless it is finite."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, got {value!r}")
