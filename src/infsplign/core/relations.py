"""The relations between objects, as plain data: their names and directions, and the distances of near and far.

`core.spellings` reads them from text. `core.spatial` has the equation of each; `docs/relations.md` has the table.
"""

from dataclasses import dataclass
from numbers import Integral

CLOSE = 150 / 479
"""Near on an axis: the rule of T2I-CompBench, 150 of about 479 pixels on either axis."""
FAR = 0.5
"""Far on an axis: half the picture. What is near is not far, and the other way round."""
MERGED = 0.1
"""Centroids closer than this on both axes are one thing, not two that are near each other."""
HALF_CELL = 1 / 6
"""Half the side of the middle one of nine equal parts of the picture: places are thirds."""


ARITIES = {"side": 1, "centre": 1, "between": 3} | dict.fromkeys(("ordered", "near", "far", "on top", "inside", "larger", "smaller"), 2)
"""How many objects each equation of `core.spatial` takes."""
DIRECTED = ("ordered", "side")
"""Equations that measure along `direction`."""


@dataclass(frozen=True)
class Relation:
    """A relation between objects, or the place of one object.

    Attributes:
        name: canonical name, which `relation` returns for every spelling.
        direction: (x, y), x to the right, y down: where the second object lies as seen from the first, each part -1, 0 or 1; for a
            place, where the middle of the image lies as seen from the object. (0, 0) if the relation has no direction.
        inverse: name of the relation of B to A, if A has this one to B; None if there is no word for it.
        arity: number of objects: 1 for a place, 2, or 3 ("between").
        equation: which equation of `core.spatial` measures it.
        margin: factor of the spatial loss's margin; 1 if objects may be a whole image apart.

    Raises:
        ValueError: parts of `direction` other than -1, 0 and 1, none where the equation needs one, or a number of objects that the
            equation does not take.
    """

    name: str
    direction: tuple[float, float] = (0.0, 0.0)
    inverse: str | None = None
    arity: int = 2
    equation: str = "ordered"
    margin: float = 1.0

    def __post_init__(self) -> None:
        parts = tuple(self.direction) if hasattr(self.direction, "__len__") else ()
        if len(parts) != 2 or any(part not in (-1, 0, 1) for part in parts):
            raise ValueError(f"`direction` of {self.name!r} must be two of -1, 0 and 1, (x, y), got {self.direction!r}")
        if self.arity not in (1, 2, 3):
            raise ValueError(f"`arity` of {self.name!r} must be 1, 2 or 3, got {self.arity!r}")
        if self.arity != (wanted := ARITIES.get(self.equation, self.arity)):
            raise ValueError(f"`arity` of {self.name!r} must be {wanted} for the equation {self.equation!r}, got {self.arity!r}")
        if self.equation in DIRECTED and not any(parts):
            raise ValueError(f"`direction` of {self.name!r} must not be (0, 0) for the equation {self.equation!r}: it would always hold")

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes on which the relation orders its two objects: 0 is x, 1 is y, both for a diagonal, none for "near"."""
        return tuple(axis for axis in (0, 1) if self.arity == 2 and self.direction[axis])

    @property
    def axis(self) -> int | None:
        """The first of `axes`: 0 where the relation orders x, 1 where it orders y, None where it orders nothing."""
        return self.axes[0] if self.axes else None


@dataclass(frozen=True)
class SceneRelation:
    """Objects number `first` and `second` of a scene stand in `relation`: "`first` left of `second`".

    A place ("in the centre") has neither `second` nor `third`; "between" has both.

    Raises:
        TypeError: a number that is no index, or a relation in words: `Scene.of` reads these.
    """

    first: int
    relation: Relation
    second: int | None = None
    third: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("first", self.first), ("second", self.second), ("third", self.third)):
            if (value is not None or name == "first") and (isinstance(value, bool) or not isinstance(value, Integral)):
                raise TypeError(f"`{name}` must be the number of an object, got {value!r:.100}; phrases are read by `Scene.of`")
        if not isinstance(self.relation, Relation):
            raise TypeError(f"`relation` must be a `Relation`, got {self.relation!r:.100}; `infsplign.core.relation` finds one by its name")

    @property
    def objects(self) -> tuple[int, ...]:
        """The indices of its objects, in order."""
        return tuple(number for number in (self.first, self.second, self.third) if number is not None)


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
