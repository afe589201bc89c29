"""What hypothesis draws: the strategies of the testing kit, and a few things that only these tests need."""

import numpy as np
from hypothesis import strategies as st

from infsplign.core import ABOVE, BELOW, LEFT_OF, RIGHT_OF, Scene
from infsplign.testing.strategies import RELATIONS, batches, maps, scenes
from infsplign.testing.strategies import grids as drawn_grids
from infsplign.testing.strategies import relations as drawn_relations

__all__ = ["MIRROR", "RELATIONS", "TRANSPOSED", "batches", "generic", "grids", "maps", "pair", "relations", "scenes", "seeds"]

MIRROR = {LEFT_OF: RIGHT_OF, RIGHT_OF: LEFT_OF, ABOVE: BELOW, BELOW: ABOVE}
TRANSPOSED = {LEFT_OF: ABOVE, ABOVE: LEFT_OF, RIGHT_OF: BELOW, BELOW: RIGHT_OF}

relations = drawn_relations()
grids = drawn_grids()
seeds = st.integers(0, 2**32 - 1)


def pair(relation):
    """The scene of two objects in one relation."""
    return Scene.of([("A", relation, "B")])


def generic(seed, *shape):
    """Positive numbers in general position: no ties, nothing near a kink, well away from empty."""
    return np.random.default_rng(seed).uniform(0.05, 1.0, shape)
