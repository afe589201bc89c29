"""Where a noun is, by the table of nouns, is where it is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.shapes.nouns import BY_NAME, NAMES
from infsplign.shapes.world import SIZE, Placed, Scene, render, sample_scene


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [(20.0, 30.0, 38.0), (3.3, 51.7, 24.0)])
def test_box_is_that_of_the_drawn_pixels(name, place):
    placed = Placed(name, *place)
    changed = np.asarray(render(Scene((placed,), "", 7))) != np.asarray(render(Scene((), "", 7)))
    rows, columns = np.nonzero(changed.any(-1))
    drawn = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert drawn == pytest.approx(placed.box, abs=1.3)  # thin tips of a star fade within a pixel
    assert placed.centre == pytest.approx(((drawn[0] + drawn[2]) / 2, (drawn[1] + drawn[3]) / 2), abs=1.0)


@given(st.sampled_from(NAMES), st.floats(0, 60), st.floats(0, 60), st.floats(10, 36))
def test_box_moves_and_grows_with_the_object(name, x, y, size):
    unit = BY_NAME[name].extent
    assert Placed(name, 0, 0, 1).box == pytest.approx(unit)
    assert Placed(name, x, y, size).box == pytest.approx((x + size * unit[0], y + size * unit[1], x + size * unit[2], y + size * unit[3]))


def test_nouns_that_do_not_fill_their_square():
    assert BY_NAME["diamond"].extent == pytest.approx((0.14, 0, 0.86, 1))
    assert BY_NAME["fish"].extent == pytest.approx((0, 0.22, 1, 0.78))
    assert BY_NAME["moon"].extent[2] < 0.9


def test_scenes_are_placed_by_squares_inside_the_picture_and_apart():
    for number in range(200):
        scene = sample_scene(np.random.default_rng(number))
        for k, a in enumerate(scene.objects):
            assert a.x >= 1
            assert a.y >= 1
            assert max(a.x, a.y) + a.size <= SIZE - 1
            for b in scene.objects[:k]:
                gap = max(abs(p - q) for p, q in zip(a.middle, b.middle, strict=True))
                assert gap >= (a.size + b.size) / 2 + 1 - 1e-9
