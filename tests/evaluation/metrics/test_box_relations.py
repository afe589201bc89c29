"""Relations among boxes, against the rules of their boxes written out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.core.scenes import Scene
from infsplign.evaluation.metrics.box_relations import _painted, relations_hold

SIZE = (192, 96)
"""Twice as wide as high, so that a side that is taken for the other shows."""


@st.composite
def boxes(draw):
    """A box of at least seven cells a side."""
    x0, x1 = sorted(draw(st.lists(st.integers(0, 96), min_size=2, max_size=2).filter(lambda x: abs(x[1] - x[0]) > 6)))
    y0, y1 = sorted(draw(st.lists(st.integers(0, 96), min_size=2, max_size=2).filter(lambda x: abs(x[1] - x[0]) > 6)))
    return (2 * x0, y0, 2 * x1, y1)


def centre(box):
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


@pytest.mark.parametrize("size", [SIZE, (230, 110)], ids=["borders on cells", "borders between cells"])
@given(first=boxes(), second=boxes())
def test_directions_are_those_of_the_centres(size, first, second):
    asked = ("left of", "right of", "above", "below")
    found = relations_hold({"a": first, "b": second}, size, Scene.of([("a", asked[0], "b"), ("a", asked[2], "b")]))
    other = relations_hold({"a": first, "b": second}, size, Scene.of([("a", asked[1], "b"), ("a", asked[3], "b")]))
    (ax, ay), (bx, by) = centre(first), centre(second)
    assert found == [ax < bx, ay < by]  # neither way where the centres are the same
    assert other == [ax > bx, ay > by]


@pytest.mark.parametrize(
    ("box", "places"),
    [
        ((0, 0, 40, 96), ["on the left side"]),
        ((150, 0, 192, 96), ["on the right side"]),
        ((0, 0, 192, 20), ["at the top"]),
        ((0, 76, 192, 96), ["at the bottom"]),
        ((86, 43, 106, 53), ["in the centre"]),
    ],
)
def test_places_are_those_of_the_picture(box, places):
    every = ("on the left side", "on the right side", "at the top", "at the bottom", "in the centre")
    held = [place for place in every if relations_hold({"a": box}, SIZE, Scene.of([("a", place)])) == [True]]
    assert held == places


def test_what_is_missing_fails_alone():
    scene = Scene.of([("a", "left of", "b"), ("a", "left of", "c"), ("c", "above", "a")])
    assert relations_hold({"a": (0, 0, 20, 20), "b": (100, 0, 120, 20)}, SIZE, scene) == [True, False, False]


def test_a_box_of_no_width_counts_as_one_cell_where_it_is():
    """Also at the far borders, and where the box leaves the picture."""
    scene = Scene.of([("a", "left of", "b"), ("a", "above", "b")])
    assert relations_hold({"a": (10, 10, 10, 10), "b": (192, 96, 192, 96)}, SIZE, scene) == [True, True]
    assert relations_hold({"a": (192, 96, 192, 96), "b": (10, 10, 10, 10)}, SIZE, scene) == [False, False]
    assert relations_hold({"a": (-50, -50, 20, 20), "b": (180, 90, 500, 500)}, SIZE, scene) == [True, True]


def test_sizes_are_those_of_the_boxes():
    small, large = (90, 40, 102, 46), (10, 10, 180, 80)
    scene = Scene.of([("a", "smaller than", "b"), ("a", "inside", "b")])
    assert relations_hold({"a": small, "b": large}, SIZE, scene) == [True, True]
    assert relations_hold({"a": large, "b": small}, SIZE, scene) == [False, False]


@given(corners=st.tuples(st.integers(0, 95), st.integers(0, 95)), side=st.tuples(st.integers(1, 96), st.integers(1, 96)))
def test_cells_of_a_picture_of_96_pixels_are_its_pixels(corners, side):
    """In larger pictures the cells at a box's border hold the part that it covers."""
    x, y = corners
    width, height = min(side[0], 96 - x), min(side[1], 96 - y)
    pixels = np.zeros((96, 96))
    pixels[y : y + height, x : x + width] = 1.0
    np.testing.assert_array_equal(_painted((x, y, x + width, y + height), (96, 96)), pixels)
    large = np.zeros((480, 480))
    x0, y0, x1, y1 = (max(0, 5 * x - 2), max(0, 5 * y - 1), 5 * (x + width), 5 * (y + height) - 1)
    large[y0:y1, x0:x1] = 1.0
    if y1 - y0 >= 5:
        cells = large.reshape(96, 5, 96, 5).mean((1, 3))
        np.testing.assert_allclose(_painted((x0, y0, x1, y1), (480, 480)), cells, atol=1e-12)
