"""The equations of `docs/relations.md` as plain numbers, for one picture: written from the table, independent of core."""

import math

from tests.core.published import statistics

MIRRORED = {"left": "right", "right": "left"}
FLIPPED = {"above": "below", "below": "above", "upper": "lower", "lower": "upper", "top": "bottom", "bottom": "top"}


def sharp(one_map):
    """Centroid and extent of a map `[h][w]` raised to the fourth power."""
    _, c, v = statistics([[a**4 for a in row] for row in one_map])
    return c, math.sqrt(v + 1e-4)


def gap(name, maps):
    """The gap of the relation called `name` between the first, second and third of `maps`."""
    if name in _ORDERED:
        (ax, ay), (bx, by) = (statistics(one)[1] for one in maps[:2])
        sides = {"left": bx - ax, "right": ax - bx, "above": by - ay, "below": ay - by, "upper": by - ay, "lower": ay - by}
        return min(sides[word] for word in name.split() if word in sides)
    (ca, ea), (cb, eb), (cc, _) = (sharp(one) for one in maps)
    (ax, ay), (bx, by) = ca, cb
    if name in _PLACES:
        inward = {"left": 1 / 3 - ax, "right": ax - 2 / 3, "top": 1 / 3 - ay, "bottom": ay - 2 / 3,
                  "centre": min(ax - 1 / 3, 2 / 3 - ax, ay - 1 / 3, 2 / 3 - ay)}  # fmt: skip
        return min(inward[word] for word in name.split() if word in inward)
    dx, dy, reach = abs(bx - ax), abs(by - ay), ea + eb
    middle = ((bx + cc[0]) / 2, (by + cc[1]) / 2)
    return {
        "near": min(150 / 479 - min(dx, dy), 0.5 - max(dx, dy), max(dx, dy) - 0.1),
        "far from": max(dx, dy) - 0.5,
        "on top of": min(by - ay - reach / 4, 1.5 * reach - (by - ay), reach / 2 - dx),
        "inside": eb - ea - math.dist(ca, cb),
        "between": math.dist(cb, cc) / 3 - math.dist(ca, middle),
        "larger than": ea - eb,
        "smaller than": eb - ea,
    }[name]


def mirrored(name):
    """The relation that holds in the picture seen in a mirror."""
    return " ".join(MIRRORED.get(word, word) for word in name.split())


def flipped(name):
    """The relation that holds in the picture upside down; None where there is no word for it."""
    return None if name == "on top of" else " ".join(FLIPPED.get(word, word) for word in name.split())


_ORDERED = {"left of", "right of", "above", "below"} | {f"{v} {h} of" for v in ("upper", "lower") for h in ("left", "right")}
_PLACES = {"in the centre", "on the left side", "on the right side", "at the top", "at the bottom"} | {
    f"in the {v} {h} corner" for v in ("top", "bottom") for h in ("left", "right")
}
