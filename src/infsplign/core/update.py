"""One update for every parametrisation: a shift of the noise prediction, said in what the model predicts.

At a fixed `x_t = alpha x_0 + sigma eps`, adding `delta` to the noise prediction is

    epsilon   +delta
    v         +delta / alpha             (v = alpha eps - sigma x_0)
    sample    -(sigma / alpha) delta     (x_0)
    flow      +delta / (1 - sigma)       (velocity = eps - x_0, alpha = 1 - sigma)
"""

from infsplign.core._namespace import Array

PREDICTIONS = ("epsilon", "v_prediction", "sample", "flow")


def to_prediction(
    delta: Array, prediction: str, *, alpha: Array | float = 1.0, sigma: Array | float = 0.0, max_gain: float = float("inf")
) -> Array:
    """Converts a shift of the noise prediction into a shift of the model's output.

    Args:
        delta: shift of the noise prediction, any shape.
        prediction: what the model predicts, one of `PREDICTIONS`.
        alpha: signal's coefficient in `x_t`, broadcastable to `delta`; for "flow" it is `1 - sigma`.
        sigma: noise's coefficient in `x_t`.
        max_gain: cap on the factor's magnitude, which grows without bound as `alpha` goes to 0.

    Raises:
        ValueError: an unknown `prediction`.

    >>> to_prediction(1.0, "v_prediction", alpha=0.5, sigma=0.8)
    2.0
    """
    if prediction == "epsilon":
        return delta
    if prediction in ("v_prediction", "flow"):
        return _capped(1.0, alpha, max_gain) * delta
    if prediction == "sample":
        return -_capped(sigma, alpha, max_gain) * delta
    raise ValueError(f"`prediction` must be one of {', '.join(PREDICTIONS)}, got {prediction!r}")


def _capped(numerator: Array | float, denominator: Array | float, most: float) -> Array | float:
    """`min(numerator / denominator, most)` for numbers; arrays are clipped by their own library."""
    if isinstance(numerator, int | float) and isinstance(denominator, int | float):
        return most if denominator == 0 or numerator / denominator > most else numerator / denominator
    from array_api_compat import array_namespace

    ratio = numerator / denominator
    return array_namespace(ratio).clip(ratio, None, most) if most != float("inf") else ratio
