"""Finding phrases in a text: by whole words, whatever the case, the blanks and the encoding of accents."""

import difflib
import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from infsplign.errors import PromptError
from infsplign.prompts.weights import plain

_JOINER = "\u200d"  # glues emoji into one: a man and ZWJ and a woman are a family


class _Folded(NamedTuple):
    """Text for comparison, and for each of its characters the span (start, stop) that it stands for in the original."""

    text: str
    spans: tuple[tuple[int, int], ...]


def _fold(text: str) -> _Folded:
    """Case folded, accents decomposed and in canonical order, curly apostrophes straight; a letter keeps its accents' span."""
    if text.isascii():  # the same, much faster
        return _Folded(text.lower(), tuple((i, i + 1) for i in range(len(text))))
    starts = [i for i, char in enumerate(text) if i == 0 or not unicodedata.combining(char)]
    folded: list[str] = []
    spans: list[tuple[int, int]] = []
    for start, stop in itertools.pairwise([*starts, len(text)]):
        cluster = unicodedata.normalize("NFD", text[start:stop]).casefold().replace("\u2019", "'")
        cluster = unicodedata.normalize("NFD", cluster)
        folded.append(cluster)
        spans.extend([(start, stop)] * len(cluster))
    return _Folded("".join(folded), tuple(spans))


@lru_cache(4096)
def fold(phrase: str) -> str:
    """Returns the form in which two phrases that name the same object are equal: case, accents' encoding and blanks aside.

    >>> fold("Star   Fruit")
    'star fruit'
    """
    return " ".join(_fold(phrase).text.split())


def _marks(char: str) -> bool:
    """Whether the character changes the one before it: an accent, an emoji's skin tone or joiner."""
    return char == _JOINER or unicodedata.category(char)[0] == "M" or "\U0001f3fb" <= char <= "\U0001f3ff"


def _letter(char: str) -> bool:
    """Whether the character is part of a word; scripts written without blanks (and emoji) have no words to be part of."""
    return (char.isalnum() or char == "_") and unicodedata.east_asian_width(char) not in "WF"


def _splits_word(text: str, place: int) -> bool:
    """Whether a cut of folded text before `place` runs through a word: "cat|s", "cat|-like", "cat|'s", "teddy-|bear"."""
    before, after = text[:place][-2:], text[place : place + 2]
    if not before or not after:
        return False
    if _marks(after[0]) or before[-1] == _JOINER:
        return True
    left = _letter(before[-1]) or (_marks(before[-1]) and before[-1] != "\ufe0f")
    if left and _letter(after[0]):
        return True
    if left and after[0] in "-'" and len(after) == 2 and _letter(after[1]):
        return True
    return before[-1] in "-'" and len(before) == 2 and _letter(before[0]) and _letter(after[0])


def _occurrences(folded: _Folded, phrase: str) -> list[tuple[int, int]]:
    """Spans (start, stop) in the original text of all whole-word occurrences, overlapping ones too."""
    words = fold(phrase).split()
    if not words:
        raise PromptError(f"`phrase` must name an object, got {phrase!r}")
    # a textual inversion of several vectors stands in the text as "sks sks_1 sks_2"
    pattern = r"\s+".join(rf"{word}(?:\s+{word}_\d+)*" for word in map(re.escape, words))
    found = []
    for match in re.finditer(f"(?=({pattern}))", folded.text):  # a lookahead finds overlapping ones too
        start, stop = match.span(1)
        if not _splits_word(folded.text, start) and not _splits_word(folded.text, stop):
            found.append((folded.spans[start][0], folded.spans[stop - 1][1]))
    return found


def find_phrase(text: str, phrase: str, *, nth: int | None = None) -> tuple[int, int]:
    """Finds a phrase in a text by whole words, whatever its case, its blanks and the encoding of its accents.

    Args:
        text: where to look.
        phrase: one or more words. "cat" is not found in "cats", "cat-like" or "cat's"; it is in "cat," and
            "(cat:1.3)". Where a text has "sks sks_1", as diffusers writes a textual inversion of two vectors, "sks" is both.
        nth: which occurrence, counted from 0; None is the first.

    Returns:
        (start, stop), so that `text[start:stop]` is the phrase.

    Raises:
        PromptError: the phrase does not occur (that often).

    >>> find_phrase("A Wine  glass", "wine glass")
    (2, 13)
    """
    return find_phrases(text, [phrase], nth=None if nth is None else {phrase: nth})[0]


def find_phrases(text: str, phrases: Sequence[str], *, nth: Mapping[str, int] | None = None) -> list[tuple[int, int]]:
    """Finds several phrases so that no two share a character.

    Longer phrases claim all their occurrences first: with "star" and "star fruit" both asked for, the star is one that stands
    by itself. A phrase that is listed twice takes its occurrences one after the other.

    Args:
        text: where to look.
        phrases: O phrases.
        nth: phrase -> which of its free occurrences, counted from 0; the first where it is not given.

    Returns:
        O spans (start, stop) in the order of `phrases`.

    Raises:
        PromptError: a phrase does not occur (that often), or only inside longer ones.

    >>> find_phrases("a star left of a star fruit", ["star fruit", "star"])
    [(17, 27), (2, 6)]
    """
    if isinstance(phrases, str):
        raise TypeError(f"`phrases` must be a sequence of phrases, got the string {phrases!r}")
    wanted = {fold(phrase): number for phrase, number in (nth or {}).items()}
    keys = [fold(phrase) for phrase in phrases]
    if unknown := set(wanted) - set(keys):
        raise PromptError(f"`nth` must name phrases that are looked for ({', '.join(phrases)}), got {', '.join(sorted(unknown))}")
    folded, without_weights = _fold(text), _fold(plain(text))
    taken: list[tuple[int, int]] = []
    free: dict[str, list[tuple[int, int]]] = {}
    for key in sorted(set(keys), key=len, reverse=True):
        occurrences = _occurrences(folded, key) or _occurrences(without_weights, key)
        free[key] = [span for span in occurrences if not any(span[0] < stop and start < span[1] for start, stop in taken)]
        taken += free[key]
        if not free[key]:
            raise _not_found(text, phrases[keys.index(key)], occurrences)
        first, last = wanted.get(key, 0), wanted.get(key, 0) + keys.count(key) - 1
        if first < 0 or last >= len(free[key]):
            raise PromptError(f"{key!r} must occur {last + 1} times or more in the prompt, got {len(free[key])}:\n  {text}\nCheck `nth`.")
    return [free[key][wanted.get(key, 0) + keys[:place].count(key)] for place, key in enumerate(keys)]


def _not_found(text: str, phrase: str, inside: Sequence[tuple[int, int]]) -> PromptError:
    if inside:
        return PromptError(
            f"{phrase!r} stands in the prompt only inside another object's phrase:\n{underline(text, *inside[0])}\n"
            "Name the two by different words of the prompt, or pass `token_indices`."
        )
    words, size = fold(text).split(), len(fold(phrase).split())
    runs = [" ".join(words[i : i + size]).strip(",.;:!?") for i in range(len(words))]
    near = difflib.get_close_matches(fold(phrase), runs, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return PromptError(f"{phrase!r} does not occur in the prompt:\n  {text}\n{hint}Spell objects as the prompt does, by whole words.")


def underline(text: str, start: int, stop: int) -> str:
    """Returns `text` on one line and under it `^^^^` below the characters `start` to `stop`, for error messages.

    Columns are counted as a terminal shows them: wide characters (CJK, emoji) take two, combining marks none.
    An empty span is marked by a single `^`, the place where something is missing.

    >>> print(underline("a cat near a dog", 6, 10))
      a cat near a dog
            ^^^^
    """
    shown = "".join(char if char.isprintable() else " " for char in text)
    before, marked = sum(map(_columns, shown[:start])), sum(map(_columns, shown[start:stop]))
    return f"  {shown}\n  {' ' * before}{'^' * max(1, marked)}"


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
