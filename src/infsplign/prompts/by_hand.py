"""Relations given by hand, as entries and as text; scenes without relations."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from infsplign.core.relations import Relation
from infsplign.core.scenes import Scene
from infsplign.errors import PromptError, PromptWarning
from infsplign.prompts.clauses import error_at, pieces_of, text_of
from infsplign.prompts.hints import other_language
from infsplign.prompts.lines import readable
from infsplign.prompts.listing import names_in
from infsplign.prompts.mentions import several_places, without_article
from infsplign.prompts.phrases import find_phrases, fold
from infsplign.prompts.refusing import UnreadError, example, explained
from infsplign.prompts.relation_finder import check_text, find_relations

Entry = tuple[str, str | Relation] | tuple[str, str | Relation, str | tuple[str, str] | None]
"""A relation given by hand: `("cat", "in the centre")`, `("cat", "left of", "dog")` or `("cat", "between", ("dog", "tree"))`."""
MOST = 500
"""Relations of one scene by hand; the time that contradictions take grows with their square."""


def scene_from(prompt: str, relations: Sequence[Entry]) -> Scene:
    """Builds the scene of relations given by hand, and checks that the prompt names their objects.

    Args:
        prompt: the prompt that will be sampled.
        relations: entries as of `Scene.of`: `(A, relation, B)`, `(A, "between", (B, C))`, or `(A, place)`. Articles are left out.
            An empty list is a scene of all objects that the prompt names, without relations.

    Raises:
        PromptError: an object is not in the prompt, or the relations are unknown, malformed or contradict each other.

    >>> scene_from("a cat and a dog", [("the cat", "left of", "dog")]).objects
    ('cat', 'dog')
    """
    relations = list(relations)  # also of an iterator, or of an array
    if not relations:
        return Scene(_objects(prompt))
    if len(relations) > MOST:
        raise PromptError(f"`relations` must have at most {MOST} entries, got {len(relations)}")
    scene = _scene(prompt, relations)
    find_phrases(prompt, scene.objects)
    for phrase, place in several_places(prompt, scene.objects):
        where = f"{prompt[max(0, place[0] - 20) : place[1] + 20]!r}"
        told = f"{phrase!r} stands in several places of the prompt, and the first one's tokens are taken, in {where}"
        warnings.warn(f"{told}; use other words, or pass `token_indices`", PromptWarning, stacklevel=2)
    return scene


def _objects(prompt: str) -> tuple[str, ...]:
    check_text(prompt)
    text = readable(prompt)
    names = tuple(" ".join(text_of(text, span).split()) for span in names_in(text))
    if not names:
        raise explained(prompt, UnreadError("No object was found", (0, len(prompt)), "name what is to be seen"))
    find_phrases(prompt, names)
    return names


def parse_relation(text: str) -> Entry:
    """Reads one relation given by hand, such as "cat left of dog", "a cat between a dog and a tree" or "cat in the centre".

    Returns:
        An entry of `relations`, without articles, its relation by the canonical name.

    Raises:
        PromptError: not one known relation with its objects around it.

    >>> parse_relation("the cat to the left of a teddy bear")
    ('cat', 'left of', 'teddy bear')
    """
    try:
        check_text(text)
        line = readable(text)
        if ends := [i for i, (letter, read) in enumerate(zip(text, line, strict=True)) if letter == "\n" and read == ";"]:
            raise UnreadError("a relation ends at a line break", (ends[0], len(text)), "leave out what follows, or the line break")
        return _relation(line)
    except UnreadError as error:
        names = names_of(error.corrected(text))
        raise explained(text, error, names if len(names) > 1 else ()) from None  # a single name has the relation in it, as it stands


def _relation(text: str) -> Entry:
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
    return in_form(first, found.name, others[: found.arity - 1])


def in_form(first: str, found: str | Relation, others: Sequence[str]) -> Entry:
    if not others:
        return first, found
    return first, found, others[0] if len(others) == 1 else (others[0], others[1])


def _scene(prompt: str, relations: Sequence[Any]) -> Scene:
    """The scene of entries given by hand."""
    for entry in relations:
        if isinstance(entry, str) or not hasattr(entry, "__len__") or len(entry) not in (2, 3):
            raise PromptError(f"`relations` must be triples such as {example(())}, got {entry!r}")
    try:
        return Scene.of(named_once(relations))
    except ValueError as error:
        raise PromptError(f"{error}; for the prompt:\n  {prompt}\nA relation by hand: {example(())}") from error


def named_once(relations: Iterable[Any]) -> list[Any]:
    """Entries in which phrases that differ only in article, case or blanks are one object."""
    names: dict[str, str] = {}

    def one(phrase: Any) -> Any:
        if phrase is None:
            return None
        if isinstance(phrase, tuple | list):
            return tuple(map(one, phrase))
        named = without_article(str(phrase))
        return names.setdefault(fold(named), named)

    return [(one(entry[0]), entry[1], *map(one, entry[2:])) for entry in relations]


def relation_of(prompt: str) -> str:
    """The first relation of a prompt that has two objects, for the example of an error; "left of" where none can be read."""
    try:
        found = [match[2] for match in find_relations(readable(prompt))]
    except UnreadError:
        found = []
    return next((relation.name for relation in found if relation.arity == 2), "left of")


def names_of(prompt: str) -> list[str]:
    """The objects of a prompt, for the example of an error."""
    text = readable(prompt)
    words = text.lower().split()
    return [] if other_language(words) else [" ".join(text_of(text, span).split()) for span in names_in(text)[:2]]
