"""Boxes: by hand, against counted pixels, and what must hold for any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.evaluation.metrics.boxes import centre, iou, offset, scaled, sides

corner = st.integers(-20, 20)


@st.composite
def boxes(draw):
    (x0, x1), (y0, y1) = (sorted(draw(st.tuples(corner, corner))) for _ in range(2))
    return float(x0), float(y0), float(x1), float(y1)


def drawn(box):
    mask = np.zeros((40, 40), bool)
    x0, y0, x1, y1 = (int(side) + 20 for side in box)
    mask[y0:y1, x0:x1] = True
    return mask


def test_by_hand():
    assert centre((0, 2, 10, 4)) == (5, 3)
    assert sides((0, 2, 10, 4)) == (10, 2)
    assert sides((10, 4, 0, 2)) == (0, 0)
    assert offset((0, 0, 2, 2), (10, 20, 12, 22)) == (10, 20)
    assert scaled((1, 2, 3, 4), 2, 10) == (2, 20, 6, 40)
    assert iou((0, 0, 4, 4), (2, 2, 6, 6)) == pytest.approx(4 / 28)


@given(boxes(), boxes())
def test_overlap_is_that_of_counted_pixels(one, other):
    first, second = drawn(one), drawn(other)
    either = (first | second).sum()
    assert iou(one, other) == pytest.approx((first & second).sum() / either if either else 0)


@given(boxes(), boxes(), st.floats(0.1, 10))
def test_overlap_is_symmetric_and_free_of_scale(one, other, factor):
    assert iou(one, other) == iou(other, one)
    assert iou(scaled(one, factor, 2 * factor), scaled(other, factor, 2 * factor)) == pytest.approx(iou(one, other))
    assert iou(one, one) == (1 if min(sides(one)) > 0 else 0)


@given(boxes(), boxes())
def test_offset_turns_round(one, other):
    assert offset(one, other) == tuple(-part for part in offset(other, one))
