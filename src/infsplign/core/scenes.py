"""The content of a prompt: objects and the relations between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infsplign.core.contradictions import contradiction
from infsplign.core.relations import Relation, SceneRelation
from infsplign.core.spellings import RELATIONS, relation


@dataclass(frozen=True)
class Scene:
    """Objects and relations of one prompt: a graph whose nodes are objects.

    Attributes:
        objects: phrases, as they stand in the prompt.
        relations: edges between objects, and places of objects; one that repeats an earlier one, also from the other side ("B right of A"),
            is left out. Without any, only presence and balance act.

    Raises:
        TypeError: `objects` is no tuple or list of texts, or `relations` none of `SceneRelation`s.
        ValueError: an object related to itself, numbers out of range, too many or too few objects for a relation, or relations
            that cannot all hold.

    >>> Scene.of([("a cat", "left of", "a dog"), ("a bird", "between", ("a cat", "a dog")), ("a dog", "at the top")]).objects
    ('a cat', 'a dog', 'a bird')
    """

    objects: tuple[str, ...]
    relations: tuple[SceneRelation, ...] = ()

    def __post_init__(self) -> None:
        for name, kind, wanted in (("objects", str, "phrases"), ("relations", SceneRelation, "`SceneRelation`s; see `Scene.of`")):
            value = getattr(self, name)  # a text would be taken as letters, and a generator is used up when it is checked
            if not isinstance(value, tuple | list) or not all(isinstance(item, kind) for item in value):
                raise TypeError(f"`{name}` must be a tuple of {wanted}, got {value!r:.100}")
            object.__setattr__(self, name, tuple(value))
        if not self.objects:
            raise ValueError("`objects` must name at least one object, got none")
        for edge in self.relations:
            self._check(edge)
        object.__setattr__(self, "relations", _without_repetitions(self.relations))
        if found := contradiction(self.relations):
            raise ValueError(f"`relations` contradict each other: {', '.join(self._quoted(edge) for edge in found)}")

    def _check(self, edge: SceneRelation) -> None:
        numbers, wanted = edge.objects, edge.relation.arity
        if len(numbers) != wanted or (wanted == 2 and edge.second is None):
            raise ValueError(f"`relations` must give {edge.relation.name!r} {_counted(wanted)}, got numbers {numbers}")
        if not all(0 <= number < len(self.objects) for number in numbers):
            listed = " and ".join(map(str, numbers))
            raise ValueError(f"`relations` must refer to objects 0 to {len(self.objects) - 1}, got {listed}")
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"`relations` must join {'two' if wanted == 2 else wanted} different objects, got {self._quoted(edge)}")

    @classmethod
    def of(cls, triples: Sequence[Any]) -> "Scene":
        """Builds a scene; equal phrases are the same object, and objects are numbered in the order in which they are mentioned.

        Args:
            triples: `("cat", "left of", "dog")`, `("cat", "between", ("dog", "tree"))`, `("cat", "in the centre")` or
                `("cat", "in the centre", None)`.

        Raises:
            ValueError: as the class, and an entry of another form, an unknown relation, or an empty phrase.
        """
        objects: dict[str, int] = {}
        edges = []
        for triple in triples:
            first, found, others = _read(triple)
            for phrase in (first, *others):
                if not str(phrase).strip():
                    raise ValueError(f"`relations` must name {_counted(found.arity)}, got {triple!r}")
            numbers = [objects.setdefault(" ".join(str(phrase).split()), len(objects)) for phrase in (first, *others)]
            edges.append(SceneRelation(numbers[0], found, *numbers[1:]))
        return cls(tuple(objects), tuple(edges))

    def text(self, edge: SceneRelation) -> str:
        """A relation in words.

        >>> scene = Scene.of([("cat", "in between", ("dog", "tree"))])
        >>> scene.text(scene.relations[0])
        'cat between dog and tree'
        """
        first, *others = (self.objects[number] for number in edge.objects)
        return " ".join((first, edge.relation.name, " and ".join(others))).rstrip()

    def __str__(self) -> str:
        """All relations in words, or the objects if there is none.

        >>> print(Scene.of([("cat", "left of", "dog"), ("bird", "at the top")]))
        cat left of dog; bird at the top
        >>> print(Scene(("cat", "dog")))
        cat, dog
        """
        return "; ".join(map(self.text, self.relations)) or ", ".join(self.objects)

    def _quoted(self, edge: SceneRelation) -> str:
        return f'"{self.text(edge)}"'


_KNOWN = frozenset(RELATIONS)


def _without_repetitions(edges: Sequence[SceneRelation]) -> tuple[SceneRelation, ...]:
    """The loss is a mean over the relations: one that is said twice would weigh twice as much as the others."""
    kept: list[SceneRelation] = []
    for edge in edges:
        if not any(_same(edge, other) for other in kept):
            kept.append(edge)
    return tuple(kept)


def _same(edge: SceneRelation, other: SceneRelation) -> bool:
    if edge == other:
        return True
    if not {edge.relation, other.relation} <= _KNOWN:  # one of one's own may measure something else under the same name
        return False
    if edge.relation.arity == 2:
        return edge.relation.inverse == other.relation.name and (edge.first, edge.second) == (other.second, other.first)
    turned = (edge.first, edge.third, edge.second)
    return edge.relation.equation == "between" and edge.relation == other.relation and turned == (other.first, other.second, other.third)


def _read(triple: Any) -> tuple[Any, Relation, tuple[Any, ...]]:
    """First object, relation and other objects of one entry of `Scene.of`."""
    if isinstance(triple, str) or not hasattr(triple, "__len__") or len(triple) not in (2, 3):
        raise ValueError(f'`relations` must be triples such as ("cat", "left of", "dog"), got {triple!r}')
    first, found, second = triple[0], relation(triple[1]), triple[2] if len(triple) == 3 else None
    others = () if second is None else tuple(second) if isinstance(second, tuple | list) else (second,)
    if len(others) != found.arity - 1:
        form = {1: '("cat", {!r})', 2: '("cat", {!r}, "dog")', 3: '("cat", {!r}, ("dog", "tree"))'}[found.arity].format(found.name)
        raise ValueError(f"`relations` must give {found.name!r} {_counted(found.arity)}, such as {form}, got {triple!r}")
    return first, found, others


def _counted(number: int) -> str:
    return ("one object", "two objects", "three objects")[number - 1]
