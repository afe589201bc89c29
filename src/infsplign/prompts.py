"""Reading a prompt: which objects it names and which relations it asks for. Rules only; what they cannot read is an error.

The relation words cut the prompt into gaps. The gap between two of them holds what the first one leads to and what the second one
is about: `A [left of] B and C [above] D`. A spelling that is added to `SPELLINGS` is read without a change here.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from infsplign.core.relations import SPELLINGS, Relation, Scene
from infsplign.errors import PromptError
from infsplign.phrases import find_phrases, fold, underline
from infsplign.prompt_words import (
    ADJECTIVES,
    AND,
    ARTICLES,
    BARE,
    CLAUSE_END,
    CONTEXT,
    COPULAS,
    DETERMINERS,
    LEAD,
    LINKS,
    NAMELESS,
    OF_THE_IMAGE,
    QUOTES,
    UNCLEAR,
    UNKNOWN,
    WHICH,
    WORD,
)

Span = tuple[int, int]
Triple = tuple[str, str | Relation, str]

REMEDY = 'To give relations by hand: `relations=[("cat", "left of", "dog")]`, or `--relation "cat left of dog"` on the command line.'


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
            mentions.setdefault(fold(_text(prompt, span)), span)
    scene = _scene(prompt, [(_text(prompt, first), found, _text(prompt, second)) for first, found, second in edges])
    for phrase, found in zip(scene.objects, find_phrases(prompt, scene.objects), strict=True):
        place = mentions[fold(phrase)][0]
        if found[0] != place and prompt[:place].lower().split()[-1:] != ["the"]:  # "the dog" is the one that was named before
            # Tokens are looked up by phrase, and would be those of the other place.
            raise _error(prompt, found, f"{phrase!r} stands here as well as in its relation: use other words for one of them")
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
        raise _error(text, (matches[1].start, matches[1].stop), "one relation is expected, this is the second")
    match = matches[0]
    first, second = (_without_article(part) for part in (text[: match.start], text[match.stop :]))
    if not first or not second:
        place = match.stop if first else match.start
        raise _error(text, (place, place), f"an object is missing {'after' if first else 'before'} the relation")
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


def _text(prompt: str, span: Span) -> str:
    return prompt[span[0] : span[1]]


def _error(prompt: str, span: Span, problem: str) -> PromptError:
    return PromptError(f"{problem}:\n{underline(prompt, *span)}\n{REMEDY}")


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
            raise _error(prompt, match.span(), f"the relation {match.group()!r} is not understood; {understood}")
        matches.append(_Match(*match.span(), found))
    if not matches and bare:
        spelled = ((match, SPELLINGS.get(match.group().lower())) for match in _vocabulary(bare=True).finditer(prompt))
        matches = [_Match(*match.span(), found) for match, found in spelled if found]
    if not matches:
        places = [word.span() for word in WORD.finditer(prompt) if word.group().lower() in CONTEXT]
        raise _error(prompt, places[0] if places else (0, len(prompt)), f"no relation was found; {understood}")
    return matches


def _edges(prompt: str, matches: Sequence[_Match]) -> list[tuple[Span, Relation, Span]]:
    """Pairs each relation with what stands before and after it."""
    bounds = [0, *(place for match in matches for place in (match.start, match.stop)), len(prompt)]
    gaps = list(zip(bounds[::2], bounds[1::2], strict=True))
    opening = [chunk for chunk in _split(prompt, gaps[0]) if not _blank(prompt, chunk)] or [gaps[0]]
    firsts = [_objects(prompt, _pieces(prompt, opening[-1]), about=True)]
    seconds: list[list[Span]] = []
    for gap in gaps[1:-1]:
        after, before = _halves(prompt, gap)
        seconds.append(_objects(prompt, after) if after else [])
        if before is None:  # "A left of B above C": B is above C
            firsts.append(seconds[-1])
        elif before:
            firsts.append(_objects(prompt, before, about=True))
        else:  # "A left of B and above C": A is above C
            firsts.append(firsts[-1])
    seconds.append(_objects(prompt, _pieces(prompt, _split(prompt, gaps[-1])[0])))
    for number in reversed(range(len(seconds) - 1)):
        seconds[number] = seconds[number] or seconds[number + 1]  # "A above and left of B"
    return [(first, match.relation, second) for i, match in enumerate(matches) for first in firsts[i] for second in seconds[i]]


def _halves(prompt: str, gap: Span) -> tuple[list[Span], list[Span] | None]:
    """Cuts the gap between two relations: pieces that the first leads to, pieces that the second is about.

    The second list is None when the second relation is about what the first leads to, and empty when it goes on about the same.
    """
    chunks = _split(prompt, gap)
    if len(chunks) == 1:
        pieces = _pieces(prompt, gap, between=True)
        if len(pieces) == 1:
            words = [word.lower() for word in _text(prompt, gap).split()]
            doubtful = next((word for word in words if word in WHICH | CONTEXT | COPULAS), None)
            if doubtful in CONTEXT | COPULAS:
                raise _error(prompt, gap, "it is not clear what the next relation is about; put `, ` and the object's name before it")
            return pieces, None
        after, before = pieces[:-1], pieces[-1:]
    else:
        after, before = _pieces(prompt, chunks[0]), _pieces(prompt, chunks[-1])
    words = _text(prompt, before[-1]).lower().split()
    if words and words[0] in WHICH:
        return after, None
    after, before = ([piece for piece in pieces if not _blank(prompt, piece)] for pieces in (after, before))
    stopped = any(char in ".!?" for char in prompt[chunks[0][1] : chunks[-1][0]])
    if (not before and (stopped or len(chunks) > 2)) or (before and not after):
        raise _error(prompt, gap, "it is not clear which objects these two relations join")
    return after, before


def _split(prompt: str, span: Span) -> list[Span]:
    """Cuts a span at commas and other ends of a clause; always at least one chunk."""
    ends = [match.span() for match in CLAUSE_END.finditer(prompt, *span)]
    bounds = [span[0], *(place for end in ends for place in end), span[1]]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _pieces(prompt: str, span: Span, *, between: bool = False) -> list[Span]:
    """Cuts a span at each "and" that joins objects: an article or nothing follows it, or it is the only one between two relations."""
    joins, doubtful = [], []
    for match in AND.finditer(prompt, *span):
        before, after = prompt[span[0] : match.start()].lower().split(), (match.end(), span[1])
        following = _text(prompt, after).lower().split()
        if _blank(prompt, after) or following[0] in DETERMINERS | WHICH or not before:
            joins.append(match.span())
        elif before[-1] not in ADJECTIVES:
            doubtful.append(match.span())
    if between and not joins and len(doubtful) == 1:
        joins, doubtful = doubtful, []
    if doubtful:
        raise _error(prompt, doubtful[0], "it is not clear what this joins; begin each object with an article")
    bounds = [span[0], *(place for join in joins for place in join), span[1]]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _words(prompt: str, span: Span) -> list[Span]:
    """Words of a span, each without the quotes and punctuation around it."""
    words = []
    for match in WORD.finditer(prompt, *span):
        inner = match.group().strip(QUOTES)
        if inner:
            start = match.start() + match.group().index(inner)
            words.append((start, start + len(inner)))
    return words


def _blank(prompt: str, span: Span) -> bool:
    """Whether a span names nothing: "is directly" of "a cat left of a dog and is directly above a table"."""
    return all(_text(prompt, word).lower() in LINKS for word in _words(prompt, span))


def _objects(prompt: str, pieces: Sequence[Span], *, about: bool = False) -> list[Span]:
    named = [piece for piece in pieces if not _blank(prompt, piece)]
    return [_object(prompt, piece, about=about) for piece in named or pieces[:1]]


def _object(prompt: str, span: Span, *, about: bool = False) -> Span:
    """Finds the one object that a span names: without article, lead-in ("a photo of"), posture ("is sitting") and what follows it.

    Args:
        about: the span stands before a relation. "a mug on a shelf above ..." then leaves open what is above; after a relation
            "on a shelf" is merely left out.
    """
    while about and (lead := LEAD.match(prompt, *span)):
        span = (lead.end(), span[1])
    words = _words(prompt, span)
    lower = [_text(prompt, word).lower() for word in words]
    begin = 0
    while begin < len(words) - 1 and lower[begin] in DETERMINERS:
        begin += 1
    end = next((i for i in range(begin, len(words)) if lower[i] in WHICH | CONTEXT), len(words))
    if about and end < len(words) and lower[end] in CONTEXT:
        raise _error(prompt, words[end], "it is not clear which object the relation is about; leave this part out or put it last")
    while end > begin and lower[end - 1] in LINKS:
        end -= 1
    name = lower[begin:end]
    if not name or (name[0] in DETERMINERS and _text(prompt, words[begin]) != "A"):
        where = span[1] if about else span[0]
        raise _error(prompt, (words[0][0], words[-1][1]) if words else (where, where), "an object is missing")
    found = (words[begin][0], words[end - 1][1])
    if len(name) == 1 and name[0] in NAMELESS:
        raise _error(prompt, found, f"{_text(prompt, found)!r} is not the name of an object; repeat its name")
    if any(word in DETERMINERS - {"one"} | COPULAS | {"there"} for word in name[1:]) or UNCLEAR.search(prompt, *found):
        raise _error(prompt, found, "it is not clear which object this is")
    return found
