"""What hypothesis draws: maps, scenes that can be drawn, batches of both."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infsplign.core import ABOVE, BELOW, LEFT_OF, RIGHT_OF, Scene, SceneRelation

RELATIONS = (LEFT_OF, RIGHT_OF, ABOVE, BELOW)
MIRROR = {LEFT_OF: RIGHT_OF, RIGHT_OF: LEFT_OF, ABOVE: BELOW, BELOW: ABOVE}
TRANSPOSED = {LEFT_OF: ABOVE, ABOVE: LEFT_OF, RIGHT_OF: BELOW, BELOW: RIGHT_OF}

relations = st.sampled_from(RELATIONS)
seeds = st.integers(0, 2**32 - 1)
grids = st.tuples(st.integers(1, 6), st.integers(1, 6))
probabilities = st.floats(0, 1)  # zero, subnormal and 1 included


def maps(batch, objects, grid=grids, elements=probabilities):
    """Maps (batch, objects, H, W); empty ones, single cells and single rows included."""
    return grid.flatmap(lambda shape: hnp.arrays(np.float64, (batch, objects, *shape), elements=elements))


@st.composite
def scenes(draw, least=1, most=4):
    """A scene read off actual positions, so that all its relations hold at once."""
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
def batches(draw, elements=probabilities):
    """Scenes of different sizes, and maps (B, O, H, W) wide enough for the largest."""
    rows = draw(st.lists(scenes(), min_size=1, max_size=4))
    wide = max(len(scene.objects) for scene in rows)
    return rows, draw(maps(len(rows), wide, elements=elements))


def pair(relation):
    """The scene of two objects in one relation."""
    return Scene.of([("A", relation, "B")])


def generic(seed, *shape):
    """Positive numbers in general position: no ties, nothing near a kink, well away from empty."""
    return np.random.default_rng(seed).uniform(0.05, 1.0, shape)
