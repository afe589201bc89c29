"""All objects that a prompt names, whatever it says about them: for scenes without relations, and for examples in errors."""

from infsplign.prompts.clauses import Span, begins_name, clauses, text_of, without_lead, words_of
from infsplign.prompts.hints import misspelt
from infsplign.prompts.lexicon import NOUN, classes
from infsplign.prompts.nouns import first_name
from infsplign.prompts.phrases import fold
from infsplign.prompts.styles import is_medium, is_style
from infsplign.prompts.word_classes import is_adjective
from infsplign.prompts.word_lists import INDOORS, SETTINGS, VERBS
from infsplign.prompts.words import ARTICLES, AWAY, CHOICES, CONTEXT, LINKS, NAMELESS, SIDES, STOPS, WHICH

_NO_NAMES = {"of", "each", "far", "close"} | STOPS | AWAY | LINKS | WHICH | SIDES | NAMELESS | VERBS


def names_in(prompt: str) -> list[Span]:
    """Spans of the names in a text without weights, each once; settings and styles are left out.

    >>> prompt = "a photo of a red cat and two dogs in a garden, oil painting, 4k"
    >>> [prompt[start:stop] for start, stop in names_in(prompt)]
    ['red cat', 'dogs']
    """
    found: dict[str, Span] = {}
    for chunk in clauses(prompt, (0, len(prompt))):
        words = words_of(prompt, without_lead(prompt, chunk))
        lower = [text_of(prompt, word).lower() for word in words]
        for begin, end in _names(lower):
            if lower[begin:end] != ["a"] or text_of(prompt, words[begin]) == "A":
                span = (words[begin][0], words[end - 1][1])
                found.setdefault(fold(text_of(prompt, span)), span)
    return list(found.values())


def _names(words: list[str]) -> list[tuple[int, int]]:
    """Where the names of a clause begin and end, among its words in lower case."""
    found: list[tuple[int, int]] = []
    i, denied = 0, False
    while i < len(words):
        begin, end, count = first_name(words[i:])
        begin, end = begin + i, end + i
        if (begin == i and words[i] in _NO_NAMES and not count) or end <= begin:
            denied = denied or words[i] in CHOICES or words[i] == "without"
            i += 1
        elif _skipped(words, begin, end, within=bool({*words[max(0, i - 1) : begin]} & (CONTEXT | AWAY))):
            i = max(end, i + 1)
        else:
            if not denied:
                found.append((begin, end))
            i, denied = end, False
    return found


def _skipped(words: list[str], begin: int, end: int, *, within: bool) -> bool:
    """Whether a name is a style, a word that is no noun, or a setting after a preposition."""
    last, following = words[end - 1], words[end] if end < len(words) else ""
    if (
        (within and last in SETTINGS | INDOORS)
        or last in NAMELESS
        or is_style(last)
        or is_style(words[begin])
        or is_medium(words[begin], following)
    ):
        return True
    if end - begin > 1 and is_medium(words[end - 2], last):
        return True
    adjective = is_adjective(last) and not _is_noun(words, begin)
    return end - begin == 1 and (adjective or misspelt(last) is not None or (bool(classes(last)) and NOUN not in classes(last)))


def _is_noun(words: list[str], place: int) -> bool:
    """Whether a word that may be an adjective is a noun: "an orange", and "a square and a dog", but not "a square and red box"."""
    if NOUN not in classes(words[place]) or not {*words[max(0, place - 1) : place]} & ARTICLES:
        return False
    following = words[place + 1 : place + 3]
    return not following or following[0] not in {"and", "&"} | CHOICES or (len(following) > 1 and begins_name(following[1]))
