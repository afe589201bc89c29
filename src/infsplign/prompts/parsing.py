"""From a prompt to a scene."""

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Literal

from infsplign.core.scenes import Scene
from infsplign.errors import PromptWarning
from infsplign.prompts.by_hand import Entry, in_form, named_once, names_of, relation_of
from infsplign.prompts.clauses import text_of
from infsplign.prompts.grammar import Edge, edges_of
from infsplign.prompts.lexicon import NOUN, classes
from infsplign.prompts.lines import readable
from infsplign.prompts.mentions import check_places, with_same_mentions, without_adjectives, without_article
from infsplign.prompts.refusing import UnreadError, explained
from infsplign.prompts.relation_finder import check_text, find_relations
from infsplign.prompts.word_classes import is_number
from infsplign.prompts.word_lists import VAGUE

Adjectives = Literal["join", "leave"]
_WHERE = "on|on top of|in|inside|above|over|below|under|beneath|near|next to|beside|behind|in front of"
_PRONOUN = re.compile(
    rf"\bwith\s+[^,.;:!?]{{1,60}}?\s(?:{_WHERE})\s+(?:it|them)\b"
    r"|(?<![\w'-])(?!(?:and|with)\b)\w(?:(?!\b(?:with|and)\b)[^,.;:!?]){1,60}?\s(?:on|in)\s+(?:it|them)\b",
    re.IGNORECASE,
)
"""What a thing has and where: "a table with a vase on it", "a vase is on it"."""
_LONE = re.compile(r"(?<=[,;.])\s*((?:(?:a|an|the)\s+)?(?:[\w-]+\s+)?([\w-]+)\s+(?:left|right))\s*(?=$|[,;.])", re.IGNORECASE)
"""A thing and one side, beside other relations: "a cat above a dog, bird right". The side may be anything."""


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
    try:
        check_text(prompt)
        return _read(readable(prompt), adjectives)
    except UnreadError as error:
        meant = error.corrected(prompt)
        raise explained(prompt, error, names_of(meant), relation_of(meant) if error.meant else "") from None


def _read(text: str, adjectives: Adjectives) -> Scene:
    edges = with_same_mentions(text, edges_of(text, find_relations(text)))
    if adjectives == "leave":
        edges = without_adjectives(text, edges)
    try:
        scene = Scene.of(named_once(_entry(text, edge) for edge in edges))
    except ValueError as error:
        places = [place for edge in edges for span in edge.spans for place in span]
        raise UnreadError(str(error), (min(places), max(places)), "change one of them") from None
    _warn_of_counts(text, edges)
    for part in _PRONOUN.findall(text):
        warnings.warn(f"where `{part}` says is not guided; name the object instead of the pronoun", PromptWarning, stacklevel=3)
    for match in _LONE.finditer(text):
        whole, noun = match[1], match[2].lower()
        read = any(match.start(1) <= start < match.end(1) for edge in edges for start, _ in edge.spans)
        if NOUN in classes(noun) and not noun.endswith("ing") and not read:
            warnings.warn(f"`{whole}` is not guided; write `on the {whole.split()[-1]}` for a place", PromptWarning, stacklevel=3)
    check_places(text, scene.objects, edges)
    return scene


def counted_in(prompt: str) -> list[str]:
    """Objects of a readable prompt that it counts, whose number is not guided.

    >>> counted_in("two dogs left of a cat")
    ['two dogs']
    """
    text = readable(prompt)
    return list(_counted(text, edges_of(text, find_relations(text))))


def _warn_of_counts(text: str, edges: Sequence[Edge]) -> None:
    for counted in _counted(text, edges):
        warnings.warn(f"the count of `{counted}` is not guided, only where they are", PromptWarning, stacklevel=4)


def _counted(text: str, edges: Sequence[Edge]) -> Iterator[str]:
    """Numerals before objects, each with its object: where two dogs are is guided, and not that there are two."""
    for start, stop in dict.fromkeys(span for edge in edges for span in edge.spans):
        before = text[max(0, start - 20) : start].lower().split()
        if before and is_number(before[-1]) and before[-1] not in VAGUE | {"1", "1x"}:
            yield f"{before[-1]} {text_of(text, (start, stop))}"


def _entry(prompt: str, edge: Edge) -> Entry:
    first, *others = (without_article(text_of(prompt, span)) for span in edge.spans)
    return in_form(first, edge.relation, others)
