"""Which mentions of a prompt are the same object, and by which words its map is read."""

import re
from collections.abc import Sequence

from infsplign.errors import PromptError
from infsplign.prompts.clauses import Span, begins_name, error_at, text_of, words_of
from infsplign.prompts.grammar import Edge
from infsplign.prompts.nouns import first_name
from infsplign.prompts.phrases import find_phrases, fold
from infsplign.prompts.word_classes import is_modifier
from infsplign.prompts.word_lists import ADJECTIVES
from infsplign.prompts.words import ARTICLES, CLAUSE_END, LEAD, MEDIUM

_TITLE = re.compile(rf"\s+(?:{MEDIUM})\s*[.:;]", re.IGNORECASE)


def without_article(phrase: str) -> str:
    """A phrase without the articles before it.

    >>> without_article("the red chair")
    'red chair'
    """
    words = phrase.split()
    while words and words[0].lower() in ARTICLES and words != ["A"]:  # "A left of B": A is a name
        del words[0]
    return " ".join(words)


def with_same_mentions(prompt: str, edges: Sequence[Edge]) -> list[Edge]:
    """Edges in which "the chair" is the "red chair" that was named before it, where there is exactly one.

    Raises:
        PromptError: it may be several; or "another chair" stands beside a "chair".
    """
    known: dict[str, Span] = {}
    found = []
    for edge in edges:
        same = [_earlier(prompt, span, known, edge) for span in edge.spans]
        for span in same:
            known.setdefault(fold(text_of(prompt, span)), span)
        found.append(Edge(same[0], edge.relation, tuple(same[1:])))
    return found


def _earlier(prompt: str, span: Span, known: dict[str, Span], edge: Edge) -> Span:
    name = fold(text_of(prompt, span))
    if name in known and prompt[: span[0]].lower().split()[-1:] == ["another"]:
        raise error_at(
            prompt, span, "another object has the same name", "use other words for one of them, such as `red cat` and `blue cat`"
        )
    if name in known or prompt[: span[0]].lower().split()[-1:] not in (["the"], ["same"]):
        return span
    here = {fold(text_of(prompt, other)) for other in edge.spans}
    candidates = [phrase for phrase in known if phrase.endswith(f" {name}") and phrase not in here]
    if len(candidates) > 1:
        raise error_at(prompt, span, f"it is not clear which this is: {', '.join(candidates)}")
    return known[candidates[0]] if candidates else span


def without_adjectives(prompt: str, edges: Sequence[Edge]) -> list[Edge]:
    """Edges whose objects are named by their nouns; "red chair" stays whole beside a "blue chair"."""
    spans = {span for edge in edges for span in edge.spans}
    nouns = {span: _noun(prompt, span) for span in spans}
    phrases: dict[str, set[str]] = {}
    for span, noun in nouns.items():
        phrases.setdefault(fold(text_of(prompt, noun)), set()).add(fold(text_of(prompt, span)))
    chosen = {span: noun if len(phrases[fold(text_of(prompt, noun))]) == 1 else span for span, noun in nouns.items()}
    return [Edge(chosen[edge.first], edge.relation, tuple(chosen[span] for span in edge.others)) for edge in edges]


def _noun(prompt: str, span: Span) -> Span:
    words = words_of(prompt, span)
    begin = 0
    while begin < len(words) - 1 and text_of(prompt, words[begin]).lower() in ADJECTIVES | {"and"}:
        begin += 1
    return words[begin][0], span[1]


def check_places(prompt: str, objects: Sequence[str], edges: Sequence[Edge]) -> None:
    """Refuses an object whose phrase stands elsewhere too: tokens are looked up by phrase, and would be those of the other place.

    Raises:
        PromptError: it does.
    """
    mentions: dict[str, Span] = {}
    for edge in edges:
        for span in edge.spans:
            mentions.setdefault(fold(text_of(prompt, span)), span)
    lead = LEAD.match(prompt)
    for phrase, found in zip(objects, find_phrases(prompt, objects), strict=True):
        place = mentions[fold(phrase)][0]
        before = prompt[:place].lower().split()[-1:]
        another = before and begins_name(before[0])
        if found[0] < place and _in_longer_name(prompt, found):
            raise error_at(prompt, found, f"{phrase!r} stands here as well as in its relation", "use other words for one of them")
        the = before == ["the"]  # "the dog" is the one that was named before, and so is "dog" without article
        if found[0] != place and not the and (another or (lead and found[0] < lead.end())):
            raise error_at(prompt, found, f"{phrase!r} stands here as well as in its relation", "use other words for one of them")


def several_places(prompt: str, objects: Sequence[str]) -> list[tuple[str, Span]]:
    """The objects that stand in more than one place and may not be the same thing, each with the place whose tokens are taken."""
    found = []
    for phrase, first in zip(objects, find_phrases(prompt, objects), strict=True):
        try:
            later = dict(zip(objects, find_phrases(prompt, objects, nth={phrase: 1}), strict=True))[phrase]
        except PromptError:
            continue
        before = prompt[: later[0]].lower().split()[-1:]
        if _in_longer_name(prompt, first) or (before and before != ["the"] and begins_name(before[0])):
            found.append((phrase, first))
    return found


def _in_longer_name(prompt: str, found: Span) -> bool:
    """Whether a phrase is the beginning of another name: "cat" of "a cat toy"."""
    if _TITLE.match(prompt, found[1]) and all(begins_name(word) or is_modifier(word) for word in prompt[: found[0]].lower().split()):
        return False  # "a cute cat portrait. The cat ...": the whole picture is called after it
    end = CLAUSE_END.search(prompt, found[1])
    words = words_of(prompt, (found[0], end.start() if end else len(prompt)))
    lower = [text_of(prompt, word).lower() for word in words]
    article = [word for word in prompt[: found[0]].lower().split()[-1:] if word in ("a", "an", "one")]
    name = first_name(article + lower)
    return words[name.end - len(article) - 1][1] > found[1]
