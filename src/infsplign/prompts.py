"""Reading a prompt: which objects it names and which relations it asks for. Rules only; what they cannot read is an error.

The relation words cut the prompt into gaps. The gap between two of them holds what the first one leads to and what the second one
is about: `A [left of] B and C [above] D`. A spelling that is added to `SPELLINGS` is read without a change here.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from infsplign.clauses import REMEDY, Span, clauses, error_at, is_blank, objects_of, pieces_of, text_of
from infsplign.core.relations import SPELLINGS, Relation, Scene
from infsplign.errors import PromptError
from infsplign.phrases import find_phrases, fold
from infsplign.prompt_words import ARTICLES, BARE, CONTEXT, COPULAS, OF_THE_IMAGE, UNKNOWN, WHICH, WORD

Triple = tuple[str, str | Relation, str]


def parse_prompt(prompt: str) -> Scene:
    """Reads the objects of a prompt and the relations between them.

    Args:
        prompt: English, such as "a lamp above a table, a cat to the right of the lamp". Relations are joined by commas, semicolons
            or "and"; in "A left of B and above C" it is A that is above C, in "A left of B above C" it is B. "A and B above C" puts
            both above C. Equal phrases, articles aside, are the same object. Parts without a relation ("..., 4k") are left alone.

    Returns:
        Objects as the prompt spells them, without articles, in the order in which relations name them first.

    Raises:
        PromptError: nothing to read, an unknown relation, a missing or unclear object, or relations that contradict each other.

    >>> parse_prompt("a photo of a wine glass above a kite").objects
    ('wine glass', 'kite')
    """
    edges = _edges(prompt, _relations(prompt))
    mentions: dict[str, Span] = {}
    for first, _, second in edges:
        for span in (first, second):
            mentions.setdefault(fold(text_of(prompt, span)), span)
    scene = _scene(prompt, [(text_of(prompt, first), found, text_of(prompt, second)) for first, found, second in edges])
    for phrase, found in zip(scene.objects, find_phrases(prompt, scene.objects), strict=True):
        place = mentions[fold(phrase)][0]
        if found[0] != place and prompt[:place].lower().split()[-1:] != ["the"]:  # "the dog" is the one that was named before
            # Tokens are looked up by phrase, and would be those of the other place.
            raise error_at(prompt, found, f"{phrase!r} stands here as well as in its relation: use other words for one of them")
    return scene


def scene_from(prompt: str, relations: Sequence[Triple]) -> Scene:
    """Builds the scene of relations given by hand, and checks that the prompt names their objects.

    Args:
        prompt: the prompt that will be sampled.
        relations: `(A, relation, B)` triples; articles of A and B are left out.

    Raises:
        PromptError: an object is not in the prompt, or the relations are unknown, malformed or contradict each other.

    >>> scene_from("a cat and a dog", [("the cat", "left of", "dog")]).objects
    ('cat', 'dog')
    """
    scene = _scene(prompt, relations)
    find_phrases(prompt, scene.objects)
    return scene


def parse_relation(text: str) -> tuple[str, str, str]:
    """Reads one relation given by hand, such as "cat left of dog" or "a cat to the left of a dog".

    Returns:
        (A, name of the relation, B), without articles.

    Raises:
        PromptError: not two objects with one known relation between them.

    >>> parse_relation("the cat to the left of a teddy bear")
    ('cat', 'left of', 'teddy bear')
    """
    matches = _relations(text, bare=True)
    if len(matches) > 1:
        raise error_at(text, (matches[1].start, matches[1].stop), "one relation is expected, this is the second")
    match = matches[0]
    first, second = (_without_article(part) for part in (text[: match.start], text[match.stop :]))
    if not first or not second:
        place = match.stop if first else match.start
        raise error_at(text, (place, place), f"an object is missing {'after' if first else 'before'} the relation")
    return first, match.relation.name, second


def _scene(prompt: str, relations: Sequence[Triple]) -> Scene:
    """The scene of triples; phrases that differ only in article, case or blanks are one object."""
    names: dict[str, str] = {}
    triples: list = []
    for triple in relations:
        if isinstance(triple, str) or len(triple) != 3:
            raise PromptError(f"`relations` must be triples, got {triple!r}. {REMEDY}")
        first, second = (_without_article(str(phrase)) for phrase in (triple[0], triple[2]))
        triples.append((names.setdefault(fold(first), first), triple[1], names.setdefault(fold(second), second)))
    try:
        return Scene.of(triples)
    except ValueError as error:
        raise PromptError(f"{error}; for the prompt:\n  {prompt}\n{REMEDY}") from error


def _without_article(phrase: str) -> str:
    words = phrase.split()
    while words and words[0].lower() in ARTICLES and words != ["A"]:  # "A left of B": A is a name
        del words[0]
    return " ".join(words)


class _Match(NamedTuple):
    start: int
    stop: int
    relation: Relation


def _vocabulary(bare: bool) -> re.Pattern[str]:
    """All relation words, understood or not. The first alternative that fits is taken, so the long ones stand first."""
    known = []
    for spelling in sorted(SPELLINGS, key=len, reverse=True):
        article = rf"(?=\s+(?:{'|'.join(ARTICLES)})\s)" if spelling in BARE and not bare else ""
        known.append(r"\s+".join(map(re.escape, spelling.split())) + article)
    return re.compile(rf"(?<!\w)(?<!\w-)(?:{'|'.join([OF_THE_IMAGE, *known, *UNKNOWN])})(?!\w|-\w)", re.IGNORECASE)


def _relations(prompt: str, *, bare: bool = False) -> list[_Match]:
    """Finds every relation, left to right; `bare` takes "cat left dog" where nothing else is found."""
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt must be a string, got {type(prompt).__name__}")
    if not prompt.strip():
        raise PromptError(f"a prompt must not be empty, got {prompt!r}. {REMEDY}")
    understood = f"understood are {', '.join(sorted({found.name for found in SPELLINGS.values()}))}"
    matches = []
    for match in _vocabulary(bare=False).finditer(prompt):
        found = SPELLINGS.get(" ".join(match.group().lower().split()))
        if found is None:
            raise error_at(prompt, match.span(), f"the relation {match.group()!r} is not understood; {understood}")
        matches.append(_Match(*match.span(), found))
    if not matches and bare:
        spelled = ((match, SPELLINGS.get(match.group().lower())) for match in _vocabulary(bare=True).finditer(prompt))
        matches = [_Match(*match.span(), found) for match, found in spelled if found]
    if not matches:
        places = [word.span() for word in WORD.finditer(prompt) if word.group().lower() in CONTEXT]
        raise error_at(prompt, places[0] if places else (0, len(prompt)), f"no relation was found; {understood}")
    return matches


def _edges(prompt: str, matches: Sequence[_Match]) -> list[tuple[Span, Relation, Span]]:
    """Pairs each relation with what stands before and after it."""
    bounds = [0, *(place for match in matches for place in (match.start, match.stop)), len(prompt)]
    gaps = list(zip(bounds[::2], bounds[1::2], strict=True))
    opening = [chunk for chunk in clauses(prompt, gaps[0]) if not is_blank(prompt, chunk)] or [gaps[0]]
    firsts = [objects_of(prompt, pieces_of(prompt, opening[-1]), about=True)]
    seconds: list[list[Span]] = []
    for gap in gaps[1:-1]:
        after, before = _halves(prompt, gap)
        seconds.append(objects_of(prompt, after) if after else [])
        if before is None:  # "A left of B above C": B is above C
            firsts.append(seconds[-1])
        elif before:
            firsts.append(objects_of(prompt, before, about=True))
        else:  # "A left of B and above C": A is above C
            firsts.append(firsts[-1])
    seconds.append(objects_of(prompt, pieces_of(prompt, clauses(prompt, gaps[-1])[0])))
    for number in reversed(range(len(seconds) - 1)):
        seconds[number] = seconds[number] or seconds[number + 1]  # "A above and left of B"
    return [(first, match.relation, second) for i, match in enumerate(matches) for first in firsts[i] for second in seconds[i]]


def _halves(prompt: str, gap: Span) -> tuple[list[Span], list[Span] | None]:
    """Cuts the gap between two relations: pieces that the first leads to, pieces that the second is about.

    The second list is None when the second relation is about what the first leads to, and empty when it goes on about the same.
    """
    chunks = clauses(prompt, gap)
    if len(chunks) == 1:
        pieces = pieces_of(prompt, gap, between=True)
        if len(pieces) == 1:
            words = [word.lower() for word in text_of(prompt, gap).split()]
            doubtful = next((word for word in words if word in WHICH | CONTEXT | COPULAS), None)
            if doubtful in CONTEXT | COPULAS:
                raise error_at(prompt, gap, "it is not clear what the next relation is about; put `, ` and the object's name before it")
            return pieces, None
        after, before = pieces[:-1], pieces[-1:]
    else:
        after, before = pieces_of(prompt, chunks[0]), pieces_of(prompt, chunks[-1])
    words = text_of(prompt, before[-1]).lower().split()
    if words and words[0] in WHICH:
        return after, None
    after, before = ([piece for piece in pieces if not is_blank(prompt, piece)] for pieces in (after, before))
    stopped = any(char in ".!?" for char in prompt[chunks[0][1] : chunks[-1][0]])
    if (not before and (stopped or len(chunks) > 2)) or (before and not after):
        raise error_at(prompt, gap, "it is not clear which objects these two relations join")
    return after, before
