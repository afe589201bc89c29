"""Settings: where the picture is, and no object in it. "In a park", "on a beach", "under a blue sky"."""

import re
from collections.abc import Sequence

from infsplign.core.relations import ABOVE, BELOW, FAR_FROM, INSIDE, NEAR, ON_TOP_OF
from infsplign.prompts.clauses import Span, begins_name, clauses, head_of, is_blank, lower_of, text_of, words_of
from infsplign.prompts.inverted import inverted
from infsplign.prompts.matches import Match
from infsplign.prompts.word_classes import is_modifier
from infsplign.prompts.word_lists import ABSTRACT, GROUND, INDOORS, SETTINGS, SKY, VIEWERS, WORN
from infsplign.prompts.words import SENTENCE_END

FROM_VIEWER = re.compile(r"(?:near|closer?\s+to|far(?:\s+away)?\s+from|away\s+from)\s+the", re.IGNORECASE)


def is_setting(prompt: str, span: Span) -> bool:
    """Whether what "in" or "on" leads to is a setting: "a park", "the style of Monet", "a snowy street"."""
    return bool(words_of(prompt, span)) and head_of(prompt, clauses(prompt, span)[0]) in SETTINGS


def without_settings(prompt: str, matches: Sequence[Match]) -> list[Match]:
    """Leaves out each relation that tells where the picture is: "on a beach", or "On a table, a cup above a plate"."""
    kept: list[Match] = []
    for number, match in enumerate(matches):
        end = matches[number + 1].start if number + 1 < len(matches) else len(prompt)
        begin = kept[-1].stop if kept else 0
        begin = max([begin, *(stop.end() for stop in SENTENCE_END.finditer(prompt, begin, match.start))])
        opens = (not kept or begin > kept[-1].stop) and is_blank(prompt, (begin, match.start))
        if not (
            (match.weak and opens and inverted(prompt, (match.stop, end), opens=False) is None)
            or _leads_to_setting(prompt, match, (match.stop, end))
        ):
            kept.append(match)
    return kept


def _from_viewer(prompt: str, match: Match, span: Span, head: str) -> bool:
    """Whether a relation tells how far from whoever looks at the picture something is: "close to the camera". A camera that the prompt
    names before is an object."""
    if not FROM_VIEWER.fullmatch(f"{text_of(prompt, (match.start, match.stop))} {text_of(prompt, words_of(prompt, span)[0])}"):
        return False
    return not re.search(rf"\b{head}\b", re.sub(rf"{FROM_VIEWER.pattern}\s+{head}", "", prompt[: match.start], flags=re.I), re.I)


def _leads_to_setting(prompt: str, match: Match, span: Span) -> bool:
    if not words_of(prompt, span):
        return False
    head, spelled = head_of(prompt, clauses(prompt, span)[0]), text_of(prompt, (match.start, match.stop)).lower()
    if head in VIEWERS and match.relation in (NEAR, FAR_FROM):
        return _from_viewer(prompt, match, span, head)
    words = lower_of(prompt, clauses(prompt, span)[0]).split()
    alone = head in ABSTRACT and (
        words[0] == head or begins_name(words[words.index(head) - 1]) or is_modifier(words[words.index(head) - 1])
    )
    if (spelled == "in" and head in WORN) or (alone and match.relation in (ABOVE, BELOW, INSIDE, NEAR, ON_TOP_OF)):
        return True
    if match.relation is INSIDE:
        return head in SETTINGS | INDOORS
    if head in ("sky", "skies") and match.relation in (BELOW, INSIDE):
        return True
    if match.relation is BELOW and match.relation.arity == 2 and not spelled.startswith(("below", "on", "at")):
        return head in SKY and words[:2] not in (["a", "moon"], ["a", "sun"])  # one of several; "a full moon" is that of the sky
    return head in GROUND if match.relation is ABOVE and spelled in ("above", "over") else match.weak and head in SETTINGS
