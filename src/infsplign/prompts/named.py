"""The nouns of a world that a prompt names, beside the objects of its relation."""

import re
from collections.abc import Collection, Sequence

from infsplign.prompts.nouns import first_name

_NOT = re.compile(r"(?<!\w)(?:no|not|nor|without)\s+(?:(?:an?|any|the|one)\s+)?(?:[\w-]+\s+)?$")
_GOES_ON = re.compile(r"\s*,\s*|\s*,?\s+(?:or|nor)\s+(?:(?:an?|any)\s+)?")


def named_in(prompt: str, nouns: Sequence[str]) -> set[str]:
    """The nouns that a prompt asks for, also in the plural; "star fruit" names no star, "an orange cat" no orange, and "no bird" asks for
    none.

    >>> sorted(named_in("a star fruit and two Crosses, a moon", ("star", "star fruit", "cross", "moon")))
    ['cross', 'moon', 'star fruit']
    >>> sorted(named_in("a cat without a red hat or birds, a dog", ("bird", "cat", "dog", "hat")))
    ['cat', 'dog']
    >>> named_in("an orange car above a dog house", ("car", "dog", "orange"))
    {'car'}
    """
    text = " ".join(prompt.lower().split())
    spelled = {form: noun for noun in nouns for form in (noun, plural(noun))}
    listed = "|".join(map(re.escape, sorted(spelled, key=len, reverse=True)))
    found, end, refused = set[str](), 0, False
    for match in re.finditer(rf"(?<!\w)(?:{listed})(?!\w)", text) if listed else ():
        before, end = text[end : match.start()], match.end()
        refused = bool(_NOT.search(before)) or (refused and bool(_GOES_ON.fullmatch(before)))
        if not refused and _ends_name(match[0], text[end:]):
            found.add(spelled[match[0]])
    return found


def _ends_name(noun: str, rest: str) -> bool:
    """Whether what follows a noun leaves it the head of its name: "car [is]", not "dog [house]"."""
    follows = re.match(r"\s([\w\s'-]+)", rest)
    return follows is None or first_name([noun.split()[-1], *follows[1].split()]).end == 1


def beside(prompt: str, nouns: Sequence[str], objects: Collection[str]) -> tuple[str, ...]:
    """The nouns that a prompt asks for beside `objects`, in the order of `nouns`.

    >>> beside("a bird, a cat left of a dog", ("bird", "cat", "dog"), ("cat", "dog"))
    ('bird',)
    """
    named = named_in(prompt, nouns)
    return tuple(noun for noun in nouns if noun in named and noun not in objects)


def plural(noun: str) -> str:
    """The plural of a noun of a world.

    >>> [plural(noun) for noun in ("star fruit", "cross", "fish")]
    ['star fruits', 'crosses', 'fish']
    """
    if noun.endswith("fish"):
        return noun
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
