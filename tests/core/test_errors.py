"""Shapes that cannot be right are refused with the argument's name and what came."""

import numpy as np
import pytest

from infsplign.core import (
    AttentionMap,
    CompoundLoss,
    LossTerm,
    QueryKeyAttention,
    Relation,
    balance_loss,
    observe,
    paper_loss,
    presence_loss,
    scene_arrays,
    spatial_loss,
    token_weights,
)
from infsplign.core.spatial import gaps, holds
from infsplign.core.terms import excite, excite_loss, layout_loss, overlap_loss, superiority_loss, unity_loss
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
    "a scene of other objects": (
        lambda: paper_loss()([AttentionMap(four, (2, 3))], np.ones((2, 4, 3)), scene_arrays([pair(RELATIONS[0])], xp=np)),
        "`scene` must have the rows and the objects of the maps, (2, 3), got (1, 2): one map for each object of `Scene.objects`, in their "
        "order",
    ),
    "a weight that is no number": (lambda: LossTerm("mine", presence_loss, float("nan")), "`weight` must be finite, got nan"),
    "a negative width": (lambda: excite(sigma=-1.0), "`sigma` must be >= 0, got -1.0"),
    "a penalty that takes the mean": (
        lambda: spatial_loss(observe(np.ones((2, 2, 3, 4))), scene_arrays([pair(RELATIONS[0])] * 2, xp=np), penalty=np.mean),
        '`penalty` must give one cost for each relation, shape (2, 1), got (); leave out means and sums, such as by `reduction="none"`',
    ),
    "an unknown equation": (
        lambda: gaps(observe(np.ones((1, 2, 3, 4))), scene_arrays([pair(Relation("beyond", equation="beyond"))], xp=np)),
        "`equation` of a relation must be one of ordered, side, centre, near, far, on top, inside, between, larger, smaller, got 'beyond'",
    ),
    "no layers": (
        lambda: paper_loss()([], weights, scene_arrays([pair(RELATIONS[0])], xp=np)),
        "`attention` must hold at least one layer, got none",
    ),
}


TERMS = {
    f.__name__: f
    for f in (spatial_loss, gaps, holds, presence_loss, balance_loss, excite_loss, unity_loss, overlap_loss, superiority_loss, layout_loss)
}


@pytest.mark.parametrize("maps", [(2, 1), (2, 3), (3, 2)])
@pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)
def test_a_scene_of_other_objects_or_rows_than_the_maps_is_refused(term, maps):
    with pytest.raises(ValueError) as error:
        term(observe(np.ones((*maps, 3, 4))), scene_arrays([pair(RELATIONS[0])] * 2, xp=np))
    assert str(error.value).startswith(f"`scene` must have the rows and the objects of the maps, {maps}, got (2, 2)")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LossTerm("mine", presence_loss, "1"), "`weight` must be a number, got '1'"),
        (lambda: LossTerm(None, presence_loss), "`name` must be a text, got None"),
        (lambda: CompoundLoss((len,)), "`terms` must be a tuple of `LossTerm`s, got (<built-in function len>,)"),
        (lambda: paper_loss(penalty="relu"), "`penalty` must be a function of `infsplign.core.penalties`, got 'relu'"),
        (lambda: paper_loss(margin=None), "`margin` must be a number, got None"),
        (lambda: excite(sharpness="100"), "`sharpness` must be a number, got '100'"),
        (lambda: observe([[1.0]]), "`maps` must be an array (batch, objects, height, width), got list"),
        (lambda: token_weights([[[1.5]]], 4, xp=np), "`token_indices` must be integers, got 1.5"),
        (lambda: token_weights([[["1"]]], 4, xp=np), "`token_indices` must be integers, got '1'"),
        (lambda: token_weights([[[True]]], 4, xp=np), "`token_indices` must be integers, got True"),
        (
            lambda: token_weights([[1], [2]], 4, xp=np),
            "`token_indices` must list positions for each object of each row, got 1 for object 0 of row 0; one row is [[[2], [6, 7]]]",
        ),
    ],
)
def test_other_types_are_refused(call, message):
    with pytest.raises(TypeError) as error:
        call()
    assert str(error.value) == message


@pytest.mark.parametrize(("call", "message"), CASES.values(), ids=CASES)
def test_errors_name_the_argument_and_the_value(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message
