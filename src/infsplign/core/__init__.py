"""Pure array mathematics of spatial guidance, for any library of the array-API standard (numpy, torch, jax, ...).

Imports go one way. Data types: `relations`, `scenes`, `scene_arrays` (objects and relations of a prompt), `attention` (attention of the
model). Equations: `statistics` and `object_attention` (where each object is), `spatial`, `losses`, `terms` (the losses), `update` (the
shift of the prediction). Nothing here imports torch or diffusers, moves an array to another device, or reads an array's values.
`docs/core.md` has examples.
"""

from infsplign.core.attention import AttentionMap, AttentionSource, QueryKeyAttention, token_weights
from infsplign.core.losses import CompoundLoss, LossTerm, balance_loss, paper_loss, presence_loss
from infsplign.core.object_attention import ObjectAttention, observe
from infsplign.core.penalties import (
    celu,
    elu,
    gelu,
    hardtanh,
    leaky_relu,
    linear,
    logrelu,
    relu,
    rrelu,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    squared_relu,
)
from infsplign.core.relations import ABOVE, BELOW, LEFT_OF, RIGHT_OF, Relation, SceneRelation
from infsplign.core.scene_arrays import SceneArrays, scene_arrays
from infsplign.core.scenes import Scene
from infsplign.core.spatial import gaps, holds, spatial_loss
from infsplign.core.spellings import relation
from infsplign.core.statistics import EPSILON, centroid, coordinates, mass, variance
from infsplign.core.terms import LOSSES, TERMS, boxes, excite, layout, overlap, superiority, unity
from infsplign.core.update import to_prediction

__all__ = [
    "ABOVE",
    "BELOW",
    "EPSILON",
    "LEFT_OF",
    "LOSSES",
    "RIGHT_OF",
    "TERMS",
    "AttentionMap",
    "AttentionSource",
    "CompoundLoss",
    "LossTerm",
    "ObjectAttention",
    "QueryKeyAttention",
    "Relation",
    "Scene",
    "SceneArrays",
    "SceneRelation",
    "balance_loss",
    "boxes",
    "celu",
    "centroid",
    "coordinates",
    "elu",
    "excite",
    "gaps",
    "gelu",
    "hardtanh",
    "holds",
    "layout",
    "leaky_relu",
    "linear",
    "logrelu",
    "mass",
    "observe",
    "overlap",
    "paper_loss",
    "presence_loss",
    "relation",
    "relu",
    "rrelu",
    "scene_arrays",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "spatial_loss",
    "squared_relu",
    "superiority",
    "to_prediction",
    "token_weights",
    "unity",
    "variance",
]
