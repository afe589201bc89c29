"""Cutting a prompt into clauses, joined pieces and the objects that they name, all as spans of its characters."""

from collections.abc import Iterable

from infsplign.prompts.nouns import first_name, joins_modifiers
from infsplign.prompts.refusing import UnreadError
from infsplign.prompts.styles import STYLE_NOUNS, is_style
from infsplign.prompts.word_classes import is_adverb, is_modifier, is_number, is_plural
from infsplign.prompts.word_lists import FIXED, PARTS_OF_ITS_OWN, SETTINGS, THINGS_THEMSELVES
from infsplign.prompts.words import (
    AND,
    CHOICES,
    CLAUSE_END,
    CONTEXT,
    COPULAS,
    DETERMINERS,
    LEAD,
    LINKS,
    STOPS,
    WHICH,
    WORD,
)

Span = tuple[int, int]
COMMAS = {",", "\u3001", "\uff0c"}
NEAR = 80
"""Characters around a joint that are looked at."""


def text_of(prompt: str, span: Span) -> str:
    """The characters of a span."""
    return prompt[span[0] : span[1]]


def lower_of(prompt: str, span: Span) -> str:
    """The words of a span in lower case, without punctuation around them."""
    return " ".join(text_of(prompt, word).lower() for word in words_of(prompt, span))


def error_at(prompt: str, span: Span, problem: str, remedy: str = "", meant: str = "") -> UnreadError:
    """An error about a span, without the blanks around it."""
    start, stop = span
    if text := text_of(prompt, span).strip():
        start = prompt.index(text, start)
        stop = start + len(text)
    return UnreadError(problem, (start, stop), remedy, meant)


def parts_between(span: Span, cuts: Iterable[Span]) -> list[Span]:
    """What is left of a span beside `cuts`, which are in order; always one part more than there are cuts.

    >>> parts_between((0, 9), [(2, 3), (5, 7)])
    [(0, 2), (3, 5), (7, 9)]
    """
    bounds = [span[0], *(place for cut in cuts for place in cut), span[1]]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def clauses(prompt: str, span: Span) -> list[Span]:
    """Cuts a span at commas and other ends of a clause, but not between adjectives; always at least one chunk."""
    ends = (match.span() for match in CLAUSE_END.finditer(prompt, *span))
    return parts_between(span, (end for end in ends if not _between_adjectives(prompt, span, end)))


def _between_adjectives(prompt: str, span: Span, comma: Span) -> bool:
    """Whether a comma stands inside a name: "a large, red square"."""
    if prompt[slice(*comma)] not in COMMAS:
        return False
    before = prompt[max(span[0], comma[0] - NEAR) : comma[0]].lower().replace(",", " , ").split()
    after = prompt[comma[1] : min(span[1], comma[1] + NEAR)].lower().replace(",", " , ").split()
    if not before or {*after} <= LINKS or not is_modifier(before[-1]) or is_adverb(before[-1]):
        return False
    styled, thing = is_style(before[-1]), before[-1] in THINGS_THEMSELVES
    described = is_modifier(after[0])
    while before and (is_modifier(before[-1]) or (before[-1] in (",", "and", "&") and len(before) > 1 and is_modifier(before[-2]))):
        before.pop()
    if before and before[-1] not in DETERMINERS | {"of"} and not is_number(before[-1]):
        return False
    while len(after) > 1 and (after[0] in (",", "and", "&") or (is_modifier(after[0]) and after[1] not in STOPS)):
        styled = styled or is_style(after[0])
        after.pop(0)
    if thing and (not described or styled or after[0] in SETTINGS):  # "left of a square, trees"; "a square, wooden table" is one name
        return False
    return bool(after) and after[0] not in STOPS and (bool(before) or not styled)


def pieces_of(prompt: str, span: Span, *, between: bool = False) -> list[Span]:
    """Cuts a span at each "and" that joins objects: an article or nothing follows it, or `between` takes the only one."""
    joins, doubtful = [], []
    for match in AND.finditer(prompt, *span):
        before, after = prompt[max(span[0], match.start() - NEAR) : match.start()].lower().split(), (match.end(), span[1])
        following = prompt[match.end() : min(span[1], match.end() + NEAR)].lower().split()
        if before and following and FIXED.get(before[-1], "").split()[:2] == ["and", following[0].strip(",.;:!?")]:
            continue
        if (
            is_blank(prompt, after)
            or begins_name(following[0])
            or following[0] in WHICH
            or not before
            or (is_plural(before[-1]) and is_plural(following[-1 if len(following) < 3 else 0]))
        ):
            joins.append(match.span())
        elif not joins_modifiers(before[-1].strip(","), [word.strip(",.;:!?") for word in following]):
            doubtful.append(match.span())
    if between and not joins and len(doubtful) == 1:
        joins, doubtful = doubtful, []
    if doubtful:
        raise error_at(prompt, doubtful[0], "it is not clear what this joins", "begin each object with an article")
    return parts_between(span, joins)


def begins_name(word: str) -> bool:
    """Whether a word in lower case is an article, a numeral or another word that a name begins with."""
    return word in DETERMINERS or is_number(word)


def words_of(prompt: str, span: Span) -> list[Span]:
    """Words of a span, each without the quotes and punctuation around it."""
    return [match.span() for match in WORD.finditer(prompt, *span)]


def is_blank(prompt: str, span: Span) -> bool:
    """Whether a span names nothing: "is directly" of "a cat left of a dog and is directly above a table"."""
    return all(text_of(prompt, word).lower() in LINKS for word in words_of(prompt, span))


def says_nothing(prompt: str, span: Span) -> bool:
    """Whether a chunk holds no object that a relation could be about: "and is", "there is", "In a park"."""
    words = [word for word in lower_of(prompt, without_lead(prompt, span)).split() if word not in ("and", "&")]
    return not words or words[0] in CONTEXT or all(word in LINKS for word in words)


def is_list_item(prompt: str, span: Span) -> bool:
    """Whether a chunk can be one object of a list: it begins with an article, and names one object and nothing else."""
    words = lower_of(prompt, span).split()
    return len(words) > 1 and begins_name(words[0]) and not set(words[1:]) & (WHICH | CONTEXT | COPULAS | DETERMINERS | {"and", "&"})


def without_lead(prompt: str, span: Span) -> Span:
    """A span without "a photo of", "there is" or "with" before it, and without the setting of "on a rainy street a taxi"."""
    while lead := LEAD.match(prompt, *span):
        span = (lead.end(), span[1])
    words = words_of(prompt, span)
    lower = [text_of(prompt, word).lower() for word in words]
    if (after := after_where(prompt, span)) != span:
        return without_lead(prompt, after)
    later = next((i for i in range(2, len(words)) if begins_name(lower[i])), 0)
    if (
        later
        and not CHOICES & set(lower[:later])
        and (lower[0] in STOPS - DETERMINERS - {"and", "&"} or all(map(_is_manner, lower[:later])))
    ):
        return without_lead(prompt, (words[later][0], span[1]))
    return span


def after_where(prompt: str, span: Span) -> Span:
    """What follows "where" in a clause: "a bus" of "a street where a bus"; the span itself without one."""
    words = words_of(prompt, span)
    lower = [text_of(prompt, word).lower() for word in words]
    where = next((i for i in range(len(words) - 1) if lower[i] == "where" and begins_name(lower[i + 1])), None)
    return span if where is None else (words[where][1], span[1])


def is_bare_item(prompt: str, span: Span) -> bool:
    """Whether a chunk is a name without article, and no style or setting: an object of the list "cat, dog and bird"."""
    words = lower_of(prompt, span).split()
    begin, end, _ = first_name(words)
    manner = any(map(_is_style_noun, words)) or all(map(is_modifier, words))
    return 0 == begin < end == len(words) and not manner and words[-1] not in SETTINGS


def _is_style_noun(word: str) -> bool:
    return is_style(word) or word in STYLE_NOUNS


def _is_manner(word: str) -> bool:
    return _is_style_noun(word) or is_modifier(word)


def is_description(prompt: str, span: Span) -> bool:
    """Whether a chunk only says what the object before it is like: "big and brown" of "a dog, big and brown, left of a cat"."""
    words = lower_of(prompt, span).split()
    if words[:1] and words[0] in ("its", "his", "her", "their"):
        del words[0]
    if len(words) > 1 and words[0] in PARTS_OF_ITS_OWN and all(is_modifier(w) or w in ("up", "down", "out") for w in words[1:]):
        return True  # "eyes closed", "its tail up"
    said = [word for word in words if word not in ("and", "&", "one")]
    return bool(said) and all(map(is_modifier, said)) and not all(map(is_style, said))


def is_far_behind(prompt: str, span: Span) -> bool:
    """Whether a piece names what is behind the picture, or before it: "a river in the background"."""
    return lower_of(prompt, span).rstrip().endswith((" in the background", " in the distance", " in the back", " in the foreground"))


def parts_of(prompt: str, span: Span) -> list[Span]:
    """What lies between the "and"s of a span, whatever they join."""
    return parts_between(span, (match.span() for match in AND.finditer(prompt, *span)))


def head_of(prompt: str, span: Span) -> str:
    """The word that says what kind of thing a span names: "style" of "the style of Monet", "street" of "a snowy street"."""
    words = lower_of(prompt, span).split()
    begin, end, _ = first_name(words)
    if end < len(words) and words[end] in ("background", "backdrop"):
        return "background"
    if "of" in words[begin:end]:
        end = begin + words[begin:end].index("of")
    return words[end - 1] if end > begin else ""
