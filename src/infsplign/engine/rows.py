"""Which rows of the denoiser's batch are conditional."""

from typing import NamedTuple


class Rows(NamedTuple):
    """Conditional rows of a batch, and whether the other rows must run in the same pass."""

    conditional: slice
    together: bool = False

    @property
    def size(self) -> int:
        """Number of conditional rows."""
        return self.conditional.stop - self.conditional.start
