"""Hypothesis strategies for maps and scenes, for property tests of losses and adapters of your own.

    from hypothesis import given
    from infsplign.testing import strategies

    @given(batch=strategies.batches())
    def test_my_loss_is_finite(batch):
        scenes, maps = batch

Arrays are numpy's, in float64. Needs `hypothesis`.
"""

import numpy as np

from infsplign.core.relations import ABOVE, BELOW, LEFT_OF, RIGHT_OF, SceneRelation
from infsplign.core.scenes import Scene

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise ImportError("`infsplign.testing.strategies` needs hypothesis, which is not installed; run `pip install hypothesis`") from error

RELATIONS = (LEFT_OF, RIGHT_OF, ABOVE, BELOW)
"""The relations that `scenes` draws."""


def relations() -> st.SearchStrategy:
    """Draws one of `RELATIONS`."""
    return st.sampled_from(RELATIONS)


def grids(largest: int = 6) -> st.SearchStrategy:
    """Draws a grid (H, W) from 1 x 1 to `largest` x `largest`; single rows and columns included."""
    return st.tuples(st.integers(1, largest), st.integers(1, largest))


def probabilities() -> st.SearchStrategy:
    """Draws a number in [0, 1]; 0, 1 and subnormal numbers included."""
    return st.floats(0, 1)


def maps(batch: int, objects: int, grid: st.SearchStrategy | None = None, elements: st.SearchStrategy | None = None) -> st.SearchStrategy:
    """Draws object maps (batch, objects, H, W), not normalised; empty maps and single cells included.

    Args:
        batch: B, rows.
        objects: O, objects a row.
        grid: strategy for (H, W); `grids()` when None.
        elements: strategy for the value of a cell; `probabilities()` when None.
    """
    shapes = grids() if grid is None else grid
    cells = probabilities() if elements is None else elements
    return shapes.flatmap(lambda shape: hnp.arrays(np.float64, (batch, objects, *shape), elements=cells))


@st.composite
def scenes(draw: st.DrawFn, least: int = 1, most: int = 4) -> Scene:
    """Draws a scene of `least` to `most` objects with 0 to 6 relations, all of which can hold at once.

    The relations are read off drawn positions, so they never contradict each other.
    """
    count = draw(st.integers(least, most))
    places = draw(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=count, max_size=count))
    wanted = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.integers(0, 1)), max_size=6))
    edges = []
    for first, second, axis in wanted:
        gap = places[second][axis] - places[first][axis]
        if gap:
            edges.append(SceneRelation(first, RELATIONS[2 * axis + (gap < 0)], second))
    return Scene(tuple(f"object {number}" for number in range(count)), tuple(edges))


@st.composite
def batches(draw: st.DrawFn, elements: st.SearchStrategy | None = None, most: int = 4) -> tuple[list[Scene], np.ndarray]:
    """Draws 1 to `most` scenes of different sizes, and maps (B, O, H, W) for them, with O objects of the largest scene.

    Maps of padded objects hold arbitrary values, so a loss that reads padding is found.
    """
    rows = draw(st.lists(scenes(), min_size=1, max_size=most))
    wide = max(len(scene.objects) for scene in rows)
    return rows, draw(maps(len(rows), wide, elements=elements))
