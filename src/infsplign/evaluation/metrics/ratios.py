"""Measures as ratios of sums over prompts: one form for all of them, so that one bootstrap serves all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ratios:
    """Some measures of one method, each `sum over prompts of numerator / sum over prompts of denominator`.

    Attributes:
        names: M measures.
        numerators: (P, M), what each prompt adds, such as its correct images.
        denominators: (P, M), what each prompt could have added, such as its images.

    Raises:
        ValueError: no prompt, or shapes that do not fit.
    """

    names: tuple[str, ...]
    numerators: np.ndarray
    denominators: np.ndarray

    def __post_init__(self) -> None:
        shape = np.shape(self.numerators)
        if len(shape) != 2 or np.shape(self.denominators) != shape or shape[1] != len(self.names):
            wanted, other = f"(prompts, {len(self.names)})", np.shape(self.denominators)
            raise ValueError(f"`numerators` and `denominators` must have shape {wanted}, got {shape} and {other}")
        if not shape[0]:
            raise ValueError("`numerators` must hold at least one prompt, got none")

    @classmethod
    def of(cls, names: Sequence[str], rows: Sequence[Sequence[tuple[float, float]]]) -> "Ratios":
        """Builds measures from one row a prompt of (numerator, denominator) pairs, one a measure."""
        table = np.array(rows, dtype=float).reshape(len(rows), len(names), 2)  # (P, M, 2)
        return cls(tuple(names), table[..., 0], table[..., 1])

    def joined(self, other: "Ratios") -> "Ratios":
        """These measures and further ones of the same prompts."""
        return Ratios(
            self.names + other.names,
            np.concatenate([self.numerators, other.numerators], axis=1),
            np.concatenate([self.denominators, other.denominators], axis=1),
        )

    def values(self) -> np.ndarray:
        """(M,): the measures; nan where a denominator is 0."""
        return divide(self.numerators.sum(0), self.denominators.sum(0))


def divide(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Quotients of arrays of one shape, nan where the denominator is 0."""
    undefined = np.full(np.shape(numerators), np.nan)
    return np.divide(numerators, denominators, out=undefined, where=np.asarray(denominators) != 0)
