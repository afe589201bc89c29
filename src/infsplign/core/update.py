"""One update for every parametrisation: a shift of the noise prediction, said in what the model predicts.

At a fixed `x_t = alpha x_0 + sigma eps`, adding `delta` to the noise prediction is

    epsilon   +delta
    v         +delta / alpha             (v = alpha eps - sigma x_0)
    sample    -(sigma / alpha) delta     (x_0)
    flow      +delta / (1 - sigma)       (velocity = eps - x_0, alpha = 1 - sigma)
"""

from numbers import Real
from typing import Any

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, floating

PREDICTIONS = ("epsilon", "v_prediction", "sample", "flow")


def to_prediction(
    delta: Array, prediction: str, *, alpha: Array | float | None = None, sigma: Array | float | None = None, max_gain: float = float("inf")
) -> Array:
    """Converts a shift of the noise prediction into a shift of the model's output.

    Args:
        delta: shift of the noise prediction, any shape.
        prediction: what the model predicts, one of `PREDICTIONS`.
        alpha: signal's coefficient in `x_t`, one number or an array that is broadcast to `delta`; "v_prediction" and "sample" need it, and
            for "flow" it is `1 - sigma` when None.
        sigma: noise's coefficient in `x_t`; "sample" needs it.
        max_gain: cap on the factor's magnitude, which grows without bound as `alpha` goes to 0.

    Raises:
        ValueError: an unknown `prediction`, a coefficient that it needs is missing or a number out of range, or one number a row without
            the other axes.

    >>> to_prediction(1.0, "v_prediction", alpha=0.5), to_prediction(1.0, "flow", sigma=0.75)
    (2.0, 4.0)
    """
    if prediction == "epsilon":
        return delta
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        _check_axes(name, value, getattr(delta, "ndim", 0))
    return gain(prediction, alpha=alpha, sigma=sigma, max_gain=max_gain) * delta


def gain(
    prediction: str, *, alpha: Array | float | None = None, sigma: Array | float | None = None, max_gain: float = float("inf")
) -> Array | float:
    """The factor of `to_prediction`, by which a shift of the noise prediction becomes one of the model's output.

    >>> gain("sample", alpha=0.5, sigma=0.75)
    -1.5
    """
    if isinstance(max_gain, Real) and not max_gain > 0:
        raise ValueError(f"`max_gain` must be a number > 0, got {max_gain!r}")
    if prediction == "epsilon":
        return 1.0
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        most = 1 if prediction == "flow" else float("inf")
        if isinstance(value, Real) and not 0 <= float(value) <= most:  # beyond it, the shift would point the opposite way
            wanted = 'lie in [0, 1] for "flow"' if prediction == "flow" else "be >= 0"
            raise ValueError(f"`{name}` must {wanted}, got {value:g}")
    if prediction == "flow" and alpha is None and sigma is not None:
        alpha = 1.0 - sigma
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        if value is None and prediction in PREDICTIONS and (name == "alpha" or prediction == "sample"):
            raise ValueError(f"`{name}` must be given: by it a shift of the noise becomes one of {prediction!r}")
    if prediction in ("v_prediction", "flow"):
        return _capped(1.0, alpha, max_gain)
    if prediction == "sample":
        return -_capped(sigma, alpha, max_gain)
    raise ValueError(f"`prediction` must be one of {', '.join(PREDICTIONS)}, got {prediction!r}")


def rms(x: Array) -> Array:
    """Root mean square of each row, (B, ...) to (B, 1, ...), also where squares would be too small or too large for the type."""
    xp, x = array_namespace(x), floating(x)
    axes = tuple(range(1, x.ndim))
    largest = xp.max(xp.abs(x), axis=axes, keepdims=True)
    safe = xp.where(largest > 0, largest, xp.ones_like(largest))
    return largest * xp.sqrt(xp.mean((x / safe) ** 2, axis=axes, keepdims=True))


def size_factor(shift: Array, size: float) -> Array:
    """What gives a shift the RMS `size`, row by row: `size / rms(shift)`, 0 for no shift at all.

    Args:
        shift: (B, ...), of the noise prediction.
        size: >= 0, in standard deviations of the noise.

    Returns:
        (B, 1, ...), one factor a row.
    """
    xp = array_namespace(shift)
    found = rms(shift)
    there = found != 0  # not `> 0`: what is not a number stays so
    return xp.where(there, size / xp.where(there, found, xp.ones_like(found)), xp.zeros_like(found))


def bound_factor(shift: Array, most: float) -> Array:
    """What keeps the RMS of a shift of the noise prediction within `most`: `min(1, most / rms(shift))`.

    The noise has an RMS of 1 at every step, whatever the model predicts. So one bound means the same for all: a shift of the noise within
    `most` is one of v within `most / alpha`, of a velocity within `most / (1 - sigma)`, and moves x_0 by `most sigma / alpha`.

    Args:
        shift: (B, ...), of the noise prediction.
        most: > 0, in standard deviations of the noise.

    Returns:
        (B, 1, ...), one factor a row; 1 where the shift is small enough.

    >>> import numpy
    >>> bound_factor(numpy.asarray([[3.0], [0.1]]), 0.5).tolist()
    [[0.16666666666666666], [1.0]]
    """
    xp = array_namespace(shift)
    size = rms(shift)
    within = size <= most
    return xp.where(within, xp.ones_like(size), most / xp.where(within, xp.ones_like(size), size))


def _check_axes(name: str, value: Any, axes: int) -> None:
    """Raises ValueError for one number a row, (B,) or (B, 1), beside an array of more axes: they would be spread along its last ones."""
    if 0 < getattr(value, "ndim", 0) < axes and max(value.shape) > 1:
        wanted = (value.shape[0], *[1] * (axes - 1))
        raise ValueError(f"`{name}` must be one number, or for one a row have the axes of `delta`, {wanted}; got {tuple(value.shape)}")


def _capped(numerator: Array | float, denominator: Array | float, most: float) -> Array | float:
    """`min(numerator / denominator, most)` for numbers; arrays are clipped by their own library."""
    if isinstance(numerator, int | float) and isinstance(denominator, int | float):
        return most if denominator == 0 or numerator / denominator > most else numerator / denominator
    ratio = numerator / denominator
    return array_namespace(ratio).clip(ratio, None, most) if most != float("inf") else ratio
