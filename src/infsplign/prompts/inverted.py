"""Relations that stand before both their objects, or that lean on a pronoun: "left of the cat is a dog", "a cat, to its left a dog"."""

from typing import NamedTuple

from infsplign.prompts.clauses import (
    Span,
    begins_name,
    clauses,
    error_at,
    head_of,
    is_blank,
    lower_of,
    parts_between,
    parts_of,
    pieces_of,
    says_nothing,
    text_of,
    words_of,
)
from infsplign.prompts.nouns import first_name
from infsplign.prompts.objects import objects_of
from infsplign.prompts.styles import STYLE_NOUNS, is_style
from infsplign.prompts.word_lists import SETTINGS, VERBS
from infsplign.prompts.words import AND, COPULAS, LINKS, SENTENCE_END

_BETWEEN = LINKS | COPULAS | VERBS | {"there", "there's", "we", "you", "can", "see"}


class Inverted(NamedTuple):
    """The spans of "left of [the cat] is [a dog], ..."."""

    seconds: Span
    firsts: Span
    rest: list[Span]


def inverted(prompt: str, gap: Span, *, opens: bool) -> Inverted | None:
    """Cuts what follows a relation at the verb after which its first object stands.

    Args:
        gap: from the relation to the next one.
        opens: the relation begins a sentence, so that a comma may stand for the verb.
    """
    chunks = clauses(prompt, gap)
    words = words_of(prompt, chunks[0])
    lower = [text_of(prompt, word).lower() for word in words]
    for i in range(1, len(words)):
        if lower[i] not in _BETWEEN:
            continue
        j = next((j for j in range(i, len(words)) if lower[j] not in _BETWEEN), len(words))
        if j < len(words) and begins_name(lower[j]):
            return Inverted((chunks[0][0], words[i - 1][1]), (words[j][0], chunks[0][1]), chunks[1:])
    begin, end, _ = first_name(lower)
    if opens and begin and end < len(words) and begins_name(lower[end]):  # "under the bridge a man"
        return Inverted((chunks[0][0], words[end - 1][1]), (words[end][0], chunks[0][1]), chunks[1:])
    if opens and len(chunks) > 1 and words and not SENTENCE_END.search(prompt, chunks[0][1], chunks[1][0]) and _begins(prompt, chunks[1]):
        return Inverted(chunks[0], chunks[1], chunks[2:])
    return None


def leads_on(prompt: str, gap: Span) -> bool:
    """Whether a relation leads from an object that was named before to a new one: "a cat left of a dog, and above the dog, a bird".

    Args:
        gap: from the relation to the next one.
    """
    chunks = clauses(prompt, gap)
    if len(chunks) < 2 or not _begins(prompt, chunks[1]) or SENTENCE_END.search(prompt, chunks[0][1], chunks[1][0]):
        return False
    article, *name = lower_of(prompt, chunks[0]).split() or [""]
    styled = any(is_style(word) or word in STYLE_NOUNS for word in lower_of(prompt, chunks[1]).split())
    known = article == "the" and bool(name) and name[-1] in lower_of(prompt, (0, gap[0])).split()
    return known and not styled and head_of(prompt, chunks[1]) not in SETTINGS


def _begins(prompt: str, chunk: Span) -> bool:
    words = [text_of(prompt, word).lower() for word in words_of(prompt, chunk)]
    while words and words[0] in _BETWEEN:
        del words[0]
    return bool(words) and begins_name(words[0])


def nothing_before(prompt: str, gap: Span) -> bool:
    """Whether no object stands right before a relation: the clause or the part after "and" is empty."""
    last = parts_of(prompt, clauses(prompt, gap)[-1])[-1]
    return is_blank(prompt, last) or says_nothing(prompt, last)


def around_pronoun(prompt: str, gap: Span, following: Span, where: Span, before: Inverted | None, *, again: bool) -> Inverted:
    """The objects of "to its left": the only one before it and the one that follows, or the two before it.

    Args:
        gap: before the relation.
        following: after it.
        where: the relation itself.
        before: of another such relation right before this one: "a cat with a dog on its left and a bird on its right".
        again: such a relation follows.

    Raises:
        PromptError: it is not clear whose left it is.
    """
    chunks = [part for chunk in clauses(prompt, gap) for part in _split_with(prompt, chunk) if not is_blank(prompt, part)]
    after = clauses(prompt, following)
    if before is not None:
        if len(chunks) == 1 and is_blank(prompt, after[0]) and chunks[0][0] > before.firsts[1]:
            return Inverted(before.seconds, chunks[0], after[1:])
        if len(chunks) == 1 and before.firsts[0] <= chunks[0][0] < before.firsts[1]:
            after = after[is_blank(prompt, after[0]) :]
            if after and _begins(prompt, after[0]):
                return Inverted(before.seconds, after[0], after[1:])
    elif again and len(chunks) == 2:
        return Inverted(chunks[0], chunks[1], [])
    elif _begins(prompt, after[0]) and len(chunks) == 1:
        return Inverted(chunks[0], after[0], after[1:])
    elif is_blank(prompt, after[0]) and len(chunks) == 2:
        return Inverted(chunks[0], chunks[1], after[1:])
    apart = AND.search(prompt, *gap) or prompt[: where[0]].rstrip().endswith(",")  # "a cat and, to its left, a dog"
    if is_blank(prompt, after[0]) and len(chunks) == 1 and len(after) > 1 and apart and _begins(prompt, after[1]):
        return Inverted(chunks[0], after[1], after[2:])
    side = text_of(prompt, where).split()[2]
    raise error_at(prompt, where, f"it is not clear whose {side} this is", f"write `to the {side} of` and the object's name")


def _split_with(prompt: str, chunk: Span) -> list[Span]:
    """Parts between the "and"s and "with"s of a clause."""
    parts: list[Span] = []
    for part in parts_of(prompt, chunk):
        parts += parts_between(part, (word for word in words_of(prompt, part) if text_of(prompt, word).lower() == "with"))
    return parts


def sides(prompt: str, found: Inverted, arity: int) -> tuple[list[Span], list[Span]]:
    """The first and the other objects of an inverted relation."""
    firsts = objects_of(prompt, pieces_of(prompt, _without_verbs(prompt, found.firsts)))
    seconds = objects_of(prompt, pieces_of(prompt, found.seconds, between=arity == 3), about=True)
    return firsts, seconds


def _without_verbs(prompt: str, span: Span) -> Span:
    start, stop = span
    for word in words_of(prompt, span):
        if text_of(prompt, word).lower() not in _BETWEEN:
            break
        start = word[1]
    trailing = [match for match in AND.finditer(prompt, start, stop) if is_blank(prompt, (match.end(), stop))]
    return start, trailing[0].start() if trailing else stop
