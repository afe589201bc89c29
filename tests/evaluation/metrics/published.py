"""The published evaluators over one image's detections, written again from their rules: plain, slow and independent of the package.

A detection is (name, score, (x0, y0, x1, y1)), as the detector lists them: best score first.
"""

import math
import struct


def single(x):
    """A number rounded to float32: what the detectors' arrays hold."""
    return struct.unpack("f", struct.pack("f", x))[0]


def kept(detections, threshold):
    """The detectors compare their float32 scores with a float32 threshold."""
    return [found for found in detections if single(found[1]) > single(threshold)]


def middle(box):
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


# --- T2I-CompBench -----------------------------------------------------------------------------------------------------


def shown(width, height):
    """The size of the picture that UniDet sees: shorter side 479, unless the longer one would pass 480."""
    w, h = (479, math.floor(479 * height / width)) if width <= height else (math.floor(479 * width / height), 479)
    if h > 480:
        return math.floor(480 * w / h), 480
    if w > 480:
        return 480, math.floor(480 * h / w)
    return w, h


def overlap(a, b):
    across = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    both = across * down
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / either


def position(phrase, a, b):
    """The soft score of a relation's phrase, as it stands in the prompt."""
    (ax, ay), (bx, by) = middle(a), middle(b)
    dx, dy = bx - ax, by - ay
    if phrase in ("near", "next to", "on side of"):
        close = abs(dx) < 150 or abs(dy) < 150
        return 1 if close else 150 / max(abs(dx), abs(dy))
    ways = {
        "on the right of": dx < 0 and abs(dx) > abs(dy),
        "on the left of": dx > 0 and abs(dx) > abs(dy),
        "on the bottom of": dy < 0 and abs(dy) > abs(dx),
        "on the top of": dy > 0 and abs(dy) > abs(dx),
    }
    if not ways.get(phrase, False):
        return 0
    return 1 if overlap(a, b) < 0.1 else 0.1 / overlap(a, b)


def t2i(detections, size, first, phrase, second):
    """The score of an image: a quarter of each object's score and half of the position's, 0 below a half."""
    width, height = shown(*size)
    across, down = width / size[0], height / size[1]
    seen = [(n, s, (b[0] * across, b[1] * down, b[2] * across, b[3] * down)) for n, s, b in kept(detections, 0.1)]
    return _t2i([name for name, _, _ in seen], lambda names, name: names.index(name), seen, (first, phrase, second))


def t2i_of_the_authors(detections, size, first, phrase, second):
    """As `t2i`, with the InfSplign authors' table from names to boxes: parts of a label count, and later boxes replace earlier ones."""
    width, height = shown(*size)
    across, down = width / size[0], height / size[1]
    seen = [(n, s, (b[0] * across, b[1] * down, b[2] * across, b[3] * down)) for n, s, b in kept(detections, 0.1)]
    table = {}
    for number, (label, _, _) in enumerate(seen):
        separator = "," if "," in label else " and "
        table |= dict.fromkeys((part.strip() for part in label.split(separator)), number)
    return _t2i(table, lambda names, name: names[name], seen, (first, phrase, second))


def _t2i(names, find, seen, asked):
    first, phrase, second = ("person" if word in ("girl", "boy", "man", "woman") else word for word in asked)
    found = [seen[find(names, name)] if name in names else None for name in (first, second)]
    score = sum(0.25 * one[1] for one in found if one)
    if all(found):
        score += position(phrase, found[0][2], found[1][2]) / 2
    return 0 if score < 0.5 else score


# --- GenEval -----------------------------------------------------------------------------------------------------------


def geneval(detections, first, relation, second):
    """Whether the best box of A has the relation to the best box of B; every operation is rounded to float32."""
    best = {}
    for name, score, box in kept(detections, 0.3):
        if name not in best or single(score) >= single(best[name][0]):  # ascending order, turned round: the last of equal ones
            best[name] = score, tuple(single(side) for side in box)
    return first in best and second in best and relation in held(best[first][1], best[second][1])


def held(a, b):
    """The directions that box a has from box b."""
    parts, lengths = [], []
    for low, high in ((0, 2), (1, 3)):
        distance = single(single(single(a[low] + a[high]) / 2) - single(single(b[low] + b[high]) / 2))
        sides = single(abs(single(a[high] - a[low])) + abs(single(b[high] - b[low])))
        rest = max(single(abs(distance) - single(single(0.1) * sides)), 0.0)
        parts.append(math.copysign(rest, distance))
        lengths.append(distance)
    if all(abs(part) < single(1e-3) for part in parts):
        return set()
    length = single(math.sqrt(single(single(lengths[0] ** 2) + single(lengths[1] ** 2))))
    x, y = (single(part / length) for part in parts)
    return {name for name, holds in {"left of": x < -0.5, "right of": x > 0.5, "above": y < -0.5, "below": y > 0.5}.items() if holds}


# --- VISOR -------------------------------------------------------------------------------------------------------------


def visor(detections, first, relation, second):
    """(both are there, any pair of boxes has the relation)."""
    seen = kept(detections, 0.1)
    pairs = [(middle(a), middle(b)) for n, _, a in seen if n == first for m, _, b in seen if m == second]
    holds = {
        "left of": lambda a, b: a[0] - b[0] < 0,
        "right of": lambda a, b: a[0] - b[0] > 0,
        "above": lambda a, b: a[1] - b[1] < 0,
        "below": lambda a, b: a[1] - b[1] > 0,
    }[relation]
    return bool(pairs), any(holds(a, b) for a, b in pairs)
