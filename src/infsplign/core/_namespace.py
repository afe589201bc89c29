"""The two things that the array-API standard lacks and core needs."""

import math
from typing import Any

from array_api_compat import array_namespace, is_jax_namespace, is_torch_namespace

Array = Any
"""An array of any library of the array-API standard."""


def erf(x: Array) -> Array:
    """The error function of every element. The standard has none, so each library's own is called here and nowhere else."""
    xp = array_namespace(x)
    if is_torch_namespace(xp):
        import torch

        return torch.special.erf(x)
    if is_jax_namespace(xp):
        from jax.scipy.special import erf as jax_erf  # pyright: ignore[reportMissingImports]

        return jax_erf(x)
    flat = [math.erf(float(value)) for value in xp.reshape(x, (-1,))]
    return xp.reshape(xp.asarray(flat, dtype=x.dtype, device=device_of(x)), x.shape)


def device_of(x: Array) -> Any:
    """The device to make new arrays on; None lets jax decide, as it must under `jit`."""
    return None if is_jax_namespace(array_namespace(x)) else x.device
