"""Every way to spell a relation."""

from infsplign.core.relations import (
    ABOVE,
    AT_THE_BOTTOM,
    AT_THE_TOP,
    BELOW,
    BETWEEN,
    BOTTOM_LEFT,
    BOTTOM_RIGHT,
    FAR_FROM,
    IN_THE_CENTRE,
    INSIDE,
    LARGER,
    LEFT_OF,
    LOWER_LEFT_OF,
    LOWER_RIGHT_OF,
    NEAR,
    ON_THE_LEFT,
    ON_THE_RIGHT,
    ON_TOP_OF,
    RIGHT_OF,
    SMALLER,
    TOP_LEFT,
    TOP_RIGHT,
    UPPER_LEFT_OF,
    UPPER_RIGHT_OF,
    Relation,
)


def _hand(prefixes: str, side: str, ending: str) -> tuple[str, ...]:
    """ "on the left", "on the left side", "on the left-hand side", each with `ending`."""
    return tuple(f"{p} the {side}{part}{ending}" for p in prefixes.split() for part in ("", " side", " hand side", "-hand side"))


def _corner(prefixes: str, side: str, endings: tuple[str, ...]) -> tuple[str, ...]:
    """ "in the top left", "in the upper-left corner", ... of `side`, such as "top left"."""
    vertical, horizontal = side.split()
    words = {"top": ("top", "upper"), "bottom": ("bottom", "lower")}[vertical]
    named = [f"{word}{joint}{horizontal}" for word in words for joint in (" ", "-")]
    starts = [f"{p} the " for p in prefixes.split()] or [""]
    return tuple(f"{start}{name}{ending}" for start in starts for name in named for ending in endings)


def _diagonal(side: str) -> tuple[str, ...]:
    return (*_corner("", side, (" of",)), *_corner("to on at", side, (" of", " side of")))


_CORNER = ("", " corner")
_SPELLED: dict[Relation, tuple[str, ...]] = {
    LEFT_OF: ("left of", "left side of", *_hand("to on at", "left", " of"), "left"),
    RIGHT_OF: ("right of", "right side of", *_hand("to on at", "right", " of"), "right"),
    ABOVE: ("above", "above of", "over", "on the top of", "at the top of", "top"),
    BELOW: (
        *("below", "below of", "under", "beneath", "beneath of", "underneath", "underneath of"),
        *("on the bottom of", "at the bottom of", "bottom"),
    ),
    UPPER_LEFT_OF: _diagonal("top left"),
    UPPER_RIGHT_OF: _diagonal("top right"),
    LOWER_LEFT_OF: _diagonal("bottom left"),
    LOWER_RIGHT_OF: _diagonal("bottom right"),
    NEAR: (
        *("near", "near to", "nearby", "next to", "beside", "alongside", "alongside of", "close to", "adjacent to", "side by side with"),
        *("on side of", "on the side of", "at the side of", "by the side of", "to the side of"),
    ),
    FAR_FROM: ("far from", "far away from", "away from", "a long way from", "distant from"),
    ON_TOP_OF: ("on top of", "atop", "atop of", "on", "upon"),
    INSIDE: ("inside", "inside of", "in", "within", "contained in"),
    BETWEEN: ("between", "in between"),
    LARGER: ("larger than", "bigger than"),
    SMALLER: ("smaller than",),
    IN_THE_CENTRE: tuple(f"{p} the {middle}" for p in ("in", "at") for middle in ("centre", "center", "middle")),
    ON_THE_LEFT: _hand("on at to in", "left", ""),
    ON_THE_RIGHT: _hand("on at to in", "right", ""),
    AT_THE_TOP: tuple(f"{p} the top" for p in ("at", "on", "in")),
    AT_THE_BOTTOM: tuple(f"{p} the bottom" for p in ("at", "on", "in")),
    TOP_LEFT: _corner("in at on to", "top left", _CORNER),
    TOP_RIGHT: _corner("in at on to", "top right", _CORNER),
    BOTTOM_LEFT: _corner("in at on to", "bottom left", _CORNER),
    BOTTOM_RIGHT: _corner("in at on to", "bottom right", _CORNER),
}
SPELLINGS: dict[str, Relation] = {spelling: found for found, spellings in _SPELLED.items() for spelling in (found.name, *spellings)}
"""Every spelling that is understood, in lower case with single blanks."""
RELATIONS: tuple[Relation, ...] = tuple(_SPELLED)
"""All relations, each once."""


def relation(spelling: str | Relation) -> Relation:
    """Returns the relation of a spelling such as "to the left of".

    Raises:
        ValueError: no relation is spelled so.

    >>> relation("on the top of").name, relation("on top of").name
    ('above', 'on top of')
    """
    if isinstance(spelling, Relation):
        return spelling
    found = SPELLINGS.get(" ".join(str(spelling).lower().split()))
    if found is None:
        names = ", ".join(sorted(known.name for known in RELATIONS))
        raise ValueError(f"`relation` is unknown: got {spelling!r}, expected one of {names}, or another spelling of these")
    return found
