"""How sure a measure is: percentile bootstrap over prompts.

Images of one prompt resemble each other, so prompts are drawn, and all images of a prompt go together.
"""

from typing import NamedTuple

import numpy as np

from infsplign.evaluation.metrics.ratios import Ratios, divide

RESAMPLES = 10_000
LEVEL = 0.95
FEW = 16
"""Where this many prompts share a row, on average, rows are drawn instead of prompts: the same distribution, with far fewer numbers."""
_AT_ONCE = 4_000_000
"""Numbers drawn at once, to bound memory."""


class Intervals(NamedTuple):
    """Measures with the bounds of their intervals, (M,) each; nan where undefined."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bootstrap(ratios: Ratios, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> Intervals:
    """Percentile intervals of measures. The order of the prompts does not matter, not even to the last digit. One prompt has none: nan; nor
    has a measure to which one prompt alone adds, such as `cond` where one prompt has both objects.

    Args:
        ratios: measures of one method.
        resamples: how many sets of prompts to draw.
        level: of the intervals, in (0, 1).
        seed: of the draws.

    Raises:
        ValueError: `resamples` or `level` out of range.
    """
    draws = _resampled(ratios.numerators, ratios.denominators, resamples, seed)
    return Intervals(ratios.values(), *_percentiles(draws, level))


def paired_difference(first: Ratios, second: Ratios, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> Intervals:
    """Percentile intervals of `second - first`, two methods on the same prompts: each draw takes the same prompts of both.

    Args:
        first, second: the same measures of the same prompts, in the same order.
        resamples, level, seed: see `bootstrap`.

    Raises:
        ValueError: other measures or another number of prompts.
    """
    if first.names != second.names or len(first.numerators) != len(second.numerators):
        raise ValueError(
            f"`first` and `second` must be the same measures of the same prompts, got {first.names} of {len(first.numerators)} "
            f"and {second.names} of {len(second.numerators)}"
        )
    both = first.joined(second)
    draws = _resampled(both.numerators, both.denominators, resamples, seed)
    one, other = np.split(draws, 2, axis=1)
    return Intervals(second.values() - first.values(), *_percentiles(other - one, level))


def _resampled(numerators: np.ndarray, denominators: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Measures of `resamples` sets of prompts, each as large as the whole: (P, M) and (P, M) to (R, M)."""
    if resamples < 1:
        raise ValueError(f"`resamples` must be >= 1, got {resamples}")
    columns = np.concatenate([numerators, denominators], axis=1)
    alone = np.count_nonzero(denominators, axis=0) < 2  # one prompt tells nothing of others, and each draw would be the same
    if alone.all():
        return np.full((resamples, numerators.shape[1]), np.nan)
    distinct, counts = np.unique(columns, axis=0, return_counts=True)
    if len(distinct) * FEW <= len(columns):
        totals = np.random.default_rng(seed).multinomial(len(columns), counts / len(columns), size=resamples) @ distinct
    else:
        totals = _drawn_one_by_one(columns, resamples, seed)
    draws = divide(*np.split(totals, 2, axis=1))
    draws[:, alone] = np.nan
    return draws


def _drawn_one_by_one(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums over the rows of each draw: (P, C) to (R, C)."""
    columns = columns[np.lexsort(columns.T)]  # an order of their own: that of the prompts then plays no part
    prompts, rng = len(columns), np.random.default_rng(seed)
    sums = []
    for start in range(0, resamples, step := max(1, _AT_ONCE // prompts)):
        rows = min(step, resamples - start)
        drawn = rng.integers(prompts, size=(rows, prompts)) + np.arange(rows)[:, None] * prompts
        times = np.bincount(drawn.ravel(), minlength=rows * prompts).reshape(rows, prompts)  # how often each prompt was drawn
        sums.append(times.astype(float) @ columns)
    return np.concatenate(sums)


def _percentiles(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of each column's central part, leaving out draws where the measure is undefined."""
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie in (0, 1), got {level!r}")
    bounds = np.full((2, draws.shape[1]), np.nan)
    for column in range(draws.shape[1]):
        defined = draws[~np.isnan(draws[:, column]), column]
        if defined.size:
            bounds[:, column] = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return bounds[0], bounds[1]
