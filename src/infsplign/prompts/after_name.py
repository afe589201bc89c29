"""What stands between the name of an object and the next relation, and refusals where it is not clear which object that is about."""

import re
from collections.abc import Sequence
from itertools import pairwise

from infsplign.prompts.after_noun import is_loose
from infsplign.prompts.clauses import Span, begins_name, error_at, head_of
from infsplign.prompts.nouns import first_name
from infsplign.prompts.styles import is_style
from infsplign.prompts.word_classes import is_adverb, is_being
from infsplign.prompts.word_lists import ABSTRACT, COLOURS, HELD, INDOORS, OWN, RESTS, SETTINGS, SKY, STANDS, WORN, word_set
from infsplign.prompts.words import AWAY, CARRYING, CHOICES, CONTEXT, COPULAS, DETERMINERS, LINKS, PRONOUNS, WHICH


def check_rest(prompt: str, words: Sequence[Span], rest: Sequence[str], about: bool, name: str) -> None:
    """Refuses what follows a name where it may be another object, or where a relation follows that may be about it."""
    if not rest or (about and (_goes_on_about(rest) or (is_being(name) and _poses(rest)))):
        return
    where = (words[0][0], words[-1][1])
    holds = _is_busy(rest) or (is_being(name) and _has(rest))
    if about and holds and _SIDEWAYS.match(prompt, where[1]):  # what somebody holds is beside the same things as he
        return
    if about and rest[-1] in DETERMINERS | {"of", "with"}:  # "a pair of over the ear headphones"
        raise error_at(prompt, (where[1], where[1]), "an object is missing", "name the object here")
    if about and rest[0] in _MOVING and len(rest) > 1:  # "a man pouring water over a plant"
        raise error_at(prompt, where, "it is not clear which object the relation is about", "name it before its relation")
    if not about and rest[0] in COPULAS | RESTS and any(map(begins_name, rest[1:2])):  # "a few steps left of a tree is a house"
        raise error_at(prompt, where, "it is not clear which object the relation is about", "name it before its relation")
    place = next((i for i, word in enumerate(rest) if word in CONTEXT | AWAY), len(rest))
    part = {"in": COLOURS, "with": OWN}.get("".join(rest[place : place + 1]), frozenset())  # "a lady in red"
    if rest[place:] in (["up"], ["down"], ["out"]):  # "a kitten curled up inside a shoe"
        return
    away = place < len(rest) and head_of(prompt, (words[place][1], where[1])) not in SETTINGS | WORN | SKY | ABSTRACT | part
    if about and away and rest[0] not in WHICH:
        raise error_at(prompt, words[place], "it is not clear which object the relation is about", "leave this part out or put it last")
    if begins_name(rest[0]) or not is_loose(rest):
        raise error_at(prompt, where, "it is not clear whether this belongs to the object before it", "put a comma before it")
    if about and rest[0] not in WHICH and any(map(begins_name, rest[1:place])):
        raise error_at(prompt, where, "it is not clear which object the relation is about", "leave this part out or put it last")
    of = next((i for i, word in enumerate(rest[1:], 1) if rest[i - 1] == "of" and begins_name(word)), None)
    if about and name in _PICTURES and of is not None:  # "a portrait in the style of Rembrandt of a cat above a dog"
        raise error_at(prompt, (words[of][0], where[1]), "it is not clear which object the relation is about", "write it right after `of`")
    if about and rest[0] == "whose" and rest[-1] in COPULAS:
        raise error_at(prompt, where, "it is not clear which object the relation is about", "name it before its relation")
    if about and (other := _another_thing(prompt, words, rest)) is not None:
        remedy = "put a comma before it, or leave it out"
        raise error_at(prompt, (words[other][0], where[1]), "it is not clear which object the relation is about", remedy)


def _is_busy(rest: Sequence[str]) -> bool:
    """Whether somebody holds or uses one thing: "holding a milk jug"."""
    others = [word for word in rest[1:] if word in CONTEXT | AWAY | WHICH | COPULAS | CHOICES or word in ("and", "&", "of")]
    return rest[0] in _HOLDS and not others and sum(map(begins_name, rest[1:])) == 1 and begins_name(rest[1])


def _has(rest: Sequence[str]) -> bool:
    """Whether somebody has things with him, and nobody: "with a katana", "with a straw hat and a pitchfork"."""
    others = [word for word in rest[1:] if is_being(word) or word in CONTEXT | AWAY | WHICH | COPULAS | CHOICES or word in PRONOUNS]
    return rest[0] == "with" and not others and is_loose(rest)


def _poses(rest: Sequence[str]) -> bool:
    """Whether somebody does what the thing that he has cannot do: "with an axe standing"."""
    begin, end, _ = first_name(rest[1:])
    poses = rest[1 + end :] in (["standing"], ["sitting"], ["walking"], ["kneeling"])
    return rest[0] == "with" and begin == 1 and poses and not is_being(rest[end])


def _another_thing(prompt: str, words: Sequence[Span], rest: Sequence[str]) -> int | None:
    """The place in `rest` of a thing that the next relation may be about: "in a park [with a dog]", "that chases [a dog]"."""
    for i, word in enumerate(rest[1:], 1):
        before = rest[i - 1]
        if not begins_name(word) and not (before == "with" and i > 1):
            continue
        head = head_of(prompt, (words[i][0], words[-1][1]))
        part = {"in": COLOURS | WORN, "with": OWN | WORN, "wearing": WORN}.get(before, frozenset())
        places = frozenset[str]() if before == "with" and i > 1 else SETTINGS | SKY | ABSTRACT | INDOORS
        held = before in CARRYING and before not in ("with", "without", "w/")  # it is where its holder is
        if held or before == "of" or not head or head in places | part or is_style(head):
            continue
        return i
    return None


def _goes_on_about(rest: Sequence[str]) -> bool:
    """Whether what stands between a name and a relation leaves the relation to that name: "holding a cup [stands]", "full of apples"."""
    told = [word for word in rest if not is_adverb(word)]
    while told and told[-1] in LINKS - STANDS:
        del told[-1]
    aside = rest[0] in CARRYING or (rest[0].endswith("ing") and rest[0] not in _SAYING)
    aside = aside and all(i < 2 or before in CONTEXT | {"of"} for i, (before, word) in enumerate(pairwise(rest), 1) if begins_name(word))
    if aside and told and told[-1] in STANDS and not {*rest[:-1]} & (WHICH | COPULAS | CHOICES | STANDS | {"as", "while", "when", "how"}):
        return True
    _, end, _ = first_name(rest[2:])
    return " ".join(rest[:2]) in HELD and end > 0 and not begins_name(rest[2]) and {*rest[2 + end :]} <= LINKS


_HOLDS = word_set(
    "holding carrying playing smoking wearing reading eating drinking stealing hugging cuddling petting chewing biting sipping licking "
    "using wielding brandishing clutching gripping lifting strumming knitting sewing peeling carving"
)
_SIDEWAYS = re.compile(r"\s+(?:(?:to|on)\s+the\s+)?(?:left|right)\b|\s+(?:beside|next\s+to|near)\b", re.IGNORECASE)
_PICTURES = word_set("painting portrait poster mural render photo photograph picture drawing illustration sketch image print shot 3d")
_SAYING = frozenset(["saying", "thinking", "imagining", "believing", "claiming", "seeing", "dreaming", "knowing", "reading"])
_MOVING = word_set("pouring dropping spilling throwing putting placing spreading spraying sprinkling pours drops spills throws puts places")
