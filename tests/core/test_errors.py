"""Shapes that cannot be right are refused with the argument's name and what came."""

import numpy as np
import pytest

from infsplign.core import (
    AttentionMap,
    CompoundLoss,
    LossTerm,
    QueryKeyAttention,
    observe,
    paper_loss,
    presence_loss,
    scene_arrays,
    token_weights,
)
from tests.core.strategies import RELATIONS, pair

four = np.ones((2, 1, 6, 4))
weights = token_weights([[[1], [2]]], 4, xp=np)


def query_key(query=four, text=(0, 4), grid=(2, 3)):
    return QueryKeyAttention(query, np.ones((2, 1, 5, 4)), 0.5, text, grid, layer="up.1")


CASES = {
    "a boolean mask": (
        lambda: QueryKeyAttention(four, four, 0.5, (0, 4), (2, 3), layer="up.1", mask=np.ones(6, bool)),
        "`mask` must be added to the logits of 'up.1', got booleans; give 0 where True and -inf where False",
    ),
    "two terms of one name": (
        lambda: CompoundLoss((LossTerm("presence", presence_loss), LossTerm("presence", presence_loss))),
        "`terms` must have different names, got presence, presence",
    ),
    "maps without heads": (
        lambda: AttentionMap(np.ones((2, 6, 4)), (2, 3)),
        "`probabilities` must have 4 axes (batch, heads, positions, ...), got shape (2, 6, 4)",
    ),
    "maps on another grid": (
        lambda: AttentionMap(four, (2, 4), "up.1"),
        "`grid` must have as many cells as `probabilities` has positions: got 2 x 4 for 6 in 'up.1'",
    ),
    "a query without heads": (
        lambda: query_key(np.ones((6, 4))),
        "`query` must have 4 axes (batch, heads, positions, ...), got shape (6, 4)",
    ),
    "a query on another grid": (
        lambda: query_key(grid=(3, 3)),
        "`grid` must have as many cells as `query` has positions: got 3 x 3 for 6 in 'up.1'",
    ),
    "text beyond the keys": (lambda: query_key(text=(0, 6)), "`text` must lie within the 5 keys of 'up.1', got (0, 6)"),
    "text before the keys": (lambda: query_key(text=(-1, 3)), "`text` must lie within the 5 keys of 'up.1', got (-1, 3)"),
    "no text": (lambda: query_key(text=(3, 3)), "`text` must lie within the 5 keys of 'up.1', got (3, 3)"),
    "weights for other tokens": (
        lambda: query_key(text=(0, 5)).object_maps(weights),
        "`weights` must have shape (2, 5, objects), got (1, 4, 2)",
    ),
    "weights for other rows": (
        lambda: AttentionMap(four, (2, 3)).object_maps(np.ones((3, 4, 2))),
        "`weights` must have shape (2, 4, objects), got (3, 4, 2)",
    ),
    "weights without rows": (
        lambda: AttentionMap(four, (2, 3)).object_maps(np.ones((4, 2))),
        "`weights` must have shape (2, 4, objects), got (4, 2)",
    ),
    "no rows of tokens": (lambda: token_weights([], 4, xp=np), "`token_indices` must hold at least one row, got none"),
    "an object without tokens": (
        lambda: token_weights([[[1]], [[1], []]], 4, xp=np),
        "`token_indices` must give every object at least one token, got none for object 1 of row 1",
    ),
    "a token beyond the text": (
        lambda: token_weights([[[80]]], 77, xp=np),
        "`token_indices` must be >= 0 and < 77, got 80; was the prompt truncated?",
    ),
    "a token before the text": (
        lambda: token_weights([[[1, -1]]], 77, xp=np),
        "`token_indices` must be >= 0 and < 77, got -1; was the prompt truncated?",
    ),
    "maps without objects": (
        lambda: observe(np.ones((2, 3, 4))),
        "`maps` must have shape (batch, objects, height, width), got (2, 3, 4)",
    ),
    "no layers": (
        lambda: paper_loss()([], weights, scene_arrays([pair(RELATIONS[0])], xp=np)),
        "`attention` must hold at least one layer, got none",
    ),
}


@pytest.mark.parametrize(("call", "message"), CASES.values(), ids=CASES)
def test_errors_name_the_argument_and_the_value(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message
