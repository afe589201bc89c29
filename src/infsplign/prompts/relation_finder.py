"""Where the relations of a prompt stand: the only place that knows how they are spelled."""

import itertools
import re
from collections.abc import Iterable, Sequence
from functools import cache

from infsplign.core.relations import Relation
from infsplign.core.spellings import SPELLINGS
from infsplign.errors import PromptError
from infsplign.prompts.clauses import Span, begins_name, error_at
from infsplign.prompts.hints import misspelt, nearest_relation, other_language
from infsplign.prompts.matches import Match
from infsplign.prompts.refusing import UnreadError
from infsplign.prompts.scenery import is_setting, without_settings
from infsplign.prompts.sides import LONE_SIDE, bare_places, check_relative, names_object
from infsplign.prompts.styles import is_style
from infsplign.prompts.weights import CHANGING
from infsplign.prompts.word_classes import is_adjective, is_modifier
from infsplign.prompts.word_lists import NUMBERS, TOPPED
from infsplign.prompts.words import (
    BARE,
    CONTEXT,
    DETERMINERS,
    DIRECTIONS,
    IDIOMS,
    LINKS,
    MEASURE,
    OF_THE_IMAGE,
    OPENING_MEASURE,
    QUOTED,
    SIDE_OF_IMAGE,
    SIDES,
    UNKNOWN,
    VIEWPOINTS,
    WEAK,
    WHICH,
    WORD,
)

LONGEST = 5000
"""Characters that a prompt may have; the longest texts that encoders read are shorter."""


def find_relations(prompt: str, *, by_hand: bool = False) -> list[Match]:
    """Finds every relation, left to right.

    Args:
        prompt: a text without weights, see `weights.plain`.
        by_hand: the text is one relation: "cat left dog" is taken where nothing else is found, and "in" and "on" only there.

    Raises:
        PromptError: no relation, or a spatial word that is not understood.
    """
    words = [word.group().lower() for word in WORD.finditer(prompt)]
    if other_language(words):
        raise UnreadError("this seems to be another language; prompts are read in English only", (0, len(prompt)), "translate it")
    matches = _matches(prompt)
    if by_hand:
        matches = [match for match in matches if not match.weak] or matches or _matches(prompt, bare=True)
    else:
        matches = without_settings(prompt, matches)
    _refuse_misspelt(prompt, matches)
    _refuse_quoted(prompt, matches)
    _refuse_lone_side(prompt, matches)
    check_relative(prompt, matches)
    if not matches:
        places = [word.span() for word in WORD.finditer(prompt) if word.group().lower() in CONTEXT - {"for", "as", "like", "with"}]
        remedy = "say where things are, such as `left of` or `above`"
        raise error_at(prompt, places[0] if places else (0, len(prompt)), "no relation between objects was found", remedy)
    return matches


_NEGATIVE = re.compile(r"(?:^|[\s.,;])(negative(?:\s+prompt)?\s*[:=])", re.IGNORECASE)


def check_text(prompt: object) -> None:
    """Refuses what is no text, or too long a one."""
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt must be a string, got {type(prompt).__name__}")
    if not prompt.strip():
        raise PromptError(f'a prompt must not be empty, got {prompt!r}. Write, for example, "a cat to the left of a dog"')
    if len(prompt) > LONGEST:
        raise PromptError(f"a prompt must have at most {LONGEST} characters to be read, got {len(prompt)}; shorten it")
    if escaped := re.search(r"\\[nrt]", prompt):
        raise UnreadError("a backslash and a letter are no line break", escaped.span(), "write a line break or a comma")
    if hidden := re.search(r"\w+\u00ad\w+", prompt):
        raise UnreadError("a hyphen that is not shown stands inside this word", hidden.span(), "type it anew; copied texts have such marks")
    if negative := _NEGATIVE.search(prompt):
        raise UnreadError("a negative prompt is no part of the prompt", negative.span(1), "give it by itself, as the negative prompt")
    if choice := CHANGING.search(prompt):
        raise UnreadError("a choice cannot be drawn in one picture", choice.span(), "write one of its words")


def _refuse_misspelt(prompt: str, matches: list[Match]) -> None:
    """Refuses a word that looks like a spatial word and is none, before it becomes part of an object."""
    for word in WORD.finditer(prompt):
        meant = misspelt(word.group().lower())
        if meant and not any(match.start <= word.start() < match.stop for match in matches):
            problem = f"{word.group()!r} is not understood, did you mean {meant!r}?"
            raise error_at(prompt, word.span(), problem, f"Write `{_corrected(prompt, word.span(), meant)}`", meant)


def _corrected(prompt: str, span: tuple[int, int], meant: str) -> str:
    """The prompt with the word that was meant; of a long one the part around it, with dots where something is left out."""
    before, after = prompt[: span[0]].split(), prompt[span[1] :].split()
    head, tail = (before, after) if len(before) + len(after) <= 16 else (before[-8:], after[:8])
    return " ".join([*["..."][: len(before) > len(head)], *head, meant, *tail, *["..."][: len(after) > len(tail)]])


def _refuse_quoted(prompt: str, matches: list[Match]) -> None:
    """Refuses a relation within quotes, unless they are around the whole prompt: a sign that says "cat left of dog" shows these words."""
    for quoted in QUOTED.finditer(prompt):
        if prompt[: quoted.start()].strip() and any(quoted.start() < match.start and match.stop < quoted.end() for match in matches):
            raise error_at(prompt, quoted.span(), "words in quotes are text in the picture", "remove the quotes if they are not")


def _refuse_lone_side(prompt: str, matches: list[Match]) -> None:
    """Refuses a clause that is a side and nothing else beside relations that are read: it would be left out, "the fork, right"."""
    for side in LONE_SIDE.finditer(prompt):
        if matches and not any(match.start < side.end("side") and side.start("side") < match.stop for match in matches):
            remedy = "write it behind the object's name, as in `a cup on the left`"
            raise error_at(prompt, side.span("side"), "it is not clear which object is there", remedy)


def _matches(prompt: str, *, bare: bool = False) -> list[Match]:
    skipped = [match.span() for match in _skipped().finditer(prompt)]
    places = [] if bare else [Match(*place) for place in bare_places(prompt, skipped)]
    taken = skipped + [place[:2] for place in places]
    found = list(places)
    for match in _vocabulary(bare).finditer(prompt):
        if any(start < match.end() and match.start() < stop for start, stop in taken):
            continue
        relation = _spelled(match.group())
        if not bare and match.group().lower() == "left":
            raise error_at(prompt, match.span(), "'left' is what someone did here, or a side", "for the side write `left of`")
        if (thing := _TOP.match(match.group())) and _names_top(prompt, match.start()):
            found.append(Match(match.start() + thing.end(), match.end(), SPELLINGS[f"{thing[1].lower()} of"]))
        elif beside := _beside_object(prompt, match.span(), found):
            found.append(beside)
        elif (owned := OF_PRONOUN.fullmatch(match.group())) and all(earlier.pronoun for earlier in found):
            found.append(Match(*match.span(), SPELLINGS[f"{owned[1].lower()} of"], pronoun=True))
        elif relation is not None:
            far = MEASURE.search(prompt, max(0, match.start() - 40), match.start())
            measured = far and not _opens_name(prompt[max(0, far.start() - 40) : far.start()])  # not "a red well left of ..."
            start = far.start() + 1 if far and measured else match.start()
            if opening := OPENING_MEASURE.search(prompt, max(0, match.start() - 40), match.start()):
                start = opening.start() + len(opening.group()) - len(opening.group().lstrip())
            found.append(Match(start, match.end(), relation, _normal(match.group()) in WEAK))
        elif not bare and not _is_aside(prompt, match.group(), match.span()):
            raise _unknown(prompt, match.group(), match.span())
    return _sharing(prompt, sorted(found))


def _beside_object(prompt: str, span: Span, earlier: Sequence[Match]) -> Match | None:
    """The relation of "to the left of the painting", where the prompt names a painting before that is an object in the picture."""
    tail = _TAIL.search(prompt, *span)
    joints = [(match.start, match.stop) for match in earlier if match.relation.arity > 1 and match.start < span[0]]
    places = [(match.start, match.stop) for match in earlier if match.relation.arity == 1]  # "at the top of the poster" names no poster
    if tail is None or not names_object(_blanked(prompt, places), span[0], tail.group().split()[-1], joints):
        return None
    leading = tail.group().split()[0]
    relation = _spelled(f"{prompt[span[0] : tail.start()]} {leading}")
    if relation is None or relation.arity != 2:
        problem = f"{prompt[slice(*span)]!r} is a place, of the whole picture or of an object in it"
        raise error_at(prompt, span, problem, "write `left of`, `above` or `near`")
    return Match(span[0], prompt.index(leading, tail.start()) + len(leading), relation)


def _blanked(prompt: str, spans: Iterable[Span]) -> str:
    """The prompt with blanks in place of some of its spans."""
    for start, stop in spans:
        prompt = prompt[:start] + " " * (stop - start) + prompt[stop:]
    return prompt


def _is_aside(prompt: str, text: str, span: Span) -> bool:
    """Whether words that are not understood lead to a setting, or only say how the picture is made: ", not blurry"."""
    if text.lower() == "not":
        denied = re.match(r"\s+(?:too\s+|very\s+)?([\w-]+)\s*(?=[,.;!]|$)", prompt[span[1] :])
        styled = denied and denied[1].lower() not in SIDES and (is_adjective(denied[1].lower()) or is_style(denied[1].lower()))
        return bool(styled) and prompt[: span[0]].rstrip().endswith(",")
    return _normal(text) in ("in front of", "behind") and is_setting(prompt, (span[1], len(prompt)))


def _names_top(prompt: str, place: int) -> bool:
    """Whether "top" names a thing in "a red top left of a dog"; otherwise it is a side, as in "a cat top left of a dog"."""
    words = prompt[:place].lower().split()
    if words and words[-1] in TOPPED:
        start = len(prompt[:place].rstrip()) - len(words[-1])
        remedy = f"write `{words[-1]}top`, or `to the top left of`"
        raise error_at(prompt, (start, place + 3), "it is not clear whether this is one thing", remedy)
    while words and is_modifier(words[-1]):
        words.pop()
    return bool(words) and begins_name(words[-1])


def _opens_name(before: str) -> bool:
    words = before.lower().split()
    return not words or begins_name(words[-1]) or is_modifier(words[-1]) or words[-1] in ("and", "&", "of", "with")


def _sharing(prompt: str, matches: list[Match]) -> list[Match]:
    """Reads "to the left and above a dog": a side that is joined to a relation shares its object, and is no place of the picture."""
    found = list(matches)
    for i, (match, following) in enumerate(itertools.pairwise(matches)):
        spelled = _normal(prompt[match.start : match.stop])
        between = prompt[match.stop : following.start].split()
        if match.relation.arity == 1 and following.relation.arity == 2 and between in (["and"], ["&"]) and not following.weak:
            if not re.fullmatch(r"to the (?:left|right)(?: side)?", spelled):
                span = (match.start, following.stop)
                raise error_at(prompt, span, "it is not clear whether this is a side of the picture", "write `to the left of and above`")
            found[i] = match._replace(relation=SPELLINGS[f"{spelled.split()[2]} of"])
        elif _shared(prompt, match, following):
            remedy = f"write `{spelled} of the picture`, or `{spelled} of` and the object's name"
            raise error_at(prompt, (match.start, match.stop), "it is not clear whether this is a side of the picture", remedy)
    return found


def _shared(prompt: str, place: Match, following: Match) -> bool:
    """Whether "on the left" may mean the object that follows: "a lamp on the left and a chair on the right of the bed"."""
    one, other = (_SIDE_OF.fullmatch(prompt[match.start : match.stop]) for match in (place, following))
    if (place.relation.arity, following.relation.arity) != (1, 2) or not one or not other:
        return False
    if {one[1].lower(), other[1].lower()} not in _OPPOSITE:
        return False
    joined = re.match(r",?\s*(?:and|&)\s+", prompt[place.stop : following.start])
    words = prompt[following.stop :].lower().split()
    name = next((word.strip(".,;:!?") for word in words if not begins_name(word)), "")
    return joined is not None and name not in prompt[: place.start].lower().split()


_SIDE_OF = re.compile(r"(?:on|at|to|in)\s+(?:the\s+)?(left|right|top|bottom)(?:\s+side)?(?:\s+of)?", re.IGNORECASE)
_OPPOSITE = ({"left", "right"}, {"top", "bottom"})


def _unknown(prompt: str, text: str, span: tuple[int, int]) -> UnreadError:
    if re.search(r"n['\u2019]t$|^(?:not|never|avoid|exclude|without any|instead of|rather than|as opposed to)$", text.lower()):
        return error_at(prompt, span, f"{text!r} is a negation, which cannot be drawn", "say where things are")
    remedy = "write `left of`, `right of`, `above`, `below`, `near` or another one of docs/relations.md"
    if re.search(r"\b(?:and|or)\b|&", text):
        return error_at(prompt, span, f"{text!r} names two sides at once", "write one of them, or `left of and above`")
    if owned := re.search(r"(\S+)['\u2019]s?\s+(left|right)", text):
        remedy = f"write `to the {owned[2]} of {owned[1]}`"
    elif side := re.fullmatch(r"(left|right)\s+(?:to|from|off|than)", text.lower()):
        return error_at(prompt, span, f"{text!r} is not understood, did you mean '{side[1]} of'?", f"Write `{side[1]} of`")
    elif (near := nearest_relation(text)) and not text.lower().startswith(near):
        return error_at(prompt, span, f"{text!r} is not understood, did you mean {near!r}?", f"Write `{near}`")
    return error_at(prompt, span, f"{text!r} is not understood", remedy)


def _normal(text: str) -> str:
    return " ".join(re.sub(OF_THE_IMAGE, "", text.lower()).split())


def _spelled(text: str) -> Relation | None:
    """The relation of a spelling; "to left of" and "on the far left" are spelled with a word too few or too many."""
    normal = _normal(text)
    if normal in ("left", "right", "left side", "right side") and _TAIL.search(text):
        return SPELLINGS[f"on the {normal}"]
    shorter = re.sub(
        r"^(?:to|on|at|in|too) (?:the )?(?=(?:left|right)(?: side)? of)", "", re.sub(r" (?:far|very|direct|immediate) ", " ", normal)
    )
    shorter = re.sub(r"[ -]hand(?= corner)", "", shorter)
    return SPELLINGS.get(normal) or SPELLINGS.get(shorter.replace(" side of", " of"))


_TOP = re.compile(r"top\s+(?=(left|right)(?:\s+side)?\s+of$)", re.IGNORECASE)
_TAIL = re.compile(OF_THE_IMAGE + r"$", re.IGNORECASE)


@cache
def _skipped() -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{VIEWPOINTS}|{DIRECTIONS}|{IDIOMS})(?!\w|-\w)", re.IGNORECASE)


@cache
def _vocabulary(bare: bool) -> re.Pattern[str]:
    """All relation words, understood or not. The first alternative that fits is taken, so the long ones stand first."""
    spellings = sorted(SPELLINGS, key=len, reverse=True)
    places = _any(spelling for spelling in spellings if SPELLINGS[spelling].arity == 1)
    places = rf"(?:{places}|(?:on|at|to|in)\s+the\s+(?:far|very)\s+(?:left|right|top|bottom)(?:\s+side)?)"
    article = "" if bare else rf"(?=\s+{_any(DETERMINERS | NUMBERS)}\s)"
    known = [spelling for spelling in spellings if SPELLINGS[spelling].arity > 1 and spelling not in WEAK]
    known = [_any([spelling]) + article * (spelling in BARE) for spelling in known]
    known.insert(0, r"(?:to|too|on|at)\s+(?:the\s+)?(?:(?:direct|immediate)\s+)?(?:left|right)(?:\s+side)?\s+of")
    weak = _any(spelling for spelling in spellings if spelling in WEAK) + article
    known = [places + OF_THE_IMAGE, SIDE_OF_IMAGE, *known]
    # after the whole of "on the left of", and before a lone "on"
    alternatives = [UNKNOWN[0], UNKNOWN[1], *known, places + _NO_NOUN, UNKNOWN[2] + _NO_NOUN, *UNKNOWN[3:], weak]
    return re.compile(rf"(?<!\w)(?<!\w-)(?:{'|'.join(alternatives)})(?!\w|-\w)", re.IGNORECASE)


def _any(spellings: Iterable[str]) -> str:
    blanks = (r"\s+".join(map(re.escape, spelling.split())) for spelling in spellings)
    return rf"(?:{'|'.join(blanks)})"


_STARTS = {spelling.split()[0] for spelling in SPELLINGS}
_FUNCTION_WORDS = (
    (DETERMINERS | NUMBERS | LINKS | WHICH | CONTEXT | _STARTS | {"and", "there", "while", "whereas", "but"})
    - SIDES
    - {"from", "to", "off", "than", "side"}
)
OF_PRONOUN = re.compile(r"(?:on|to|at)\s+(?:its|his|her|their)\s+(left|right)(?:\s+side)?", re.IGNORECASE)
# "on the left wing" and "in the middle of a road" are no places of the picture
_NO_NOUN = rf"(?!\s+(?!{_any(sorted(_FUNCTION_WORDS))}(?!\w|-\w))\w)"
