"""Places of objects without article: "dog left, cat right", "cat on left", "left: a cat"."""

import re
from collections.abc import Sequence
from functools import lru_cache

from infsplign.core.relations import ON_THE_LEFT, ON_THE_RIGHT, Relation
from infsplign.core.spellings import SPELLINGS
from infsplign.prompts.clauses import error_at
from infsplign.prompts.matches import Match
from infsplign.prompts.styles import MODIFIERS, STYLE_NOUNS
from infsplign.prompts.word_classes import is_modifier
from infsplign.prompts.words import DETERMINERS, LEAD, LINKS, SENTENCE_END

_SIDE = (
    r"(?P<side>(?:(?:top|upper|bottom|lower)[\s-]+)?(?:left|right)|top|bottom|center|centre|middle)(?:[\s-]+hand)?(?:\s+(?:side|corner))?"
)
_END = r"(?=\s*(?:$|[,;.!?)]|and\b|&))"
_AT = re.compile(rf"(?<![\w-])(?:on|at|in|to)\s+{_SIDE}{_END}", re.IGNORECASE)
_BARE = re.compile(rf"(?<![\w-]){_SIDE}{_END}", re.IGNORECASE)
_LABEL = re.compile(rf"(?:^|(?<=[,;.]))\s*(?P<label>{_SIDE}(?:\s*[:=]|(?=\s+(?:a|an|the|one|two)\s)))", re.IGNORECASE)
_NO_NAME = re.compile(
    r"(?:^|[,;.:!?]|\b(?:the|a|an|his|her|its|their|my|your|and|or|of|stage|camera|slightly|far|very))\s*$", re.IGNORECASE
)
LONE_SIDE = re.compile(rf"(?:^|(?<=[,;.]))\s*{_SIDE}\s*(?=[,;.]|$)", re.IGNORECASE)
"""A clause that is a side and nothing else."""
_NEAR = 40


def bare_places(prompt: str, directions: list[tuple[int, int]]) -> list[tuple[int, int, Relation]]:
    """Finds them, left to right. A side without "on" or "at" is a place only where there are two: a lone one may be anything.

    Args:
        directions: where a side tells a direction, "turning left", or an order, "from left to right".
    """
    found = [(*match.span(), _place(match["side"])) for match in _AT.finditer(prompt)]
    lone = [(*match.span("label"), _place(match["side"])) for match in _LABEL.finditer(prompt)]
    for match in _BARE.finditer(prompt):
        apart = not any(start <= match.start() < stop for start, stop, _ in found + lone)
        if apart and not _NO_NAME.search(prompt[max(0, match.start() - _NEAR) : match.start()]):
            lone.append((*match.span(), _place(match["side"])))
    found, lone = (
        [place for place in places if not any(start <= place[0] < stop for start, stop in directions)] for places in (found, lone)
    )
    return sorted(found + (lone if len(lone) > 1 else []), key=lambda place: place[:2])


def check_relative(prompt: str, matches: Sequence[Match]) -> None:
    """Refuses "to the right" without "of" after a relation from side to side: "a knife left of a plate and a fork to the right"."""
    for number, match in enumerate(matches):
        told = prompt[match.start : match.stop]
        if match.relation not in (ON_THE_LEFT, ON_THE_RIGHT) or not re.fullmatch(r"to\s+the\s+(?:left|right)", told, re.IGNORECASE):
            continue
        if any(before.relation.axis == 0 and not SENTENCE_END.search(prompt, before.stop, match.start) for before in matches[:number]):
            side = told.split()[-1].lower()
            remedy = f"write `to the {side} of` and its name, or `on the {side} side` for a place in the picture"
            raise error_at(prompt, (match.start, match.stop), f"it is not clear what this is to the {side} of", remedy)


def names_object(prompt: str, stop: int, thing: str, joints: Sequence[tuple[int, int]]) -> bool:
    """Whether a prompt names a thing with its article, as an object: "a framed painting", but not "a painting of" or "oil painting".

    Args:
        stop: where the prompt is no longer looked at.
        joints: where the prompt has relations of two objects. "A picture", which may be the whole one, is an object only beside these.
    """
    text = _without_leads(prompt)[:stop]
    for found in re.finditer(rf"(?<![\w-]){thing}(?![\w-])", text, re.IGNORECASE):
        words = list(_WORD.finditer(text, max(0, found.start() - _NEAR), found.start()))
        while words and words[-1].group().lower() not in DETERMINERS and _describes(words[-1].group()):
            words.pop()
        if not words or words[-1].group().lower() not in DETERMINERS:
            continue
        article = words[-1].start()
        before = any(end <= article and not text[end:article].strip() for _, end in joints)
        after = any(found.end() < start and {*text[found.end() : start].lower().split()} <= LINKS for start, _ in joints)
        if before or after or thing.lower() not in _WHOLE:
            return True
    return False


@lru_cache(4)
def _without_leads(prompt: str) -> str:
    return LEAD.sub(lambda lead: " " * len(lead.group()), prompt)


_WORD = re.compile(r"\S+")
_WHOLE = frozenset(["image", "picture", "photo", "photograph", "pic", "scene", "view", "shot", "frame"])


def _describes(word: str) -> bool:
    return is_modifier(word.lower()) or word in STYLE_NOUNS | MODIFIERS or word[0].isupper()


def _place(side: str) -> Relation:
    words = " ".join(side.lower().replace("-", " ").split())
    return SPELLINGS[f"in the {words}"]
