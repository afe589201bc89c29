"""What the text between two relations says: what the first one leads to, and what the second one is about."""

import itertools
from collections.abc import Sequence
from enum import Enum

from infsplign.core.relations import INSIDE, ON_TOP_OF
from infsplign.prompts.clauses import (
    COMMAS,
    Span,
    after_where,
    begins_name,
    clauses,
    error_at,
    head_of,
    is_bare_item,
    is_blank,
    is_description,
    is_far_behind,
    is_list_item,
    lower_of,
    parts_of,
    pieces_of,
    says_nothing,
    text_of,
    without_lead,
    words_of,
)
from infsplign.prompts.matches import Match
from infsplign.prompts.objects import objects_of
from infsplign.prompts.phrases import fold
from infsplign.prompts.styles import is_medium
from infsplign.prompts.word_classes import is_acting, is_adverb, is_being, is_participle
from infsplign.prompts.word_lists import PARTS_OF_ITS_OWN, SETTINGS, STANDS, WORN
from infsplign.prompts.words import AND, CONTEXT, COPULAS, DETERMINERS, LINKS, SENTENCE_END, WHICH

UNCLEAR_JOIN = "it is not clear which objects these two relations join"


class About(Enum):
    """What a relation is about that has no object right before it."""

    SAME = "what the relation before is about: A left of B and above C"
    LATEST = "what the relation before leads to: A left of B above C"
    AHEAD = "what follows it: on the left a cat"


def opening(prompt: str, gap: Span, *, place: bool, ahead: bool) -> list[Span] | About:
    """What the first relation is about.

    Args:
        place: the relation is a place, and may stand before its object.
        ahead: and an object follows it at once.
    """
    gap = (max([gap[0], *(stop.end() for stop in SENTENCE_END.finditer(prompt, *gap))]), gap[1])
    chunks = clauses(prompt, gap)
    named = [chunk for chunk in chunks if not says_nothing(prompt, chunk)]
    if place and len(named) > 1 and named[-1] == chunks[-1] and is_description(prompt, chunks[-1]):  # "two balls, red on the left"
        raise error_at(prompt, chunks[-1], "it is not clear what this describes", "name the object too")
    named = [*named[:1], *(chunk for chunk in named[1:] if not is_description(prompt, chunk))]
    if says_nothing(prompt, chunks[-1]):
        named = _apart(prompt, named)
    if (place and not named) or (ahead and named[-1:] != chunks[-1:]):
        return About.AHEAD
    parts = parts_of(prompt, chunks[-1])
    if ahead and len(parts) > 1 and is_blank(prompt, parts[-1]):  # "a cat and on the left a dog"
        return About.AHEAD
    return subjects(prompt, named or [gap])


def _apart(prompt: str, named: list[Span]) -> list[Span]:
    """What a relation after a comma may be about: "a knight, silver armor, standing left of B" is about the knight.

    Raises:
        PromptError: it may be about each of two objects, "a cat, a dog, left of a bird".
    """
    found = named[:1]
    for chunk in named[1:]:
        words = lower_of(prompt, chunk).split()
        belongs = words and not begins_name(words[0]) and words[-1] in WORN | PARTS_OF_ITS_OWN
        if not belongs or not any(map(is_being, lower_of(prompt, (found[0][0], found[-1][1])).split())):
            found.append(chunk)
    items = [chunk for chunk in found if is_list_item(prompt, chunk) and head_of(prompt, chunk) not in SETTINGS]
    if len(items) > 1 and items[-2:] == found[-2:] and not is_medium(*(lower_of(prompt, items[-2]).split()[-2:])):
        span = (items[-2][0], items[-1][1])
        raise error_at(prompt, span, "it is not clear which object the relation is about", "put `and` between them, or the other first")
    return found


def follows_at_once(prompt: str, gap: Span) -> bool:
    """Whether a gap begins with an object: "on the left [is a cat]"."""
    words = text_of(prompt, clauses(prompt, gap)[0]).lower().split()
    while words and (words[0] in LINKS or words[0] == "there"):
        del words[0]
    return bool(words) and words[0] in DETERMINERS


def between_two(prompt: str, gap: Span, match: Match, following: Match, wanted: int, ahead: bool) -> tuple[list[Span], list[Span] | About]:
    """Cuts the gap between two relations.

    Args:
        match, following: the first relation and the second one.
        wanted: how many objects it takes from the gap.
        ahead: the first relation is a place that stands before its object.

    Returns:
        Pieces that belong to the first relation, and what the second one is about.
    """
    chunks = _chunks(prompt, gap, ahead)
    if wanted == 0:
        named = [chunk for chunk in chunks if not says_nothing(prompt, chunk)]
        words = lower_of(prompt, named[-1]).split() if named else []
        return [], About.SAME if not words or words[0] in WHICH else subjects(prompt, named)
    acts = len(clauses(prompt, gap)) > 1 and _acts(prompt, clauses(prompt, gap)[-1])  # "A left of B, lying on C": A lies there
    if len(chunks) == 1:
        pieces = pieces_of(prompt, chunks[0], between=True)
        if acts and (wanted == 1 or len(pieces) <= wanted):
            return pieces, About.SAME
        if len(pieces) <= wanted:
            if match.relation is INSIDE and following.relation is not ON_TOP_OF:  # "a fish in a bowl next to a lamp": both are next to it
                return pieces, About.SAME
            return pieces, _latest(prompt, chunks[0], match, wanted)
        cut = len(pieces) - 1 if wanted == 1 else wanted
        after, before = pieces[:cut], pieces[cut:]
    else:
        after, before = pieces_of(prompt, chunks[0], between=wanted == 2), pieces_of(prompt, chunks[-1])
    if acts:
        return after, About.SAME
    words = lower_of(prompt, before[-1]).split()
    if words and words[0] in WHICH:
        return after, About.LATEST if wanted == 1 else _unclear(prompt, before[-1])
    after, before = ([piece for piece in pieces if not is_blank(prompt, piece)] for pieces in (after, before))
    joined = len(chunks) > 2 and AND.match(text_of(prompt, chunks[-1]).lstrip()) and is_list_item(prompt, chunks[-2])
    if (not before and len(chunks) > 2) or (before and not after) or joined or (wanted == 2 and len(before) > 1 and len(chunks) == 1):
        raise error_at(prompt, gap, UNCLEAR_JOIN, "name the object that each relation is about")
    if not before or (len(before) == 1 and after and _acts(prompt, before[0])):  # "A left of B and above C": A is above C
        return after, About.SAME
    return after, subjects(prompt, chunks[1:]) if len(chunks) > 1 else objects_of(prompt, before, about=True)


def _acts(prompt: str, span: Span) -> bool:
    """Whether a span says what something does, and no name: "happily lying"."""
    words = [word for word in lower_of(prompt, span).split() if not is_adverb(word) and word not in ("and", "&")]
    (word,) = words if len(words) == 1 else ("",)
    return (word.endswith("ing") and is_acting(word)) or (word.endswith(("ed", "en")) and is_participle(word))


def after_last(prompt: str, gap: Span, wanted: int, ahead: bool) -> list[Span]:
    """The pieces that the last relation leads to; what follows them is left alone."""
    if wanted == 0:
        _check_nothing_follows(prompt, gap)
        return []
    chunks = _chunks(prompt, gap, ahead)
    if len(chunks) > 1 and not words_of(prompt, chunks[0]) and prompt[gap[0] : chunks[1][0]].strip() in COMMAS:  # "left of, a dog"
        del chunks[0]
    pieces = pieces_of(prompt, chunks[0], between=wanted == 2)
    pieces = [*pieces[:1], *(piece for piece in pieces[1:] if not is_far_behind(prompt, piece))]
    return pieces + _rest_of_list(prompt, chunks) if wanted == len(pieces) == 1 else pieces


def _check_nothing_follows(prompt: str, gap: Span) -> None:
    """Refuses "a cat on the left a dog": a place leads to no object."""
    first = clauses(prompt, gap)[0]
    words = words_of(prompt, first)
    if words and begins_name(text_of(prompt, words[0]).lower()):
        raise error_at(prompt, first, "it is not clear what this belongs to", "write `of` or a comma before it")


def _chunks(prompt: str, gap: Span, ahead: bool) -> list[Span]:
    """The clauses of a gap. Before an object that stands ahead, "is" and "there is" are left out: "on the left there is a cat"."""
    first, *later = clauses(prompt, gap)
    chunks = [first, *(chunk for chunk in later if not is_description(prompt, chunk))]
    if not ahead:
        return chunks
    while len(chunks) > 1 and says_nothing(prompt, chunks[0]):
        del chunks[0]
    start, stop = without_lead(prompt, chunks[0])
    while (word := next(iter(words_of(prompt, (start, stop))), None)) and text_of(prompt, word).lower() in LINKS:
        start = word[1]
    return [(start, stop), *chunks[1:]]


def _latest(prompt: str, span: Span, match: Match, wanted: int) -> About:
    """The second relation goes on about the only object between the two, if that is clear."""
    words = lower_of(prompt, span).split()
    doubtful = next((word for word in words if word in WHICH | CONTEXT | COPULAS | STANDS), None)
    if wanted == 2 or doubtful in CONTEXT | COPULAS | STANDS or (match.weak and doubtful is None):
        _unclear(prompt, span)
    return About.LATEST


def _unclear(prompt: str, span: Span) -> About:
    raise error_at(prompt, span, "it is not clear what the next relation is about", "put a comma and the object's name before it")


def subjects(prompt: str, chunks: Sequence[Span]) -> list[Span]:
    """What the relation after these chunks is about: the last of them, and where an "and" ends a list, the chunks before it."""
    clause = after_where(prompt, chunks[-1])
    pieces = pieces_of(prompt, clause)
    pieces = [*(piece for piece in pieces[:-1] if not is_far_behind(prompt, piece)), pieces[-1]]
    items: list[Span] = []
    if len(pieces) > 1 and any(word in ("in", "on", "at", "under") for word in lower_of(prompt, pieces[0]).split()[1:]):
        last = lower_of(prompt, pieces[-1]).split()
        if last and begins_name(last[0]) and head_of(prompt, _behind(prompt, pieces[0])) in SETTINGS:
            raise error_at(prompt, pieces[-1], "it is not clear whether this relation is about both", "put a comma before `and` if not")
    if len(pieces) > 1 and clause == chunks[-1]:
        following = chunks[-1]
        last = lower_of(prompt, pieces[-1]).split()
        bare = bool(last) and not begins_name(last[0])  # "cat, dog and bird above a table"
        for chunk in reversed(chunks[:-1]):
            item = without_lead(prompt, chunk)
            listed = is_list_item(prompt, item) or (bare and is_bare_item(prompt, item))
            if prompt[chunk[1] : following[0]].strip() not in COMMAS or not listed:
                break
            items.insert(0, item)
            following = chunk
        if len(items) == 1 and is_blank(prompt, pieces[0]):  # "a table, and a cat left of a dog": the table is by itself
            items = []
    found = objects_of(prompt, [*items, *pieces], about=True)
    names = [fold(text_of(prompt, span)) for span in found]
    return found[-1:] if names[-1] in names[:-1] else found  # "a cat and a dog and the dog is left of a bird"


def _behind(prompt: str, span: Span) -> Span:
    """What follows the last "in", "on", "at" or "under" of a span."""
    found = [word for word in words_of(prompt, span) if text_of(prompt, word).lower() in ("in", "on", "at", "under")]
    return found[-1][1], span[1]


def _rest_of_list(prompt: str, chunks: Sequence[Span]) -> list[Span]:
    """The objects after the first of "left of a dog, a bird and a fish"; none where no "and" ends the list."""
    items: list[Span] = []
    for before, chunk in itertools.pairwise(chunks):
        if prompt[before[1] : chunk[0]].strip() not in COMMAS:
            return []
        cut = parts_of(prompt, chunk)
        parts = [part for part in cut if not is_blank(prompt, part)]
        if not parts or not all(is_list_item(prompt, part) for part in parts):
            return []
        if len(cut) > 1:
            return items + parts if items or len(parts) > 1 else []
        items += parts
    return []
