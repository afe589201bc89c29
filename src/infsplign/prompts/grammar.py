"""Which objects each relation of a prompt joins.

The relations cut the prompt into gaps. The gap between two of them holds what the first one leads to and what the second one is
about: `A [left of] B and C [above] D`. How many objects a relation leads to is its `arity - 1`: none for a place, two for "between".
"""

from collections.abc import Sequence
from typing import NamedTuple

from infsplign.core.relations import Relation
from infsplign.prompts.clauses import Span, clauses, error_at, is_blank, lower_of, parts_between, says_nothing
from infsplign.prompts.connectives import UNCLEAR_JOIN, About, after_last, between_two, follows_at_once, opening, subjects
from infsplign.prompts.inverted import Inverted, around_pronoun, inverted, leads_on, nothing_before, sides
from infsplign.prompts.matches import Match
from infsplign.prompts.objects import listed_in, objects_of
from infsplign.prompts.words import EACH_OTHER, SENTENCE_END, THEM


class Edge(NamedTuple):
    """A relation and where the objects that it joins are mentioned."""

    first: Span
    relation: Relation
    others: tuple[Span, ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        return (self.first, *self.others)


_TWO = "'{}' needs two objects, such as `between a dog and a tree`"


class _Sides(NamedTuple):
    """What a relation is about, and what it leads to: nothing where the next relation tells ("above and left of B")."""

    firsts: list[Span]
    seconds: list[Span]


def edges_of(prompt: str, matches: Sequence[Match]) -> list[Edge]:
    """Joins each relation with its objects.

    Raises:
        PromptError: an object is missing, or it is not clear which one is meant.
    """
    gaps = parts_between((0, len(prompt)), ((match.start, match.stop) for match in matches))
    turned: list[Inverted | None] = []
    for i, match in enumerate(matches):
        if match.pronoun:
            before, again = turned[-1] if turned else None, i + 1 < len(matches) and matches[i + 1].pronoun
            turned.append(around_pronoun(prompt, gaps[i], gaps[i + 1], (match.start, match.stop), before, again=again))
        else:
            turned.append(_turned(prompt, match, gaps[i], gaps[i + 1], i == 0))
    about: About | list[Span] = About.SAME
    if turned[0] is None:
        about = opening(prompt, gaps[0], ahead=_is_place(matches[0]) and follows_at_once(prompt, gaps[1]), place=_is_place(matches[0]))
    fronted = about is About.AHEAD
    read: list[_Sides] = []
    for number, match in enumerate(matches):
        gap, following = gaps[number + 1], matches[number + 1] if number + 1 < len(matches) else None
        if (found := turned[number]) is not None:
            read.append(_Sides(*sides(prompt, found, match.relation.arity)))
            if match.relation.arity == 3 and len(read[-1].seconds) != 2:
                raise error_at(prompt, found.seconds, _TWO.format(match.relation.name))
            named = [chunk for chunk in found.rest if not says_nothing(prompt, chunk)]
            about = About.SAME
            if following and turned[number + 1] is None:
                told = subjects(prompt, named or [found.firsts])  # refuses "in the tank is a ship with a crab on its deck"
                about = told if named else About.SAME
            continue
        ahead = about is About.AHEAD
        wanted = 1 if ahead else match.relation.arity - 1
        if following is None or turned[number + 1] is not None:
            following = None  # the last relation of its part
            pieces, then = after_last(prompt, gap, wanted, ahead), About.SAME
        else:
            pieces, then = between_two(prompt, gap, match, following, wanted, ahead)
        if ahead:
            read.append(_Sides(objects_of(prompt, pieces, about=True), []))
        else:
            read.append(_sides(prompt, match, pieces, _firsts(about, read), read))
        stopped = SENTENCE_END.search(prompt, *gap)
        if following and then is About.SAME and (fronted or stopped or follows_at_once(prompt, gaps[number + 2])) and _is_place(following):
            then = About.AHEAD
        elif following and then is About.SAME and stopped:
            raise error_at(prompt, gap, UNCLEAR_JOIN, "name the object that each relation is about")
        about = then
    return _edges(prompt, matches, read)


def _turned(prompt: str, match: Match, gap: Span, following: Span, first: bool) -> Inverted | None:
    """The objects of a relation that stands before them; None where it stands between them."""
    stop = max([gap[0], *(end.end() for end in SENTENCE_END.finditer(prompt, *gap))])
    begin = gap[0] if prompt[:stop].endswith(";") else stop  # "a cat; left of a dog, a bird" may be about the cat
    named = [chunk for chunk in clauses(prompt, (begin, gap[1])) if not says_nothing(prompt, chunk)]
    if match.relation.arity == 1 or (named if first else not nothing_before(prompt, gap)):
        return None
    opens = first or (stop > gap[0] and is_blank(prompt, (stop, gap[1]))) or leads_on(prompt, following)
    return inverted(prompt, following, opens=opens)


def _is_place(match: Match) -> bool:
    return match.relation.arity == 1


def _firsts(about: About | list[Span], read: Sequence[_Sides]) -> list[Span]:
    if isinstance(about, list):
        return about
    return read[-1].seconds if about is About.LATEST and read[-1].seconds else read[-1].firsts


def _sides(prompt: str, match: Match, pieces: Sequence[Span], firsts: list[Span], read: Sequence[_Sides]) -> _Sides:
    """Resolves "them" and "each other"; any other piece names its object itself."""
    named = [piece for piece in pieces if not is_blank(prompt, piece)]
    alone = lower_of(prompt, named[0]) if len(named) == 1 else ""
    if match.relation.arity == 3:
        if alone in THEM or (not named and read and is_blank(prompt, (match.stop, pieces[-1][1]))):  # "a cat, a dog, and a bird in between"
            return _them(prompt, named[0] if named else (match.start, match.stop), firsts, read)
        if len(named) != 2:
            where = (pieces[0][0], pieces[-1][1]) if named else (match.start, match.stop)
            raise error_at(prompt, where, _TWO.format(match.relation.name))
    elif alone in EACH_OTHER:
        if len(firsts) != 2 or match.relation.inverse != match.relation.name:
            raise error_at(prompt, named[0], f"{alone!r} needs two objects before it and a relation that goes both ways, such as 'near'")
        return _Sides(firsts[:1], firsts[1:])
    return _Sides(firsts, objects_of(prompt, pieces) if pieces else [])


def _them(prompt: str, span: Span, firsts: list[Span], read: Sequence[_Sides]) -> _Sides:
    """ "between them": the only two objects that were named before, else the two that the relation before joins."""
    if not read:  # "a cat, a dog and a bird between them": only the bird is
        firsts = firsts[-1:]
        named = listed_in(prompt, (0, firsts[0][0]))
        latest: list[Span] = []
    else:
        named = [span for sides in read for part in sides for span in part]
        latest = read[-1].firsts + read[-1].seconds
    subjects = {lower_of(prompt, first) for first in firsts}
    for candidates in (named, latest):
        two = list({lower_of(prompt, found): found for found in candidates if lower_of(prompt, found) not in subjects}.values())
        if len(two) == 2:
            return _Sides(firsts, two)
    raise error_at(prompt, span, "it is not clear which two objects are meant; name them: `between A and B`")


def _edges(prompt: str, matches: Sequence[Match], read: list[_Sides]) -> list[Edge]:
    edges: list[Edge] = []
    for number in reversed(range(len(matches))):
        match, (firsts, seconds) = matches[number], read[number]
        if match.relation.arity == 2 and not seconds:  # "A above and left of B"
            if number + 1 == len(matches) or matches[number + 1].relation.arity != 2:
                raise error_at(prompt, (match.stop, match.stop), "an object is missing")
            seconds = read[number + 1].seconds
            read[number] = _Sides(firsts, seconds)
        groups = [tuple(seconds)] if match.relation.arity != 2 else [(second,) for second in seconds]
        edges[:0] = [Edge(first, match.relation, others) for first in firsts for others in groups]
    return edges
