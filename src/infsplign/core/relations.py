"""What a prompt asks for: objects and the relations between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from infsplign.core._namespace import Array


@dataclass(frozen=True)
class Relation:
    """A direction from the first object to the second: "A left of B" holds when B lies in `direction` from A.

    Attributes:
        name: canonical name, the one that `relation` returns for every spelling.
        direction: unit vector (x, y), x to the right, y down. The signed gap is `direction . (centroid(B) - centroid(A))`.
        inverse: name of the relation that B has to A.
    """

    name: str
    direction: tuple[float, float]
    inverse: str

    @property
    def axis(self) -> int:
        """0 where the relation orders x, 1 where it orders y."""
        return 0 if self.direction[0] else 1


LEFT_OF = Relation("left of", (1.0, 0.0), "right of")
RIGHT_OF = Relation("right of", (-1.0, 0.0), "left of")
ABOVE = Relation("above", (0.0, 1.0), "below")
BELOW = Relation("below", (0.0, -1.0), "above")

SPELLINGS: dict[str, Relation] = {
    **dict.fromkeys(("left of", "to the left of", "on the left of", "at the left of", "left"), LEFT_OF),
    **dict.fromkeys(("right of", "to the right of", "on the right of", "at the right of", "right"), RIGHT_OF),
    **dict.fromkeys(("above", "over", "on top of", "on the top of", "top"), ABOVE),
    **dict.fromkeys(("below", "under", "beneath", "underneath", "on the bottom of", "at the bottom of", "bottom"), BELOW),
}
"""Every spelling that is understood, in lower case with single blanks."""


def relation(spelling: str | Relation) -> Relation:
    """Returns the relation of a spelling such as "to the left of".

    Raises:
        ValueError: no relation is spelled so.

    >>> relation("on the top of").name
    'above'
    """
    if isinstance(spelling, Relation):
        return spelling
    found = SPELLINGS.get(" ".join(str(spelling).lower().split()))
    if found is None:
        raise ValueError(f"`relation` is unknown: got {spelling!r}, expected one of {', '.join(sorted(SPELLINGS))}")
    return found


@dataclass(frozen=True)
class SceneRelation:
    """Objects number `first` and `second` of a scene stand in `relation`."""

    first: int
    relation: Relation
    second: int


@dataclass(frozen=True)
class Scene:
    """Objects and relations of one prompt: a graph whose nodes are objects.

    Attributes:
        objects: phrases, as they stand in the prompt.
        relations: edges between objects; none at all leaves presence and balance to act alone.

    Raises:
        ValueError: an object related to itself, numbers out of range, or relations that cannot all hold.

    >>> Scene.of([("a cat", "left of", "a dog")]).objects
    ('a cat', 'a dog')
    """

    objects: tuple[str, ...]
    relations: tuple[SceneRelation, ...] = ()

    def __post_init__(self) -> None:
        if not self.objects:
            raise ValueError("`objects` must name at least one object, got none")
        for edge in self.relations:
            if not (0 <= edge.first < len(self.objects) and 0 <= edge.second < len(self.objects)):
                raise ValueError(f"`relations` must refer to objects 0 to {len(self.objects) - 1}, got {edge.first} and {edge.second}")
            if edge.first == edge.second:
                raise ValueError(f"`relations` must join two different objects, got {self._text(edge)}")
        self._check_orders()

    @classmethod
    def of(cls, triples: Sequence[tuple[str, str | Relation, str]]) -> "Scene":
        """Builds a scene from `(A, relation, B)` triples; equal phrases are the same object."""
        objects: dict[str, int] = {}
        edges = []
        for triple in triples:
            if isinstance(triple, str) or len(triple) != 3:
                raise ValueError(f'`relations` must be triples such as ("cat", "left of", "dog"), got {triple!r}')
            first, spelling, second = triple
            for phrase in (first, second):
                if not str(phrase).strip():
                    raise ValueError(f"`relations` must name two objects, got {triple!r}")
            numbers = [objects.setdefault(" ".join(str(phrase).split()), len(objects)) for phrase in (first, second)]
            edges.append(SceneRelation(numbers[0], relation(spelling), numbers[1]))
        return cls(tuple(objects), tuple(edges))

    def _text(self, edge: SceneRelation) -> str:
        return f'"{self.objects[edge.first]} {edge.relation.name} {self.objects[edge.second]}"'

    def _check_orders(self) -> None:
        """Relations on one axis are an order: a cycle in it cannot be drawn."""
        for axis in (0, 1):
            after: dict[int, list[tuple[int, SceneRelation]]] = {}
            for edge in self.relations:
                if edge.relation.direction[axis] > 0:
                    after.setdefault(edge.first, []).append((edge.second, edge))
                elif edge.relation.direction[axis] < 0:
                    after.setdefault(edge.second, []).append((edge.first, edge))
            for start in after:
                cycle = _path(after, start, start)
                if cycle:
                    raise ValueError(f"`relations` contradict each other: {', '.join(self._text(edge) for edge in cycle)}")


def _path(after: dict[int, list[tuple[int, SceneRelation]]], start: int, goal: int) -> list[SceneRelation]:
    """Edges from `start` back to `goal`, depth first; empty when there is no way."""
    stack: list[tuple[int, list[SceneRelation]]] = [(start, [])]
    visited: set[int] = set()
    while stack:
        node, edges = stack.pop()
        for following, edge in after.get(node, []):
            if following == goal:
                return [*edges, edge]
            if following not in visited:
                visited.add(following)
                stack.append((following, [*edges, edge]))
    return []


class SceneArrays(NamedTuple):
    """Scenes of a batch as arrays, padded to the row with the most relations and objects.

    Attributes:
        difference: (B, R, O), -1 at the first object of a relation, +1 at the second, so that
            `difference @ centroids` is `centroid(second) - centroid(first)`.
        direction: (B, R, 2), the unit vector of each relation.
        relation_weight: (B, R), 1 / number of the row's relations; 0 where padded.
        present: (B, O), 1 for an object of the row, 0 where padded.
    """

    difference: Array
    direction: Array
    relation_weight: Array
    present: Array


def scene_arrays(scenes: Sequence[Scene], *, xp, dtype=None, device=None) -> SceneArrays:
    """Packs one scene a row into arrays.

    Args:
        scenes: B scenes; they may differ in their objects and relations.
        xp: array namespace to build in, such as `numpy` or `array_api_compat.torch`.
        dtype: real floating type; float64 when None.
        device: device of the new arrays.

    Raises:
        ValueError: no scene.
    """
    if not scenes:
        raise ValueError("`scenes` must hold at least one scene, got none")
    most = max(1, *(len(scene.relations) for scene in scenes))
    wide = max(len(scene.objects) for scene in scenes)
    difference = [[[0.0] * wide for _ in range(most)] for _ in scenes]
    direction = [[[0.0, 0.0] for _ in range(most)] for _ in scenes]
    weight = [[0.0] * most for _ in scenes]
    present = [[float(o < len(scene.objects)) for o in range(wide)] for scene in scenes]
    for row, scene in enumerate(scenes):
        for number, edge in enumerate(scene.relations):
            difference[row][number][edge.first] = -1.0
            difference[row][number][edge.second] = 1.0
            direction[row][number] = list(edge.relation.direction)
            weight[row][number] = 1.0 / len(scene.relations)
    arrays = (xp.asarray(values, dtype=dtype or xp.float64, device=device) for values in (difference, direction, weight, present))
    return SceneArrays(*arrays)
