"""The nouns of the shapes world: each has its own shape and colours.

Shapes are polygons and ellipses in the unit square (x right, y down). The same table draws the training scenes and
the detector's templates, so the two always agree.
"""

from dataclasses import dataclass
from functools import cached_property
from math import cos, pi, sin

from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """A filled polygon or ellipse. `points` are vertices, or for an ellipse its box `((x0, y0), (x1, y1))`."""

    colour: Colour
    points: tuple[Point, ...]
    ellipse: bool = False

    def draw(self, canvas: ImageDraw.ImageDraw, box: tuple[float, float, float], fill) -> None:
        x, y, size = box
        scaled = [(x + size * px, y + size * py) for px, py in self.points]
        (canvas.ellipse if self.ellipse else canvas.polygon)(scaled, fill=fill)


@dataclass(frozen=True)
class Noun:
    """One or two words, with the parts that draw it. The detector recognises it by `colours`."""

    name: str
    colours: tuple[Colour, ...]
    parts: tuple[Part, ...]

    @cached_property
    def extent(self) -> tuple[float, float, float, float]:
        """Returns the box (x0, y0, x1, y1) of all parts in the unit square; most nouns do not fill the square."""
        x, y = zip(*(point for part in self.parts for point in part.points), strict=True)
        return min(x), min(y), max(x), max(y)


def _disc(colour: Colour, x: float, y: float, rx: float, ry: float | None = None) -> Part:
    ry = rx if ry is None else ry
    return Part(colour, ((x - rx, y - ry), (x + rx, y + ry)), ellipse=True)


def _polygon(colour: Colour, *points: Point) -> Part:
    return Part(colour, points)


def _rectangle(colour: Colour, x0: float, y0: float, x1: float, y1: float) -> Part:
    return _polygon(colour, (x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _star(colour: Colour, points: int, inner: float, radius: float = 0.5, x: float = 0.5, y: float = 0.5) -> Part:
    corners = []
    for k in range(2 * points):
        r = radius if k % 2 == 0 else radius * inner
        angle = pi * k / points - pi / 2
        corners.append((x + r * cos(angle), y + r * sin(angle)))
    return Part(colour, tuple(corners))


def _heart(colour: Colour) -> Part:
    corners = []
    for k in range(48):
        t = 2 * pi * k / 48
        x = 16 * sin(t) ** 3
        y = 13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)
        corners.append((0.5 + x / 34, 0.46 - y / 32))
    return Part(colour, tuple(corners))


def _moon(colour: Colour) -> Part:
    outer = [(0.52 + 0.5 * cos(a), 0.5 + 0.5 * sin(a)) for a in (pi * (0.30 + 1.40 * k / 30) for k in range(31))]
    (x0, y0), (x1, y1) = outer[-1], outer[0]
    inner = []
    for k in range(31):  # the hollow side: an ellipse's arc from the last horn back to the first
        a = -pi / 2 - pi * k / 30
        inner.append(((x0 + x1) / 2 + 0.50 * cos(a), (y0 + y1) / 2 + (y1 - y0) / 2 * sin(-a) * -1))
    return Part(colour, tuple(outer + inner))


RED, BLUE, GREEN, YELLOW = (222, 38, 40), (44, 92, 230), (28, 160, 72), (252, 204, 30)
LIME, PINK, PURPLE, CYAN = (158, 214, 26), (255, 130, 184), (126, 58, 192), (64, 206, 244)
TEAL, BLACK, ORANGE, BROWN = (0, 122, 128), (36, 38, 46), (246, 128, 22), (132, 78, 40)
TAN, MAGENTA, NAVY, WHITE = (206, 152, 98), (204, 28, 196), (28, 34, 118), (250, 248, 242)

NOUNS: tuple[Noun, ...] = (
    Noun("circle", (RED,), (_disc(RED, 0.5, 0.5, 0.48),)),
    Noun("square", (BLUE,), (_rectangle(BLUE, 0.07, 0.07, 0.93, 0.93),)),
    Noun("triangle", (GREEN,), (_polygon(GREEN, (0.5, 0.04), (1.0, 0.94), (0.0, 0.94)),)),
    Noun("star", (YELLOW,), (_star(YELLOW, 5, 0.44, 0.54, 0.5, 0.54),)),
    Noun("star fruit", (LIME,), (_star(LIME, 6, 0.66, 0.5), _star((118, 172, 10), 6, 0.40, 0.22))),
    Noun("heart", (PINK,), (_heart(PINK),)),
    Noun("moon", (PURPLE,), (_moon(PURPLE),)),
    Noun(
        "cross",
        (TEAL,),
        (_rectangle(TEAL, 0.34, 0.02, 0.66, 0.98), _rectangle(TEAL, 0.02, 0.34, 0.98, 0.66)),
    ),
    Noun(
        "diamond",
        (CYAN,),
        (_polygon(CYAN, (0.5, 0.0), (0.86, 0.5), (0.5, 1.0), (0.14, 0.5)),),
    ),
    Noun(
        "traffic light",
        (BLACK,),
        (
            _rectangle(BLACK, 0.27, 0.0, 0.73, 1.0),
            _disc((236, 52, 44), 0.5, 0.19, 0.125),
            _disc((250, 200, 40), 0.5, 0.5, 0.125),
            _disc((60, 200, 84), 0.5, 0.81, 0.125),
        ),
    ),
    Noun(
        "traffic cone",
        (ORANGE,),
        (
            _polygon(ORANGE, (0.43, 0.0), (0.57, 0.0), (0.82, 0.82), (1.0, 0.82), (1.0, 1.0), (0.0, 1.0), (0.0, 0.82), (0.18, 0.82)),
            _polygon(WHITE, (0.345, 0.35), (0.655, 0.35), (0.70, 0.50), (0.30, 0.50)),
        ),
    ),
    Noun(
        "mushroom",
        (BROWN, TAN),
        (
            _rectangle(TAN, 0.33, 0.45, 0.67, 1.0),
            Part(BROWN, tuple((0.5 + 0.5 * cos(a), 0.55 + 0.53 * sin(a)) for a in (pi + pi * k / 24 for k in range(25)))),
        ),
    ),
    Noun(
        "flower",
        (MAGENTA,),
        (
            *(_disc(MAGENTA, 0.5 + 0.29 * sin(2 * pi * k / 5), 0.52 - 0.29 * cos(2 * pi * k / 5), 0.23) for k in range(5)),
            _disc((255, 214, 60), 0.5, 0.52, 0.14),
        ),
    ),
    Noun(
        "fish",
        (NAVY,),
        (_disc(NAVY, 0.40, 0.5, 0.40, 0.28), _polygon(NAVY, (0.66, 0.5), (1.0, 0.22), (1.0, 0.78)), _disc(WHITE, 0.20, 0.43, 0.055)),
    ),
)
NAMES: tuple[str, ...] = tuple(noun.name for noun in NOUNS)
BY_NAME: dict[str, Noun] = {noun.name: noun for noun in NOUNS}
