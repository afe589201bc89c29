"""Settings: where the picture is, and no object in it. "In a park", "on a beach", "under a blue sky"."""

from collections.abc import Sequence

from infsplign.core.relations import ABOVE, BELOW, INSIDE
from infsplign.prompts.clauses import Span, clauses, head_of, is_blank, text_of, words_of
from infsplign.prompts.inverted import inverted
from infsplign.prompts.matches import Match
from infsplign.prompts.word_lists import GROUND, INDOORS, SETTINGS, SKY, WORN
from infsplign.prompts.words import SENTENCE_END


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


def _leads_to_setting(prompt: str, match: Match, span: Span) -> bool:
    if not words_of(prompt, span):
        return False
    head, spelled = head_of(prompt, clauses(prompt, span)[0]), text_of(prompt, (match.start, match.stop)).lower()
    if spelled == "in" and head in WORN:
        return True
    if match.relation is INSIDE:
        return head in SETTINGS | INDOORS
    if head in ("sky", "skies") and match.relation in (BELOW, INSIDE):
        return True
    if match.relation is BELOW and match.relation.arity == 2 and not spelled.startswith(("below", "on", "at")):
        return head in SKY
    return head in GROUND if match.relation is ABOVE and spelled in ("above", "over") else match.weak and head in SETTINGS
