"""From a prompt, or from relations given by hand, to a scene."""

from collections.abc import Sequence
from typing import Any, Literal

from infsplign.core.relations import Relation
from infsplign.core.scenes import Scene
from infsplign.errors import PromptError
from infsplign.prompts.clauses import REMEDY, error_at, pieces_of, text_of
from infsplign.prompts.grammar import Edge, edges_of
from infsplign.prompts.mentions import check_places, with_same_mentions, without_adjectives, without_article
from infsplign.prompts.phrases import find_phrases, fold
from infsplign.prompts.relation_finder import find_relations

Entry = tuple[str, str | Relation] | tuple[str, str | Relation, str | tuple[str, str] | None]
"""A relation given by hand: `("cat", "in the centre")`, `("cat", "left of", "dog")` or `("cat", "between", ("dog", "tree"))`."""
Adjectives = Literal["join", "leave"]


def parse_prompt(prompt: str, *, adjectives: Adjectives = "join") -> Scene:
    """Reads the objects of a prompt and the relations between them.

    Args:
        prompt: English, such as "a lamp above a table, a cat to the right of the lamp". Relations are joined by commas, semicolons
            or "and"; in "A left of B and above C" it is A that is above C, in "A left of B above C" it is B. "A, B and C above D" puts
            all three above D. Equal phrases, articles aside, are the same object. Parts without a relation ("..., 4k") are left alone.
        adjectives: "join" names an object with its adjectives: the map of "red chair" is the mean of both words' maps, and
            "red chair" and "blue chair" are told apart. "leave" names it by its noun, where that alone tells it apart.

    Returns:
        Objects as the prompt spells them, without articles, in the order in which relations name them first.

    Raises:
        PromptError: nothing to read, an unknown relation, a missing or unclear object, or relations that contradict each other.

    >>> parse_prompt("a photo of a wine glass above a red kite").objects
    ('wine glass', 'red kite')
    """
    if adjectives not in ("join", "leave"):
        raise ValueError(f"`adjectives` must be 'join' or 'leave', got {adjectives!r}")
    edges = with_same_mentions(prompt, edges_of(prompt, find_relations(prompt)))
    if adjectives == "leave":
        edges = without_adjectives(prompt, edges)
    scene = _scene(prompt, [_entry(prompt, edge) for edge in edges])
    check_places(prompt, scene.objects, edges)
    return scene


def scene_from(prompt: str, relations: Sequence[Entry]) -> Scene:
    """Builds the scene of relations given by hand, and checks that the prompt names their objects.

    Args:
        prompt: the prompt that will be sampled.
        relations: entries as of `Scene.of`: `(A, relation, B)`, `(A, "between", (B, C))`, or `(A, place)`. Articles are left out.

    Raises:
        PromptError: an object is not in the prompt, or the relations are unknown, malformed or contradict each other.

    >>> scene_from("a cat and a dog", [("the cat", "left of", "dog")]).objects
    ('cat', 'dog')
    """
    scene = _scene(prompt, relations)
    find_phrases(prompt, scene.objects)
    return scene


def parse_relation(text: str) -> Entry:
    """Reads one relation given by hand, such as "cat left of dog", "a cat between a dog and a tree" or "cat in the centre".

    Returns:
        An entry of `relations`, without articles, its relation by the canonical name.

    Raises:
        PromptError: not one known relation with its objects around it.

    >>> parse_relation("the cat to the left of a teddy bear")
    ('cat', 'left of', 'teddy bear')
    """
    matches = find_relations(text, by_hand=True)
    if len(matches) > 1:
        raise error_at(text, (matches[1].start, matches[1].stop), "one relation is expected, this is the second")
    start, stop, found = matches[0][:3]
    parts = [(stop, len(text))]
    if found.arity == 3:
        parts = pieces_of(text, parts[0], between=True)
        if len(parts) != 2:
            raise error_at(text, (stop, len(text)), f"{found.name!r} needs two objects, such as `cat between dog and tree`")
    first, *others = (without_article(text_of(text, part)) for part in [(0, start), *parts])
    if not first or (found.arity > 1 and not all(others)):
        place = stop if first else start
        raise error_at(text, (place, place), f"an object is missing {'after' if first else 'before'} the relation")
    if found.arity == 1 and others[0]:
        raise error_at(text, (stop, len(text)), f"{found.name!r} is a place and leads to no other object")
    return _in_form(first, found.name, others[: found.arity - 1])


def _entry(prompt: str, edge: Edge) -> Entry:
    first, *others = (without_article(text_of(prompt, span)) for span in edge.spans)
    return _in_form(first, edge.relation, others)


def _in_form(first: str, found: str | Relation, others: Sequence[str]) -> Entry:
    if not others:
        return first, found
    return first, found, others[0] if len(others) == 1 else (others[0], others[1])


def _scene(prompt: str, relations: Sequence[Any]) -> Scene:
    """The scene of entries; phrases that differ only in article, case or blanks are one object."""
    names: dict[str, str] = {}

    def one(phrase: Any) -> Any:
        if phrase is None:
            return None
        if isinstance(phrase, tuple | list):
            return tuple(map(one, phrase))
        named = without_article(str(phrase))
        return names.setdefault(fold(named), named)

    entries = []
    for entry in relations:
        if isinstance(entry, str) or len(entry) not in (2, 3):
            raise PromptError(f"`relations` must be triples, got {entry!r}. {REMEDY}")
        entries.append((one(entry[0]), entry[1], *map(one, entry[2:])))
    try:
        return Scene.of(entries)
    except ValueError as error:
        raise PromptError(f"{error}; for the prompt:\n  {prompt}\n{REMEDY}") from error
