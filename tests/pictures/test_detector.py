"""Peaks and boxes of the world's detector, without its weights."""

import pytest
import torch
from infsplign_models.world.detector import CELL, CLASSES, MALFORMED, Network, decode
from infsplign_models.world.scenes import SIZE

GRID = SIZE // CELL


def maps(*objects):
    """Logits and log distances in which each (name, cell x, cell y, logit, half side in pixels) is one peak."""
    logits, sides = torch.full((1, len(CLASSES), GRID, GRID), -9.0), torch.zeros(1, 4, GRID, GRID)
    for name, x, y, logit, half in objects:
        logits[0, CLASSES.index(name), y, x] = logit
        sides[0, :, y, x] = torch.tensor(float(half)).log()
    return logits, sides


def test_a_peak_is_a_box_about_the_middle_of_its_cell():
    ((name, score, box),) = decode(*maps(("cat", 10, 20, 2.0, 16)), min_score=0.4)[0]
    assert name == "cat"
    assert score == pytest.approx(float(torch.sigmoid(torch.tensor(2.0))))
    assert box == pytest.approx((42 - 16, 82 - 16, 42 + 16, 82 + 16), abs=1e-3)


def test_two_of_a_noun_are_two():
    found = decode(*maps(("cat", 5, 5, 2.0, 12), ("cat", 20, 20, 1.0, 12)), min_score=0.4)[0]
    assert [name for name, _, _ in found] == ["cat", "cat"]
    assert found[0][1] > found[1][1]


def test_of_two_names_for_one_thing_the_better_stays():
    found = decode(*maps(("cat", 10, 10, 1.0, 16), ("dog", 11, 10, 2.0, 16)), min_score=0.4)[0]
    assert [name for name, _, _ in found] == ["dog"]


def test_a_whole_drawing_beside_a_malformed_one():
    found = decode(*maps(("cat", 5, 5, 2.0, 10), (MALFORMED, 25, 25, 2.0, 10)), min_score=0.4)[0]
    assert {name for name, _, _ in found} == {"cat", MALFORMED}


def test_nothing_below_the_least_score():
    assert decode(*maps(("cat", 5, 5, -1.0, 10)), min_score=0.4) == [[]]


def test_the_network_keeps_a_quarter_of_the_side():
    logits, sides = Network().eval()(torch.zeros(2, 3, SIZE, SIZE))
    assert logits.shape == (2, len(CLASSES), GRID, GRID)
    assert sides.shape == (2, 4, GRID, GRID)
