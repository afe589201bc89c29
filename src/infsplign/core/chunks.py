"""Object maps in chunks of heads and queries, so that the whole matrix of queries by keys is never in memory."""

from collections.abc import Iterator

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, at_least_float32

CHUNK = 2**23
"""Maximum number of logits in memory while object maps are computed: 32 MiB in float32."""


def object_columns(
    query: Array, key: Array, weights: Array, *, scale: float, text: tuple[int, int], mask: Array | None = None, chunk: int = CHUNK
) -> Array:
    """Maps of objects, row by row of queries: `mean_n softmax(scale * query @ key^T + mask)[..., text] @ weights`.

    The (B, N, S, K) probabilities are never in memory as a whole: each chunk of heads and queries is normalised over all keys, restricted
    to the text, averaged over tokens and added to the sum.

    Args:
        query, key, scale, text, mask: as in `QueryKeyAttention`.
        weights: (B or 1, T, O).
        chunk: maximum number of logits in memory at a time.

    Returns:
        (B, S, O), in float32 or better.
    """
    xp = array_namespace(query)
    rows: dict[int, Array] = {}
    for heads, queries in chunks(query.shape, key.shape[2], chunk):
        part_mask = mask_chunk(mask, heads, queries)
        part = head_sum(query[:, heads, queries, :], key[:, heads, :, :], weights, scale=scale, text=text, mask=part_mask)
        rows[queries.start] = rows[queries.start] + part if queries.start in rows else part
    return xp.concat(list(rows.values()), axis=1) / query.shape[1]


def head_sum(query: Array, key: Array, weights: Array, *, scale: float, text: tuple[int, int], mask: Array | None = None) -> Array:
    """`sum_n softmax(scale * query @ key^T + mask)[..., text] @ weights`, (B, S, O), for all heads at once. As `object_columns`."""
    xp = array_namespace(query)
    query, key = (at_least_float32(x) for x in (query, key))
    logits = scale * (query @ xp.matrix_transpose(key))
    if mask is not None:
        logits = logits + xp.astype(mask, logits.dtype)
    share = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))  # (B, N, S, K)
    columns = share[..., text[0] : text[1]] @ weights[:, None, :, :]
    return xp.sum(columns / xp.sum(share, axis=-1, keepdims=True), axis=1)


def chunks(shape: tuple[int, ...], keys: int, most: int = CHUNK) -> Iterator[tuple[slice, slice]]:
    """Slices of heads and of queries whose logits number at most `most`, for queries of `shape` (B, N, S, D).

    >>> [(h.stop, s.stop) for h, s in chunks((1, 2, 4, 8), 4, 16)]
    [(1, 4), (2, 4)]
    """
    batch, heads, queries, _ = shape
    long = max(1, min(queries, most // max(1, batch * keys)))
    many = max(1, min(heads, most // max(1, batch * keys * long)))
    for first in range(0, queries, long):
        for head in range(0, heads, many):
            yield slice(head, min(head + many, heads)), slice(first, min(first + long, queries))


def mask_chunk(mask: Array | None, heads: slice, queries: slice) -> Array | None:
    """The part of a mask that belongs to a chunk; axes that it is broadcast along stay."""
    if mask is None:
        return None
    full: Array = array_namespace(mask).reshape(mask, (1,) * (4 - mask.ndim) + tuple(mask.shape))
    every = slice(None)
    return full[:, heads if full.shape[1] > 1 else every, queries if full.shape[2] > 1 else every, :]
