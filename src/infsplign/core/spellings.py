"""The relations that can be asked for, and every way to spell them.

What each of them demands of the objects' maps is in `core.spatial`, its table in `docs/relations.md`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """A relation between objects, or the place of one object.

    Attributes:
        name: canonical name, the one that `relation` returns for every spelling.
        direction: (x, y), x to the right, y down: where the second object lies as seen from the first, each part -1, 0 or 1; for a
            place, where the middle of the picture lies as seen from the object. (0, 0) where no direction is asked for.
        inverse: name of the relation that B has to A where A has this one to B; None where there is no word for it.
        arity: number of objects: 1 for a place, 2, or 3 ("between").
        equation: which equation of `core.spatial` measures it.
        margin: what the margin of the spatial loss is multiplied by: 1 where objects may be a whole picture apart.
    """

    name: str
    direction: tuple[float, float] = (0.0, 0.0)
    inverse: str | None = None
    arity: int = 2
    equation: str = "ordered"
    margin: float = 1.0

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes on which the relation orders its two objects: 0 is x, 1 is y, both for a diagonal, none for "near"."""
        return tuple(axis for axis in (0, 1) if self.arity == 2 and self.direction[axis])

    @property
    def axis(self) -> int | None:
        """The first of `axes`: 0 where the relation orders x, 1 where it orders y, None where it orders nothing."""
        return self.axes[0] if self.axes else None


LEFT_OF = Relation("left of", (1.0, 0.0), "right of")
RIGHT_OF = Relation("right of", (-1.0, 0.0), "left of")
ABOVE = Relation("above", (0.0, 1.0), "below")
BELOW = Relation("below", (0.0, -1.0), "above")
UPPER_LEFT_OF = Relation("upper left of", (1.0, 1.0), "lower right of")
UPPER_RIGHT_OF = Relation("upper right of", (-1.0, 1.0), "lower left of")
LOWER_LEFT_OF = Relation("lower left of", (1.0, -1.0), "upper right of")
LOWER_RIGHT_OF = Relation("lower right of", (-1.0, -1.0), "upper left of")
NEAR = Relation("near", inverse="near", equation="near", margin=0.2)
FAR_FROM = Relation("far from", inverse="far from", equation="far", margin=0.4)
ON_TOP_OF = Relation("on top of", (0.0, 1.0), equation="on top", margin=0.2)
INSIDE = Relation("inside", equation="inside", margin=0.2)
BETWEEN = Relation("between", arity=3, equation="between", margin=0.4)
LARGER = Relation("larger than", inverse="smaller than", equation="larger", margin=0.2)
SMALLER = Relation("smaller than", inverse="larger than", equation="smaller", margin=0.2)


def _place(name: str, direction: tuple[float, float] = (0.0, 0.0)) -> Relation:
    return Relation(name, direction, arity=1, equation="side" if any(direction) else "centre", margin=1 / 3)


IN_THE_CENTRE = _place("in the centre")
ON_THE_LEFT = _place("on the left side", (1.0, 0.0))
ON_THE_RIGHT = _place("on the right side", (-1.0, 0.0))
AT_THE_TOP = _place("at the top", (0.0, 1.0))
AT_THE_BOTTOM = _place("at the bottom", (0.0, -1.0))
TOP_LEFT = _place("in the top left corner", (1.0, 1.0))
TOP_RIGHT = _place("in the top right corner", (-1.0, 1.0))
BOTTOM_LEFT = _place("in the bottom left corner", (1.0, -1.0))
BOTTOM_RIGHT = _place("in the bottom right corner", (-1.0, -1.0))


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
    ABOVE: ("above", "over", "on the top of", "at the top of", "top"),
    BELOW: ("below", "under", "beneath", "underneath", "on the bottom of", "at the bottom of", "bottom"),
    UPPER_LEFT_OF: _diagonal("top left"),
    UPPER_RIGHT_OF: _diagonal("top right"),
    LOWER_LEFT_OF: _diagonal("bottom left"),
    LOWER_RIGHT_OF: _diagonal("bottom right"),
    NEAR: (
        *("near", "near to", "nearby", "next to", "beside", "alongside", "close to", "adjacent to", "side by side with"),
        *("on side of", "on the side of", "at the side of", "by the side of", "to the side of"),
    ),
    FAR_FROM: ("far from", "far away from", "away from", "distant from"),
    ON_TOP_OF: ("on top of", "atop", "on", "upon"),
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
