"""Settings: where the picture is, and no object in it. "In a park", "on a beach", "under a blue sky"."""

import re
from collections.abc import Sequence

from infsplign.core.relations import ABOVE, BELOW, FAR_FROM, INSIDE, NEAR, ON_TOP_OF
from infsplign.prompts.clauses import Span, begins_name, clauses, head_of, is_blank, lower_of, text_of, words_of
from infsplign.prompts.inverted import inverted
from infsplign.prompts.matches import Match
from infsplign.prompts.word_classes import is_modifier
from infsplign.prompts.word_lists import ABSTRACT, BODY, FRAMES, GROUND, INDOORS, SETTINGS, SKY, UNLIT, VIEWERS, WORN
from infsplign.prompts.words import CONTEXT, SENTENCE_END

FROM_VIEWER = re.compile(r"(?:near|closer?\s+to|far(?:\s+away)?\s+from|away\s+from)", re.IGNORECASE)


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
            or (len(matches) > 1 and _leads_to_whole(prompt, match))
            or (match.relation.arity == 1 and _is_light(prompt, (begin, match.start)))
        ):
            kept.append(match)
    return kept or [match for match in matches if match.relation is BELOW and _HANGING.match(prompt, match.stop)][:1]


_HANGING = re.compile(r"\s+an?\s+(?:[\w-]+\s+){0,2}(?:moon|sun|rainbow|cloud)(?=\s*(?:$|[,.;]))", re.IGNORECASE)
"""What hangs in the sky is an object where nothing else is asked for: "a whale under a crescent moon"."""


_WHOLE = re.compile(r"(?:(?:in|within)\s+(?:the|this)\s+(frame|photograph)|on\s+(?:the|this)\s+(canvas))\s*(?:$|[,.;:!?])", re.IGNORECASE)


def _leads_to_whole(prompt: str, match: Match) -> bool:
    """Whether what follows is the picture itself, "in the frame", and no object that the prompt has named before."""
    found = _WHOLE.match(prompt, match.start)
    return found is not None and not re.search(rf"\b{found[1] or found[2]}\b", prompt[: match.start], re.IGNORECASE)


_TIME = re.compile(r"['\u2019]?\d{2,4}s|\d{1,2}(?:st|nd|rd|th)")


def _frames(words: Sequence[str]) -> bool:
    """Whether words tell how or when the picture is made: "a Pixar style", "the 1920s", "one frame", "a green screen"; or
    a place that is no thing: "a street corner"."""
    end = next((i for i, word in enumerate(words) if word in CONTEXT or word in ("of", "and")), len(words))
    told = words[:end]
    if not told:
        return False
    one = told[-1] == "frame" and any(word in ("one", "single", "same") or ":" in word for word in told)
    when = "year" in told[:2] or any(map(_TIME.fullmatch, told[:3]))
    return told[-1] in FRAMES or one or when or told[-2:] in (["green", "screen"], ["street", "corner"])


def _from_viewer(prompt: str, match: Match, span: Span, head: str) -> bool:
    """Whether a relation tells how far from whoever looks at the picture something is: "close to the camera". A camera that the prompt
    names before is an object."""
    first = text_of(prompt, words_of(prompt, span)[0]).lower()
    if first not in ("the", head) or not FROM_VIEWER.fullmatch(text_of(prompt, (match.start, match.stop))):
        return False
    return not re.search(rf"\b{head}\b", re.sub(rf"{FROM_VIEWER.pattern}\s+(?:the\s+)?{head}", "", prompt[: match.start], flags=re.I), re.I)


def _is_light(prompt: str, span: Span) -> bool:
    """Whether what has a place is light or space: "rim light on the left"; not "a light on the left"."""
    words = lower_of(prompt, clauses(prompt, span)[-1]).split()
    return bool(words) and words[-1] in UNLIT and not any(map(begins_name, words))


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
    if match.weak and words[0] in ("his", "her", "its", "their") and head in BODY:  # "a hat on its head"
        return True
    if spelled in ("in", "on", "under") and _frames(words):
        return True
    if match.relation is INSIDE:
        return head in SETTINGS | INDOORS
    if head in ("sky", "skies") and match.relation in (BELOW, INSIDE):
        return True
    if spelled.endswith("bottom of") and head in SKY:  # "at the bottom of the sea"
        return True
    if match.relation is BELOW and match.relation.arity == 2 and not spelled.startswith(("below", "on", "at")):
        return head in SKY and words[:2] not in (["a", "moon"], ["a", "sun"])  # one of several; "a full moon" is that of the sky
    return head in GROUND if match.relation is ABOVE and spelled in ("above", "over") else match.weak and head in SETTINGS
