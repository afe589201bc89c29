"""The words on the buttons: a model's nouns, and relations that join two of them or place one."""

from collections.abc import Sequence

from infsplign.generation.vocabulary import nouns_of
from infsplign.shipped.worlds import article

JOINING = ("to the left of", "to the right of", "above", "below", "near", "far from", "on top of", "inside")
"""Relations between two objects that have a button; `docs/relations.md` has all that are read."""
PLACES = ("in the centre", "at the top", "at the bottom", "on the left side", "on the right side")
EXAMPLES = ("a cat to the left of a dog", "a lamp above a red chair", "a cup between a book and a vase")
"""Prompts that are offered for a model whose nouns are not known."""


def phrases(model: str) -> list[str]:
    """Returns a shipped model's nouns with their articles; for another model, whole prompts to start from."""
    return [with_article(name) for name in nouns_of(model)] or list(EXAMPLES)


def with_article(name: str) -> str:
    """Puts the article before a noun.

    >>> with_article("orange"), with_article("cat")
    ('an orange', 'a cat')
    """
    return f"{article(name)} {name}"


def with_piece(prompt: str, piece: str) -> str:
    """Appends a button's words to a prompt, with a comma where two objects would stand side by side.

    >>> with_piece("a cat above a hand", "a dog")
    'a cat above a hand, a dog'
    >>> with_piece("a cat", "above"), with_piece("a cat above", "a dog"), with_piece("a cat above a dog", "a lamp")
    ('a cat above', 'a cat above a dog', 'a cat above a dog, a lamp')
    """
    before = " ".join(prompt.split())
    if not before:
        return piece
    if piece in (*JOINING, *PLACES) or f" {before}".endswith((",", *(f" {word}" for word in (*JOINING, "and", "between")))):
        return f"{before} {piece}"
    return f"{before}, {piece}"


def first_prompt(model: str) -> str:
    """Returns a prompt to begin with, made of the model's own nouns."""
    known: Sequence[str] = nouns_of(model)
    if not known:
        return EXAMPLES[0]
    wanted = [name for name in ("cat", "dog", "heart", "diamond") if name in known]
    first, second = (wanted or list(known))[:2]
    return f"{with_article(first)} to the left of {with_article(second)}"
