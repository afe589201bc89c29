"""Relations that cannot all hold, found before anything is sampled.

Only certain consequences of a relation are used:

    order on x, on y    left of, above, ..., a diagonal on both; "on top of" is an order on y
    order of sizes      smaller than, larger than; "A inside B" makes A the smaller one
    bounds on x, on y   a place keeps a centroid within thirds of the picture

These cannot be drawn: a cycle in an order; an order against the bounds of its ends; two places of one object without a common point; a near
pair whose places are too far apart; a far pair whose places are too close; a pair that is both near (or one inside the other) and far. An
object that is before both others, or after both, on x and on y, is not between them.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, product

from infsplign.core.relations import BETWEEN, CLOSE, FAR, FAR_FROM, HALF_CELL, INSIDE, LARGER, NEAR, SMALLER, SceneRelation

Step = tuple[int, SceneRelation]
Order = dict[int, list[Step]]
"""For each object, the objects after it in the order, with the relation that says so."""
Bounds = tuple[float, float]


def contradiction(edges: Sequence[SceneRelation]) -> list[SceneRelation]:
    """Returns the smallest set of relations of the first contradiction found; empty when there is none."""
    orders = [_order(edges, axis) for axis in (0, 1)]
    return next(_all(edges, orders), [])


def _all(edges: Sequence[SceneRelation], orders: list[Order]) -> Iterator[list[SceneRelation]]:
    for order in (*orders, _sizes(edges)):
        yield from _shortest(filter(None, (_path(order, start, start) for start in order)))
    for axis, order in enumerate(orders):
        yield from _out_of_bounds(edges, order, axis)
    yield from _distances(edges)
    for edge in edges:
        if edge.relation == BETWEEN:
            yield from _outside(edge, orders)


def _order(edges: Iterable[SceneRelation], axis: int) -> Order:
    """Which object must lie before which on an axis: `order[a]` holds b where a's centroid is the smaller one."""
    order: Order = {}
    for edge in edges:
        if edge.second is not None and axis in edge.relation.axes:
            low, high = (edge.first, edge.second) if edge.relation.direction[axis] > 0 else (edge.second, edge.first)
            order.setdefault(low, []).append((high, edge))
    return order


def _sizes(edges: Iterable[SceneRelation]) -> Order:
    """Which object must be smaller than which."""
    order: Order = {}
    for edge in edges:
        if edge.second is not None and edge.relation in (SMALLER, INSIDE, LARGER):
            low, high = (edge.second, edge.first) if edge.relation == LARGER else (edge.first, edge.second)
            order.setdefault(low, []).append((high, edge))
    return order


def _path(order: Order, start: int, goal: int) -> list[SceneRelation]:
    """The fewest relations that lead from `start` to `goal`, at least one; empty when there is no way."""
    ways: list[tuple[int, list[SceneRelation]]] = [(start, [])]
    visited: set[int] = set()
    for node, way in ways:  # grows while it is read: breadth first
        for following, edge in order.get(node, []):
            if following == goal:
                return [*way, edge]
            if following not in visited:
                visited.add(following)
                ways.append((following, [*way, edge]))
    return []


def _shortest(found: Iterable[list[SceneRelation]]) -> Iterator[list[SceneRelation]]:
    if shortest := min(found, key=len, default=None):
        yield shortest


def _places(edges: Iterable[SceneRelation]) -> list[SceneRelation]:
    return [edge for edge in edges if edge.relation.arity == 1]


def bounds(edge: SceneRelation, axis: int) -> Bounds:
    """Within which part of the picture a place keeps its object's centroid."""
    third = 0.5 - HALF_CELL
    if edge.relation.equation == "centre":
        return third, 1 - third
    along = edge.relation.direction[axis]
    return (0.0, third) if along > 0 else (1 - third, 1.0) if along < 0 else (0.0, 1.0)


def _out_of_bounds(edges: Sequence[SceneRelation], order: Order, axis: int) -> Iterator[list[SceneRelation]]:
    """Places whose bounds an order, or the other place of the same object, leaves no room for."""
    found = []
    for low, high in product(_places(edges), repeat=2):
        if low is high or bounds(low, axis)[0] < bounds(high, axis)[1]:
            continue  # there is room for `low` before `high`
        way = _path(order, low.first, high.first)
        if low.first == high.first or way:
            found.append([low, *way, high])
    yield from _shortest(found)


def _distances(edges: Sequence[SceneRelation]) -> Iterator[list[SceneRelation]]:
    """Pairs that are near, or one inside the other, and far; pairs whose places leave no room for being near, or far."""
    pairs = [edge for edge in edges if edge.relation in (NEAR, FAR_FROM, INSIDE)]
    for one, other in combinations(pairs, 2):
        if set(one.objects) == set(other.objects) and (one.relation == FAR_FROM) != (other.relation == FAR_FROM):
            yield [one, other]
    for edge in pairs:
        for a, b in product(_places(edges), repeat=2):
            if (a.first, b.first) != (edge.first, edge.second):
                continue
            least, most = zip(*(_apart(bounds(a, axis), bounds(b, axis)) for axis in (0, 1)), strict=True)
            too_far = edge.relation == NEAR and (min(least) >= CLOSE or max(least) >= FAR)
            if too_far or (edge.relation == FAR_FROM and max(most) <= FAR):
                yield [a, edge, b]


def _apart(a: Bounds, b: Bounds) -> Bounds:
    """The least and the largest distance of two points within these bounds."""
    return max(0.0, a[0] - b[1], b[0] - a[1]), max(a[1] - b[0], b[1] - a[0])


def _outside(edge: SceneRelation, orders: list[Order]) -> Iterator[list[SceneRelation]]:
    """"Between" for an object that lies on the same side of both others on x and on y alike."""
    ways = []
    for order in orders:
        before = [_path(order, edge.first, anchor) for anchor in edge.objects[1:]]
        behind = [_path(order, anchor, edge.first) for anchor in edge.objects[1:]]
        ways.append(before if all(before) else behind if all(behind) else [])
    if all(ways):
        yield list(dict.fromkeys([edge, *(step for two in ways for way in two for step in way)]))
