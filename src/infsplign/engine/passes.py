"""Counts of the rows that went through the denoiser: plain, guided, watched."""

from dataclasses import dataclass


@dataclass
class Passes:
    """Numbers of rows that the denoiser has run. Under classifier-free guidance, an unguided image of n steps takes 2 n plain rows.

    Attributes:
        plain: no attention was read.
        guided: attention was recorded with a graph, and the loss differentiated.
        watched: attention was read without a graph.
    """

    plain: int = 0
    guided: int = 0
    watched: int = 0

    @property
    def total(self) -> int:
        """Number of rows of all kinds."""
        return self.plain + self.guided + self.watched

    def add(self, other: "Passes") -> None:
        """Adds the numbers of `other` to these."""
        self.plain += other.plain
        self.guided += other.guided
        self.watched += other.watched
