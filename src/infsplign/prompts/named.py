"""The nouns of a world that a prompt names, beside the objects of its relation."""

import re
from collections.abc import Collection, Sequence

from infsplign.prompts.nouns import first_name
from infsplign.prompts.styles import is_style
from infsplign.prompts.word_classes import is_modifier, is_number
from infsplign.prompts.words import DETERMINERS

_NOT = re.compile(r".*(?<![\w-])(?:no|not|nor|neither|without|free\s+of)\s+(?P<between>[\w\s-]*)$")
_GOES_ON = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+and\s+|\s+(?:or|nor)\s+(?:(?:an?|any)\s+)?")


def named_in(prompt: str, nouns: Sequence[str]) -> dict[str, bool]:
    """The nouns that a prompt names, each with whether it asks for one: "a bird" and "birds" do, "dressed in orange" may mean something
    else. "Star fruit" names no star, "an orange cat" no orange, and "no bird" none.

    >>> named_in("a star fruit and two Crosses, full moon", ("star", "star fruit", "cross", "moon"))
    {'star fruit': True, 'cross': True, 'moon': False}
    >>> named_in("a cat without a big red hat or birds, a dog", ("bird", "cat", "dog", "hat"))
    {'cat': True, 'dog': True}
    >>> named_in("an orange car above a dog house, bird's-eye view, book illustration", ("bird", "book", "car", "dog", "orange"))
    {'car': True}
    """
    text = " ".join(prompt.lower().split())
    spelled = {form: noun for noun in nouns for form in (noun, plural(noun))}
    listed = "|".join(map(re.escape, sorted(spelled, key=len, reverse=True)))
    found, end, refused = dict[str, bool](), 0, False
    for match in re.finditer(rf"(?<![\w-])(?:{listed})(?![\w'\u2019-])", text) if listed else ():
        before, between, end = text[: match.start()], text[end : match.start()], match.end()
        refused = _negated(before) or (refused and bool(_GOES_ON.fullmatch(between)))
        if not refused and _ends_name(match[0], text[end:]):
            noun = spelled[match[0]]
            found[noun] = found.get(noun, False) or match[0] != noun or _has_article(before)
    return found


def _has_article(before: str) -> bool:
    """Whether words end with an article or a numeral, and adjectives; "seen from a train" and "like a bird" ask for none."""
    words = re.split(r"[^\w\s'\u2019-]", before)[-1].split()
    while words and is_modifier(words[-1]):
        words.pop()
    asked = bool(words) and (words[-1] in DETERMINERS or is_number(words[-1]))
    return asked and not (len(words) > 1 and words[-2] in ("from", "like", "as"))


def _negated(before: str) -> bool:
    """Whether a noun after these words is one that should not be there: nothing stands between but an article and adjectives."""
    found = _NOT.fullmatch(before)
    return found is not None and all(word in DETERMINERS or word == "any" or is_modifier(word) for word in found["between"].split())


def _ends_name(noun: str, rest: str) -> bool:
    """Whether what follows a noun leaves it the head of a name: "car [is]", not "dog [house]", and no style: "book [illustration]"."""
    follows = re.match(r"\s([\w\s'-]+)", rest)
    words = [noun.split()[-1], *follows[1].split()] if follows else []
    return not words or (first_name(words).end == 1 and not is_style(words[1]))


def beside(prompt: str, nouns: Sequence[str], objects: Collection[str]) -> dict[str, bool]:
    """The nouns that a prompt names beside `objects`, see `named_in`.

    >>> beside("a bird, a cat left of a dog", ("bird", "cat", "dog"), ("cat", "dog"))
    {'bird': True}
    """
    return {noun: asked for noun, asked in named_in(prompt, nouns).items() if noun not in objects}


def plural(noun: str) -> str:
    """The plural of a noun of a world.

    >>> [plural(noun) for noun in ("star fruit", "cross", "fish")]
    ['star fruits', 'crosses', 'fish']
    """
    if noun.endswith("fish"):
        return noun
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
