"""What a violated margin costs. Each takes an array of any shape and returns one of the same shape.

The argument is `alpha * (margin - gap)`: positive while the margin is violated. Source: arXiv 2512.17851, ablation of penalties.
"""

from collections.abc import Callable

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, erf

Penalty = Callable[[Array], Array]


def gelu(x: Array) -> Array:
    """`x * Phi(x)` with the exact normal distribution. Its minimum, -0.17, lies near x = -0.75; left of it the slope is
    slightly negative, so objects far beyond the margin are drawn back a little."""
    return 0.5 * x * (1.0 + erf(x * 0.5**0.5))


def relu(x: Array) -> Array:
    """`max(x, 0)`: nothing once the margin holds."""
    return _positive(x)


def leaky_relu(x: Array) -> Array:
    """`x` where positive, `0.05 x` elsewhere."""
    return 0.05 * x + 0.95 * _positive(x)


def squared_relu(x: Array) -> Array:
    """`max(x, 0)^2`: stronger the further the margin is missed."""
    return _positive(x) ** 2


def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp(-x))`, without overflow: `exp` is only taken of numbers <= 0."""
    xp = array_namespace(x)
    small = xp.exp(_minus_magnitude(x))
    return xp.where(x > 0, 1.0 / (1.0 + small), small / (1.0 + small))


def softplus(x: Array) -> Array:
    """`log(1 + exp(x))`, without overflow."""
    xp = array_namespace(x)
    return _positive(x) + xp.log1p(xp.exp(_minus_magnitude(x)))


def silu(x: Array) -> Array:
    """`x * sigmoid(x)`."""
    return x * sigmoid(x)


def hardtanh(x: Array) -> Array:
    """`x` clipped to [-1, 1]."""
    return array_namespace(x).clip(x, -1.0, 1.0)


def linear(x: Array) -> Array:
    """`x` itself: pushes with the same force wherever the objects are."""
    return x


def _positive(x: Array) -> Array:
    """`max(x, 0)` with slope 0 at 0; a NaN stays a NaN."""
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), x)


def _minus_magnitude(x: Array) -> Array:
    """`-|x|` with slope 1 at 0, where `abs` has slope 0 under automatic differentiation and would stop sigmoid and softplus."""
    return array_namespace(x).where(x > 0, -x, x)


PENALTIES: dict[str, Penalty] = {f.__name__: f for f in (gelu, relu, leaky_relu, squared_relu, sigmoid, softplus, silu, hardtanh, linear)}
"""By name, for the command line and for saved configurations."""
