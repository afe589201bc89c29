"""Penalties of a violated margin. Each takes an array of any shape and returns one of the same shape.

The argument is `alpha * (margin - gap)`: positive while the margin is violated. Source: arXiv 2512.17851, ablation of penalties, and the
published code, which has these fifteen penalties.
"""

from collections.abc import Callable
from functools import wraps

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, erf, floating

Penalty = Callable[[Array], Array]
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
RRELU_SLOPE = 11 / 48
"""Mean of 1/8 and 1/3, the range that `rrelu` draws its slope from while training."""


def _of_reals(penalty: Penalty) -> Penalty:
    """Converts integers to reals for the penalty, because negated unsigned integers would wrap around."""

    @wraps(penalty)
    def of_reals(x: Array) -> Array:
        return penalty(floating(x))

    return of_reals


@_of_reals
def gelu(x: Array) -> Array:
    """`x * Phi(x)` with the exact normal distribution. Its minimum, -0.17, lies near x = -0.75; left of it the slope is
    slightly negative, so objects far beyond the margin are moved back a little."""
    return 0.5 * x * (1.0 + erf(x * 0.5**0.5))


@_of_reals
def relu(x: Array) -> Array:
    """`max(x, 0)`: zero once the margin holds."""
    return _positive(x)


@_of_reals
def leaky_relu(x: Array) -> Array:
    """`x` where positive, `0.05 x` elsewhere."""
    return 0.05 * x + 0.95 * _positive(x)


@_of_reals
def squared_relu(x: Array) -> Array:
    """`max(x, 0)^2`: stronger the further the margin is missed."""
    return _positive(x) ** 2


@_of_reals
def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp(-x))`, without overflow: `exp` is only taken of numbers <= 0."""
    xp = array_namespace(x)
    small = xp.exp(_minus_magnitude(x))
    return xp.where(x > 0, 1.0 / (1.0 + small), small / (1.0 + small))


@_of_reals
def softplus(x: Array) -> Array:
    """`log(1 + exp(x))`, without overflow."""
    xp = array_namespace(x)
    return _positive(x) + xp.log1p(xp.exp(_minus_magnitude(x)))


@_of_reals
def silu(x: Array) -> Array:
    """`x * sigmoid(x)`."""
    return x * sigmoid(x)


@_of_reals
def hardtanh(x: Array) -> Array:
    """`x` clipped to [0, 1], as in the published code; the function that goes by this name elsewhere clips to [-1, 1]."""
    return array_namespace(x).clip(x, 0.0, 1.0)


@_of_reals
def linear(x: Array) -> Array:
    """`x` itself: pushes with the same force wherever the objects are."""
    return x


@_of_reals
def elu(x: Array) -> Array:
    """`x` where positive, `exp(x) - 1` elsewhere: the pull fades once the margin holds."""
    return _positive(x) + _negative_expm1(x)


@_of_reals
def celu(x: Array) -> Array:
    """`max(x, 0) + min(exp(x) - 1, 0)`: with the slope 1 of the published code it is `elu`."""
    return elu(x)


@_of_reals
def selu(x: Array) -> Array:
    """`1.0507 (x where positive, 1.6733 (exp(x) - 1) elsewhere)`: `elu` with the constants of arXiv 1706.02515."""
    return SELU_SCALE * (_positive(x) + SELU_ALPHA * _negative_expm1(x))


@_of_reals
def softsign(x: Array) -> Array:
    """`x / (1 + |x|)`: between -1 and 1."""
    return x / (1.0 + array_namespace(x).abs(x))


@_of_reals
def logrelu(x: Array) -> Array:
    """`log(1 + max(x, 0))`: zero once the margin holds, with a smaller slope the further it is missed."""
    return array_namespace(x).log1p(_positive(x))


@_of_reals
def rrelu(x: Array) -> Array:
    """`x` where positive, `11/48 x` elsewhere: the mean slope of the randomised ReLU, as the published code does without training."""
    return RRELU_SLOPE * x + (1.0 - RRELU_SLOPE) * _positive(x)


def _positive(x: Array) -> Array:
    """`max(x, 0)` with slope 0 at 0; a NaN stays a NaN."""
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), x)


def _negative_expm1(x: Array) -> Array:
    """`exp(min(x, 0)) - 1` with slope 1 at 0; a NaN stays a NaN."""
    xp = array_namespace(x)
    return xp.expm1(xp.where(x > 0, xp.zeros_like(x), x))


def _minus_magnitude(x: Array) -> Array:
    """`-|x|` with slope 1 at 0, where `abs` has slope 0 under automatic differentiation and would stop sigmoid and softplus."""
    return array_namespace(x).where(x > 0, -x, x)


PENALTIES: dict[str, Penalty] = {
    f.__name__: f
    for f in (
        *(gelu, relu, leaky_relu, squared_relu, sigmoid, softplus, silu, hardtanh, linear),
        *(selu, celu, elu, softsign, logrelu, rrelu),
    )
}
"""By name, for the command line and for saved configurations."""
