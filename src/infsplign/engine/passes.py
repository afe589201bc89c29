"""Counts of the rows that went through the denoiser: plain, guided, watched."""

from dataclasses import dataclass


@dataclass
class Passes:
    """Rows that the denoiser has run over. An unguided image of n steps costs 2 n plain ones under classifier-free guidance.

    Attributes:
        plain: nothing was read.
        guided: attention was recorded with a graph, and the loss differentiated.
        watched: attention was read without a graph.
    """

    plain: int = 0
    guided: int = 0
    watched: int = 0

    @property
    def total(self) -> int:
        return self.plain + self.guided + self.watched

    def add(self, other: "Passes") -> None:
        self.plain += other.plain
        self.guided += other.guided
        self.watched += other.watched
