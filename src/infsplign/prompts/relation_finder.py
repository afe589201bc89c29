"""Where the relations of a prompt stand: the only place that knows how they are spelled."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from infsplign.core.relations import Relation
from infsplign.core.spellings import SPELLINGS
from infsplign.errors import PromptError
from infsplign.prompts.clauses import REMEDY, Span, clauses, error_at, head_of, is_blank, words_of
from infsplign.prompts.words import (
    BARE,
    CONTEXT,
    DETERMINERS,
    LINKS,
    OF_THE_IMAGE,
    SENTENCE_END,
    SETTINGS,
    SIDES,
    UNKNOWN,
    WEAK,
    WHICH,
    WORD,
)


class Match(NamedTuple):
    """A relation and the characters that spell it."""

    start: int
    stop: int
    relation: Relation
    weak: bool = False


def find_relations(prompt: str, *, by_hand: bool = False) -> list[Match]:
    """Finds every relation, left to right.

    Args:
        by_hand: the text is one relation: "cat left dog" is taken where nothing else is found, and "in" and "on" only there.

    Raises:
        PromptError: nothing to read, no relation, or a spatial word that is not understood.
    """
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt must be a string, got {type(prompt).__name__}")
    if not prompt.strip():
        raise PromptError(f"a prompt must not be empty, got {prompt!r}. {REMEDY}")
    matches = _matches(prompt)
    if by_hand:
        matches = [match for match in matches if not match.weak] or matches or _matches(prompt, bare=True)
    else:
        matches = _without_settings(prompt, matches)
    if not matches:
        places = [word.span() for word in WORD.finditer(prompt) if word.group().lower() in CONTEXT]
        raise error_at(prompt, places[0] if places else (0, len(prompt)), f"no relation was found; {_understood()}")
    return matches


def _matches(prompt: str, *, bare: bool = False) -> list[Match]:
    found = []
    for match in _vocabulary(bare).finditer(prompt):
        spelling = " ".join(re.sub(OF_THE_IMAGE, "", match.group().lower()).split())
        relation = SPELLINGS.get(spelling)
        if relation is not None:
            found.append(Match(*match.span(), relation, spelling in WEAK))
        elif not bare:
            raise error_at(prompt, match.span(), f"the relation {match.group()!r} is not understood; {_understood()}")
    return found


@cache
def _understood() -> str:
    return f"understood are {', '.join(sorted({found.name for found in SPELLINGS.values()}))}"


@cache
def _vocabulary(bare: bool) -> re.Pattern[str]:
    """All relation words, understood or not. The first alternative that fits is taken, so the long ones stand first."""
    spellings = sorted(SPELLINGS, key=len, reverse=True)
    places = _any(spelling for spelling in spellings if SPELLINGS[spelling].arity == 1)
    article = "" if bare else rf"(?=\s+{_any(DETERMINERS)}\s)"
    known = [spelling for spelling in spellings if SPELLINGS[spelling].arity > 1 and spelling not in WEAK]
    known = [_any([spelling]) + article * (spelling in BARE) for spelling in known]
    weak = _any(spelling for spelling in spellings if spelling in WEAK) + article
    # after the whole of "on the left of", and before a lone "on"
    alternatives = [places + OF_THE_IMAGE, *known, places + _NO_NOUN, UNKNOWN[0] + _NO_NOUN, *UNKNOWN[1:], weak]
    return re.compile(rf"(?<!\w)(?<!\w-)(?:{'|'.join(alternatives)})(?!\w|-\w)", re.IGNORECASE)


def _any(spellings: Iterable[str]) -> str:
    blanks = (r"\s+".join(map(re.escape, spelling.split())) for spelling in spellings)
    return rf"(?:{'|'.join(blanks)})"


_STARTS = {spelling.split()[0] for spelling in SPELLINGS}
_FUNCTION_WORDS = (DETERMINERS | LINKS | WHICH | CONTEXT | _STARTS | {"and", "there", "while", "whereas", "but"}) - SIDES
# "on the left wing" and "in the middle of a road" are no places of the picture
_NO_NOUN = rf"(?!\s+(?!{_any(sorted(_FUNCTION_WORDS))}(?!\w|-\w))\w)"


def _without_settings(prompt: str, matches: Sequence[Match]) -> list[Match]:
    """Leaves out each "in" and "on" that tells where the picture is: "on a beach", or "On a table, a cup above a plate"."""
    kept: list[Match] = []
    for number, match in enumerate(matches):
        end = matches[number + 1].start if number + 1 < len(matches) else len(prompt)
        begin = kept[-1].stop if kept else 0
        begin = max([begin, *(stop.end() for stop in SENTENCE_END.finditer(prompt, begin, match.start))])
        opens = (not kept or begin > kept[-1].stop) and is_blank(prompt, (begin, match.start))
        if not match.weak or not (opens or is_setting(prompt, (match.stop, end))):
            kept.append(match)
    return kept


def is_setting(prompt: str, span: Span) -> bool:
    """Whether what "in" or "on" leads to is a setting: "a park", "the style of Monet", "a snowy street"."""
    return bool(words_of(prompt, span)) and head_of(prompt, clauses(prompt, span)[0]) in SETTINGS
