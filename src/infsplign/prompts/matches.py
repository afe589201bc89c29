"""A relation as it is spelled in a prompt."""

from typing import NamedTuple

from infsplign.core.relations import Relation


class Match(NamedTuple):
    """A relation and the characters that spell it.

    Attributes:
        start, stop: the characters.
        relation: what they spell.
        weak: "in" or "on", which may tell where the picture is instead.
        pronoun: "to its left": of the object before it.
    """

    start: int
    stop: int
    relation: Relation
    weak: bool = False
    pronoun: bool = False
