"""Scores of layers: what reads positions is found, whatever else there is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from infsplign.calibration.readings import Readings
from infsplign.calibration.scoring import consensus, correlation, decided, score_layers, uniform
from infsplign.core.statistics import variance
from tests.calibration.traces import traces

SKILLS = {"good": 1.0, "fair": 0.7, "blind": 0.0, "poor": 0.35, "blind too": 0.0}


def test_layers_are_ranked_by_how_well_they_read():
    found, where = traces(SKILLS)
    readings = Readings.of(found)
    scores = score_layers(readings)
    order = [readings.layers[k] for k in np.argsort(-scores.early)]
    assert order[:3] == ["good", "fair", "poor"]
    assert scores.early[0] > 0.95
    assert abs(scores.early[2]) < 0.4
    truth = [correlation(readings.between[readings.part(0.8)].mean(axis=0)[k], where) for k in range(5)]
    assert np.argmax(scores.weight) == np.argmax(truth) == 0
    assert scores.weight.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (3, 5), (1, 4), (1, 1)])
def test_the_spread_of_a_map_that_is_the_same_everywhere_is_1(height, width):
    assert uniform(height, width) == pytest.approx(float(variance(np.ones((1, height, width)))[0]) or 1.0)


def test_spread_is_that_of_the_object_whose_map_tells_least():
    found, _ = traces(SKILLS)
    for trace in found:
        for step in trace:
            step["layers"][0]["variance"] = [0.01, uniform(8, 8)]
    spread = score_layers(Readings.of(found)).spread
    assert spread[0] == pytest.approx(1.0)
    assert spread[1:] == pytest.approx(0.02 / uniform(8, 8))


def test_decided_is_where_objects_reach_their_places():
    for settle in (0.2, 0.5):
        readings = Readings.of(traces(SKILLS, settle=settle)[0])
        at = decided(readings, score_layers(readings), [0])
        assert settle / 3 < at <= settle


def test_decided_at_the_first_step_where_nothing_changes():
    readings = Readings.of(traces(SKILLS, settle=0.0)[0])
    assert decided(readings, score_layers(readings), [0]) == 0.0


@pytest.mark.parametrize(("low", "first"), [([], 0), ([0], 1), ([2, 7], 8), ([19], 19), ([0, 18, 19], 19)])
def test_decided_is_the_first_step_from_which_on_layers_agree(low, first):
    """What falls again later is not decided yet; where the last step falls too, the last one is all there is."""
    readings = Readings.of(traces({"a": 1.0}, images=2, steps=20)[0])
    agreement = np.where(np.isin(np.arange(20), low), 0.1, 0.9)[:, None]
    assert decided(readings, replace(score_layers(readings), agreement=agreement), [0]) == first / 20


@given(arrays.arrays(float, (7, 2), elements=st.floats(-1, 1)), st.floats(0.1, 10), st.floats(-5, 5))
def test_correlation_does_not_depend_on_scale_and_shift(values, scale, shift):
    assert abs(correlation(values, values * scale + shift) - (1.0 if np.std(values) > 1e-3 else correlation(values, values))) < 1e-3
    assert -1.0 - 1e-9 <= correlation(values, np.roll(values, 1)) <= 1.0 + 1e-9


@pytest.mark.parametrize("value", [np.zeros((3, 2)), np.full((3, 2), np.nan)])
def test_correlation_with_what_does_not_vary_is_0(value):
    assert correlation(value, np.arange(6.0).reshape(3, 2)) == 0.0


@settings(max_examples=50)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_consensus_does_not_depend_on_the_scale_of_a_layer(seed, scale):
    late = np.random.default_rng(seed).normal(size=(4, 9, 2))
    other = late * np.array([1.0, scale, 1.0, 1.0])[:, None, None]
    for a, b in zip(consensus(late), consensus(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


def test_consensus_of_layers_that_do_not_vary_or_are_broken():
    where, weight = consensus(np.zeros((2, 3, 2)))
    assert (where == 0).all()
    assert (weight == 0).all()
    late = np.random.default_rng(0).normal(size=(3, 9, 2))
    late[1] = np.nan
    where, weight = consensus(late)
    assert weight[1] == 0
    assert np.isfinite(where).all()


def test_blind_layers_alone_have_low_scores_where_they_change_with_the_noise():
    rng = np.random.default_rng(0)
    found, _ = traces({"a": 0.0, "b": 0.0})
    for trace in found:  # each step sees something else
        for step in trace:
            for layer in step["layers"]:
                layer["centroid"] = rng.uniform(size=(2, 2)).tolist()
    assert np.abs(score_layers(Readings.of(found)).early).max() < 0.5
