"""Attention maps: where they come from, and how heads and tokens become one map an object."""

import operator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, at_least_float32, device_of, floating, floating_dtype
from infsplign.core.chunks import object_columns

LEVELS = ("coarse", "middle")
"""Levels of layers. A loss term reads the layers of its levels."""


def check_level(level: object, name: str = "level") -> None:
    """Raises ValueError unless `level` is one of `LEVELS`."""
    if level not in LEVELS:
        raise ValueError(f"`{name}` must be one of {', '.join(LEVELS)}, got {level!r}")


class Attention(Protocol):
    """The attention of one layer, ready to be reduced to objects."""

    @property
    def layer(self) -> str:
        """Name of the module, for traces and errors."""
        ...

    @property
    def level(self) -> str:
        """Which loss terms read the layer: "coarse" or "middle"."""
        ...

    @property
    def text_length(self) -> int:
        """T, number of text positions that `weights` must have."""
        ...

    @property
    def like(self) -> Array:
        """An array whose library, device and type `weights` must have (float32 where it is of less)."""
        ...

    def object_maps(self, weights: Array) -> Array:
        """Maps `weights` (B, T, O) to object maps (B, O, H, W)."""
        ...


class AttentionSource(Protocol):
    """Records the attention of a denoiser. A new backbone implements this one method."""

    def record(self, sample: Array, *args: Any, **kwargs: Any) -> AbstractContextManager[Sequence[Attention]]:
        """Records the text attention of the denoiser's pass over `sample` that runs inside the context.

        `args` and `kwargs` are the denoiser's other arguments: some denoisers get the size of the image only there.

        The sequence is filled during the pass. After it, the sequence holds one entry for each tapped layer. The denoiser is
        restored on exit, also after an exception.
        """
        ...


@dataclass(frozen=True)
class AttentionMap:
    """Attention as probabilities.

    Attributes:
        probabilities: (B, N, S, T): batch, heads, image positions in row-major order, text tokens.
        grid: (H, W) with `H * W == S`.
        layer: name of the module, for traces and errors.
        level: "coarse" or "middle"; decides which loss terms read the map.
    """

    probabilities: Array
    grid: tuple[int, int]
    layer: str = ""
    level: str = "coarse"

    def __post_init__(self) -> None:
        check_level(self.level)
        _check_grid(self.probabilities, "probabilities", self.grid, self.layer)

    @property
    def text_length(self) -> int:
        return self.probabilities.shape[-1]

    @property
    def like(self) -> Array:
        return self.probabilities

    def of_rows(self, rows: slice) -> "AttentionMap":
        """The attention of some rows of the batch."""
        return replace(self, probabilities=self.probabilities[rows, ...])

    def object_maps(self, weights: Array) -> Array:
        """See `Attention.object_maps`. Heads are averaged, then tokens: `A_S = mean_{t in S} mean_n A[n, :, t]`."""
        xp = array_namespace(self.probabilities, weights)
        check_weights(weights, self.probabilities.shape[0], self.probabilities.shape[-1])
        maps = xp.mean(at_least_float32(self.probabilities), axis=1) @ weights  # (B, S, O)
        maps = xp.permute_dims(maps, (0, 2, 1))
        return xp.reshape(maps, (*maps.shape[:2], *self.grid))


@dataclass(frozen=True)
class QueryKeyAttention:
    """Attention as queries and keys. The softmax is computed together with the object maps.

    Attributes:
        query: (B, N, S, D), image queries after norms and rotary embedding.
        key: (B, N, K, D), all keys that the softmax runs over (text, and in joint attention the image too).
        scale: factor of the logits, `1 / sqrt(D)` in nearly every model.
        text: (start, stop) of the text tokens on the key axis.
        mask: None, or numbers (not booleans) that are added to the logits, broadcastable to (B, N, S, K). The softmax of a row whose
            keys are all masked by -inf is NaN. Large negative numbers, which models use, give a uniform softmax.
        grid, layer, level: as in `AttentionMap`.
    """

    query: Array
    key: Array
    scale: float
    text: tuple[int, int]
    grid: tuple[int, int]
    layer: str = ""
    level: str = "coarse"
    mask: Array | None = None

    def __post_init__(self) -> None:
        check_level(self.level)
        _check_grid(self.query, "query", self.grid, self.layer)
        if self.mask is not None and self.mask.dtype == array_namespace(self.mask).bool:
            raise ValueError(f"`mask` must be added to the logits of {self.layer!r}, got booleans; give 0 where True and -inf where False")
        start, stop = self.text
        if not 0 <= start < stop <= self.key.shape[2]:
            raise ValueError(f"`text` must lie within the {self.key.shape[2]} keys of {self.layer!r}, got {self.text}")

    @property
    def text_length(self) -> int:
        return self.text[1] - self.text[0]

    @property
    def like(self) -> Array:
        return self.query

    def probabilities(self) -> Array:
        """`softmax(scale * query @ key^T + mask)` over ALL keys, in float32 or better: (B, N, S, K)."""
        xp = array_namespace(self.query)
        query, key = (at_least_float32(x) for x in (self.query, self.key))
        logits = self.scale * (query @ xp.matrix_transpose(key))
        if self.mask is not None:
            logits = logits + xp.astype(self.mask, logits.dtype)
        weights = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
        return weights / xp.sum(weights, axis=-1, keepdims=True)

    def of_rows(self, rows: slice) -> Self:
        """The attention of some rows of the batch."""
        shared = self.mask is None or self.mask.ndim < 4 or self.mask.shape[0] == 1
        mask = self.mask if shared else self.mask[rows, ...]  # type: ignore[index]
        return replace(self, query=self.query[rows, ...], key=self.key[rows, ...], mask=mask)

    def object_maps(self, weights: Array) -> Array:
        """See `Attention.object_maps`. Normalised over all keys, a chunk of heads and queries at a time: see `object_columns`."""
        xp = array_namespace(self.query, weights)
        check_weights(weights, self.query.shape[0], self.text_length)
        maps = object_columns(self.query, self.key, weights, scale=self.scale, text=self.text, mask=self.mask)
        return xp.reshape(xp.permute_dims(maps, (0, 2, 1)), (maps.shape[0], maps.shape[2], *self.grid))


def token_weights(token_indices: Sequence[Sequence[Sequence[int]]], length: int, *, xp, dtype=None, device=None) -> Array:
    """The matrix that averages each object's tokens: column o has `1 / |S_o|` at the tokens of object o.

    Args:
        token_indices: for each row of the batch, for each object, its positions on the text axis. Rows with fewer objects are
            padded with empty columns.
        length: T, number of text positions.
        xp, dtype, device: as in `scene_arrays`.

    Returns:
        (B, T, O).

    Raises:
        ValueError: no row, an object without tokens, or an index that is not in [0, T).
        TypeError: `dtype` holds no fractions, or `token_indices` are no integers, row by row and object by object.

    >>> import numpy
    >>> token_weights([[[1], [2, 3]]], 4, xp=numpy).tolist()
    [[[0.0, 0.0], [1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]]
    """
    if len(token_indices) == 0:
        raise ValueError("`token_indices` must hold at least one row, got none")
    wide = max(len(row) for row in token_indices)
    weights = [[[0.0] * wide for _ in range(length)] for _ in token_indices]
    for row, objects in enumerate(token_indices):
        for column, indices in enumerate(objects):
            if not hasattr(indices, "__len__") or isinstance(indices, str):
                raise TypeError(
                    f"`token_indices` must list positions for each object of each row, got {indices!r} for object {column} of row {row}; "
                    "one row is [[[2], [6, 7]]]"
                )
            if len(indices) == 0:
                raise ValueError(f"`token_indices` must give every object at least one token, got none for object {column} of row {row}")
            positions = dict.fromkeys(map(_position, indices))  # as integers: elements of a tensor are all different
            for index in positions:
                if not 0 <= index < length:
                    raise ValueError(f"`token_indices` must be >= 0 and < {length}, got {index}; was the prompt truncated?")
                weights[row][index][column] = 1.0 / len(positions)
    return xp.asarray(weights, dtype=floating_dtype(dtype, xp), device=device)


def _position(index: object) -> int:
    """A position on the text axis as a plain integer."""
    try:
        if isinstance(index, bool):
            raise TypeError
        return operator.index(index)  # type: ignore[arg-type]
    except TypeError as error:
        raise TypeError(f"`token_indices` must be integers, got {index!r}") from error


def resize(maps: Array, height: int, width: int) -> Array:
    """Resizes maps bilinearly with antialiasing, as the published code does before its statistics (parity tests only need it).

    Two matrix products, one an axis: `rows @ maps @ columns^T`, each row of weights a triangle of the down-scaling's width.

    Args:
        maps: (..., H, W).

    Returns:
        (..., height, width), equal to `torch.nn.functional.interpolate(mode="bilinear", antialias=True)`.
    """
    xp, maps = array_namespace(maps), floating(maps)
    rows = _triangle_filter(maps.shape[-2], height, xp, maps)
    columns = _triangle_filter(maps.shape[-1], width, xp, maps)
    return rows @ maps @ xp.matrix_transpose(columns)


def resized(maps: Array, shorter: int) -> Array:
    """`resize` to `shorter` cells on the shorter side, the other in proportion: square maps become square."""
    height, width = maps.shape[-2:]
    least = min(height, width)
    return resize(maps, shorter * height // least, shorter * width // least)


def _triangle_filter(old: int, new: int, xp, like: Array) -> Array:
    stretch = max(1.0, old / new)
    rows = []
    for target in range(new):
        centre = (target + 0.5) * old / new
        row = [max(0.0, 1.0 - abs((source + 0.5 - centre) / stretch)) for source in range(old)]
        rows.append([value / sum(row) for value in row])
    return xp.asarray(rows, dtype=like.dtype, device=device_of(like))


def _check_grid(x: Array, name: str, grid: tuple[int, int], layer: str) -> None:
    if x.ndim != 4:
        raise ValueError(f"`{name}` must have 4 axes (batch, heads, positions, ...), got shape {tuple(x.shape)}")
    if grid[0] * grid[1] != x.shape[2]:
        raise ValueError(
            f"`grid` must have as many cells as `{name}` has positions: got {grid[0]} x {grid[1]} for {x.shape[2]} in {layer!r}"
        )


def check_weights(weights: Array, batch: int, tokens: int) -> None:
    """Raises ValueError unless `weights` is (B or 1, T, O) for `batch` rows and `tokens` text positions."""
    if weights.ndim != 3 or weights.shape[0] not in (1, batch) or weights.shape[1] != tokens:
        raise ValueError(f"`weights` must have shape ({batch}, {tokens}, objects), got {tuple(weights.shape)}")
