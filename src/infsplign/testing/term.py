"""`check_term`: finds mistakes of a loss term that would otherwise only show as worse images."""

from collections.abc import Sequence
from typing import Any

from infsplign.core.losses import LossTerm, Term
from infsplign.core.scenes import Scene
from infsplign.testing.term_checks import (
    TermTrial,
    check_better,
    check_differences,
    check_empty,
    check_layers,
    check_padding,
    check_rows,
    check_unchanged,
    check_values,
)

SCENES = (
    Scene.of([("a", "left of", "b"), ("c", "above", "b")]),
    Scene.of([("a", "below", "b")]),
    Scene.of([("a", "right of", "b"), ("b", "above", "c"), ("c", "right of", "d")]),
    Scene(("a",)),
    Scene.of([("a", "near", "b"), ("b", "between", ("a", "c")), ("c", "in the centre")]),
)
"""The scenes that `check_term` tries by default: of 1 to 4 objects, with 0 to 3 relations, some without a direction."""
GRIDS = ((5, 7), (4, 4), (1, 6), (3, 1))
"""Sizes (H, W) of the maps that `check_term` tries by default."""


def check_term(
    term: Term | LossTerm,
    *,
    scenes: Sequence[Scene] = SCENES,
    better: Sequence[tuple[Scene, Sequence[Any]]] = (),
    grids: Sequence[tuple[int, int]] = GRIDS,
    rowwise: bool = True,
    seed: int = 0,
) -> None:
    """Checks a loss term on random and on empty maps, in torch; returns nothing, or raises with what is wrong.

        maps = [blob_maps([(x, 0.5), (1 - x, 0.5)]) for x in (0.7, 0.5, 0.3)]
        check_term(my_term, better=[(Scene.of([("cat", "left of", "dog")]), maps)])

    The term must give one finite value a row, (B,), in the type of the maps, and leave its arguments as they are. A row's value must depend
    on that row alone, and not on padding; of a `LossTerm(rowwise=True)` also where the rows of two layers come at once. The gradient must
    be finite, not zero everywhere, and equal to central differences. Along the maps of `better` the value must fall, and the gradient must
    point downhill.

    Args:
        term: `term(objects, scene) -> (B,)`, or a `LossTerm`.
        scenes: one scene a row, with different numbers of objects, so that padding is tried.
        better: scenes, each with two or more maps (O, H, W), every one better than the one before it; `blob_maps` makes some.
        grids: sizes (H, W) of the maps to try.
        rowwise: the term takes any number of rows and objects. Give False for a term with its own numbers for each row or object, such
            as `boxes`; rows are then not tried one by one.
        seed: of the random maps.

    Raises:
        AssertionError: a check has failed; the message says what was seen and what to do.
        ValueError: `scenes` all have the same number of objects, or an entry of `better` has fewer than two maps.
    """
    function = term.term if isinstance(term, LossTerm) else term
    if len({len(scene.objects) for scene in scenes}) < 2:
        raise ValueError("`scenes` must have different numbers of objects, so that padding is tried; add one with fewer objects")
    trial = TermTrial(function, tuple(scenes))
    for grid in grids:
        maps = trial.random_maps(grid, seed)
        check_unchanged(trial, maps)
        check_values(trial, maps)
        check_rows(trial, maps, rowwise)
        check_padding(trial, maps)
        check_differences(trial, maps, seed)
        if isinstance(term, LossTerm) and term.rowwise:
            check_layers(trial, maps)
    maps = trial.random_maps(grids[0], seed)
    assert float(trial.gradient(maps).abs().max()) > 0, "the gradient is zero for every row and cell; the term guides nothing"
    check_empty(trial, maps)
    for scene, path in better:
        check_better(TermTrial(function, (scene,)), path)
