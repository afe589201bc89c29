"""Choices from scores: layers near the best, a window after positions are decided, the least bound that keeps most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.calibration.choosing import LEAST, MOST, NEAR, BoundScore, choose_bound, choose_layers, choose_window, late, score_bound
from infsplign.calibration.readings import Readings
from infsplign.calibration.scoring import LayerScores, score_layers
from tests.calibration.traces import traces


def scores(early, separation):
    count = len(early)
    other = np.zeros(count)
    return LayerScores(np.array(early, float), other, np.zeros((3, count)), other, np.array(separation, float), other, 0.0)


@pytest.mark.parametrize(
    ("early", "separation", "chosen"),
    [
        ([0.87, 0.2, 0.0, 0.89], [0.5, 0.1, 0.1, 0.2], [0]),  # the last one reads as well, in maps that hardly differ
        ([0.9, 0.88, 0.95, 0.7, 0.94], [0.6, 0.3, 0.6, 0.6, 0.6], [0, 2, 4]),  # those near the best, in the order in which they run
        ([0.9, 0.9, 0.9, 0.9], [0.6, 0.6, 0.6, 0.6], [0, 1, 2]),  # of equal ones the earliest
        ([0.9, -0.9], [0.05, 1.0], []),
        ([LEAST, 0.0], [1.0, 1.0], [0]),  # no more than just enough
        ([], [], []),
    ],
)
def test_layers(early, separation, chosen):
    assert choose_layers(scores(early, separation)) == chosen


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), min_size=1, max_size=9))
def test_chosen_layers_are_near_the_best_and_in_order(layers):
    found = scores(*zip(*layers, strict=True))
    chosen = choose_layers(found)
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= MOST
    assert bool(chosen) == bool(found.reach.max() >= LEAST)
    assert all(found.reach[k] >= NEAR * found.reach.max() for k in chosen)
    assert not chosen or int(np.argmax(found.reach)) in chosen


def test_window_ends_after_positions_are_decided():
    stops = []
    for settle in (0.15, 0.7, 0.99):
        readings = Readings.of(traces({"good": 1.0}, settle=settle)[0])
        at, stop = choose_window(readings, score_layers(readings), [0])
        assert at <= settle
        assert max(0.5, at) <= stop <= 1.0
        stops.append(stop)
    assert stops == sorted(stops)
    assert stops[0] == 0.5 < stops[-1]


def test_bound_score_of_unguided_images_has_all_their_attention():
    readings = Readings.of(traces({"good": 1.0, "blind": 0.0}, unity=0.25)[0])
    found = score_bound(readings, readings, np.array([1.0, 0.0]))
    assert found.clear == 1.0
    assert found.whole == pytest.approx(0.75)
    assert found.apart == pytest.approx(0.8)
    assert found.holds == (late(readings.gap, readings, np.array([1.0, 0.0])) > 0).mean()
    assert found.score == pytest.approx(found.holds * 0.75 * 0.8)


def test_bound_score_falls_where_objects_lose_attention():
    unguided = Readings.of(traces({"good": 1.0})[0])
    weak = traces({"good": 1.0})[0]
    for trace in weak:
        for step in trace:
            step["layers"][0]["mass"] = [0.02, 0.02]
    found = score_bound(Readings.of(weak), unguided, np.array([1.0]))
    assert found.clear == pytest.approx(0.2)
    assert found.score < score_bound(unguided, unguided, np.array([1.0])).score


def test_weights_that_are_all_0_count_all_layers():
    readings = Readings.of(traces({"a": 1.0, "b": 1.0}, images=3)[0])
    np.testing.assert_allclose(late(readings.gap, readings, np.zeros(2)), late(readings.gap, readings, np.ones(2)))


def test_bound_of_the_best_score_or_the_least_one_near_it():
    def score(value, strict=None):
        return BoundScore(value, 1.0, 1.0, 1.0, strict)

    assert choose_bound({}) is None
    assert choose_bound({0.05: score(0.5), 0.1: score(0.9), 0.2: score(0.6)}) == 0.1
    assert choose_bound({0.05: score(0.895), 0.1: score(0.9)}) == 0.05
    assert choose_bound({0.05: score(0.9, strict=0.2), 0.1: score(0.1, strict=0.8)}) == 0.1
    assert choose_bound({0.05: score(0.0), 0.1: score(0.0)}) == 0.05


def test_a_bound_whose_images_have_attention_that_is_not_finite_is_not_taken():
    good, broken = BoundScore(0.5, 0.5, 0.5, 0.5), BoundScore(0.5, float("nan"), 0.5, 0.5)
    assert choose_bound({0.05: broken, 0.1: good}) == 0.1
    assert choose_bound({0.05: good, 0.1: broken}) == 0.05
    assert choose_bound({0.05: broken}) == 0.05


def test_attention_chooses_where_the_detector_finds_nothing_right():
    """A tie of zeros would take the least bound."""
    found = {bound: BoundScore(value, 1.0, 1.0, 1.0, strict=0.0) for bound, value in ((0.05, 0.5), (0.1, 0.9), (0.2, 0.6))}
    assert choose_bound(found) == 0.1
