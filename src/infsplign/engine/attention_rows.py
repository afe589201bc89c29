"""The attention of some rows of a batch."""

from collections.abc import Sequence

from torch import Tensor

from infsplign.core.attention import Attention, AttentionMap, QueryKeyAttention


def of_rows(attention: Sequence[Attention], rows: slice, batch: int) -> Sequence[Attention]:
    """Returns the attention of some rows of a batch. If a layer can be sliced, nothing is computed for the other rows."""
    if rows.stop - rows.start == batch:
        return attention
    return [
        layer.of_rows(rows) if isinstance(layer, (QueryKeyAttention, AttentionMap)) else RowsOf(layer, rows, batch) for layer in attention
    ]


class RowsOf:
    """The attention of some rows, for a layer that cannot be sliced."""

    def __init__(self, whole: Attention, rows: slice, batch: int) -> None:
        self.whole, self.rows, self.batch = whole, rows, batch
        self.layer, self.level, self.text_length, self.like = whole.layer, whole.level, whole.text_length, whole.like

    def object_maps(self, weights: Tensor) -> Tensor:
        """See `Attention.object_maps`; only for these rows."""
        padded = weights.new_zeros(self.batch, *weights.shape[1:])
        padded[self.rows] = weights
        return self.whole.object_maps(padded)[self.rows]
