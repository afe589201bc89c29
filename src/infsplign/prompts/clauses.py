"""Cutting a prompt into clauses, joined pieces and the objects that they name, all as spans of its characters."""

from collections.abc import Sequence

from infsplign.errors import PromptError
from infsplign.prompts.phrases import underline
from infsplign.prompts.words import (
    ADJECTIVES,
    AND,
    CHOICES,
    CLAUSE_END,
    CONTEXT,
    COPULAS,
    DETERMINERS,
    LEAD,
    LINKS,
    NAMELESS,
    SETTINGS,
    UNCLEAR,
    WHICH,
    WORD,
)

Span = tuple[int, int]

REMEDY = 'To give relations by hand: `relations=[("cat", "left of", "dog")]`, or `--relation "cat left of dog"` on the command line.'


def text_of(prompt: str, span: Span) -> str:
    """The characters of a span."""
    return prompt[span[0] : span[1]]


def lower_of(prompt: str, span: Span) -> str:
    """The words of a span in lower case, without punctuation around them."""
    return " ".join(text_of(prompt, word).lower() for word in words_of(prompt, span))


def error_at(prompt: str, span: Span, problem: str) -> PromptError:
    """An error that marks the span under the prompt and tells the way out."""
    start, stop = span
    if text := text_of(prompt, span).strip():
        start = prompt.index(text, start)
        stop = start + len(text)
    return PromptError(f"{problem}:\n{underline(prompt, start, stop)}\n{REMEDY}")


def clauses(prompt: str, span: Span) -> list[Span]:
    """Cuts a span at commas and other ends of a clause; always at least one chunk."""
    ends = [match.span() for match in CLAUSE_END.finditer(prompt, *span)]
    bounds = [span[0], *(place for end in ends for place in end), span[1]]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def pieces_of(prompt: str, span: Span, *, between: bool = False) -> list[Span]:
    """Cuts a span at each "and" that joins objects: an article or nothing follows it, or `between` takes the only one."""
    joins, doubtful = [], []
    for match in AND.finditer(prompt, *span):
        before, after = prompt[span[0] : match.start()].lower().split(), (match.end(), span[1])
        following = text_of(prompt, after).lower().split()
        if is_blank(prompt, after) or following[0] in DETERMINERS | WHICH or not before:
            joins.append(match.span())
        elif before[-1] not in ADJECTIVES:
            doubtful.append(match.span())
    if between and not joins and len(doubtful) == 1:
        joins, doubtful = doubtful, []
    if doubtful:
        raise error_at(prompt, doubtful[0], "it is not clear what this joins; begin each object with an article")
    bounds = [span[0], *(place for join in joins for place in join), span[1]]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


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
    return len(words) > 1 and words[0] in DETERMINERS and not set(words[1:]) & (WHICH | CONTEXT | COPULAS | DETERMINERS | {"and", "&"})


def without_lead(prompt: str, span: Span) -> Span:
    """A span without "a photo of", "there is" or "with" before it."""
    while lead := LEAD.match(prompt, *span):
        span = (lead.end(), span[1])
    return span


def parts_of(prompt: str, span: Span) -> list[Span]:
    """What lies between the "and"s of a span, whatever they join."""
    bounds = [span[0], *(place for match in AND.finditer(prompt, *span) for place in match.span()), span[1]]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def listed_in(prompt: str, span: Span) -> list[Span]:
    """The objects that a span names one by one, each with its article."""
    parts = [without_lead(prompt, part) for chunk in clauses(prompt, span) for part in parts_of(prompt, chunk)]
    return objects_of(prompt, items) if (items := [part for part in parts if is_list_item(prompt, part)]) else []


def head_of(prompt: str, span: Span) -> str:
    """The word that says what kind of thing a span names: "style" of "the style of Monet", "street" of "a snowy street"."""
    words = lower_of(prompt, span).split()
    while words and words[0] in DETERMINERS:
        del words[0]
    end = next((i for i, word in enumerate(words) if word in WHICH | CONTEXT | LINKS | {"of", "and"}), len(words))
    return words[end - 1] if end else ""


def objects_of(prompt: str, pieces: Sequence[Span], *, about: bool = False) -> list[Span]:
    """The object of each piece that names one."""
    named = [piece for piece in pieces if not is_blank(prompt, piece)]
    return [_object(prompt, piece, about=about) for piece in named or pieces[:1]]


def _object(prompt: str, span: Span, *, about: bool = False) -> Span:
    """Finds the one object that a span names: without article, lead-in ("a photo of"), posture ("is sitting") and what follows it.

    Args:
        about: the span stands before a relation. "a mug with a flower above ..." then leaves open what is above; after a relation
            "with a flower" is merely left out.
    """
    words = words_of(prompt, without_lead(prompt, span) if about else span)
    lower = [text_of(prompt, word).lower() for word in words]
    begin = 0
    while begin < len(words) - 1 and lower[begin] in DETERMINERS:
        begin += 1
    end = next((i for i in range(begin, len(words)) if lower[i] in WHICH | CONTEXT), len(words))
    if about and end < len(words) and lower[end] in CONTEXT and head_of(prompt, (words[end][1], span[1])) not in SETTINGS:
        raise error_at(prompt, words[end], "it is not clear which object the relation is about; leave this part out or put it last")
    while end > begin and lower[end - 1] in LINKS:
        end -= 1
    name = lower[begin:end]
    if not name or (name[0] in DETERMINERS and text_of(prompt, words[begin]) != "A"):
        where = span[1] if about else span[0]
        raise error_at(prompt, (words[0][0], words[-1][1]) if words else (where, where), "an object is missing")
    found = (words[begin][0], words[end - 1][1])
    if any(word in CHOICES for word in name):
        raise error_at(prompt, found, "a choice or a negation cannot be drawn")
    if len(name) == 1 and (name[0] in NAMELESS or name[0].isdigit()):
        raise error_at(prompt, found, f"{text_of(prompt, found)!r} is not the name of an object; repeat its name")
    if any(word in DETERMINERS - {"one"} | COPULAS | {"there"} for word in name[1:]) or UNCLEAR.search(prompt, *found):
        raise error_at(prompt, found, "it is not clear which object this is")
    return found
