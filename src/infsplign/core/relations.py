"""What is asked for, in one place: relations and their spellings, scenes of them, scenes as arrays."""

from infsplign.core.scene_arrays import SceneArrays, scene_arrays
from infsplign.core.scenes import Scene, SceneRelation
from infsplign.core.vocabulary import ABOVE, BELOW, LEFT_OF, RELATIONS, RIGHT_OF, SPELLINGS, Relation, relation

__all__ = [
    "ABOVE",
    "BELOW",
    "LEFT_OF",
    "RELATIONS",
    "RIGHT_OF",
    "SPELLINGS",
    "Relation",
    "Scene",
    "SceneArrays",
    "SceneRelation",
    "relation",
    "scene_arrays",
]
