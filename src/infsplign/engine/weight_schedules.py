"""Weights of guidance over time: functions from the progress in the guided part, in [0, 1), to a factor of `scale`."""

import math
from collections.abc import Callable


def constant(progress: float) -> float:
    """`w(p) = 1`."""
    return 1.0


def linear_decay(progress: float) -> float:
    """`w(p) = 1 - p`.

    >>> linear_decay(0.25)
    0.75
    """
    return 1.0 - progress


def cosine_decay(progress: float) -> float:
    """`w(p) = (1 + cos(pi p)) / 2`: nearly 1 early on, nearly 0 at the end.

    >>> cosine_decay(0.5)
    0.5
    """
    return 0.5 * (1.0 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[float], float]] = {f.__name__: f for f in (constant, linear_decay, cosine_decay)}
"""By name, for saved configurations."""
