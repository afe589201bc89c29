"""Traces become arrays."""

import numpy as np
import pytest

from infsplign.calibration.readings import Readings
from tests.calibration.traces import traces


def test_arrays_have_a_place_for_each_step_layer_and_image():
    found, where = traces({"a": 1.0, "b": 0.5}, images=5, steps=10, settle=0.0)
    readings = Readings.of(found)
    assert readings.layers == ("a", "b")
    assert readings.between.shape == (10, 2, 5, 2)
    assert readings.gap.shape == readings.unity.shape == readings.mass.shape == (10, 2, 5)
    np.testing.assert_allclose(readings.between[-1, 0], where, atol=0.1)


def test_an_image_of_three_objects_has_three_pairs():
    found, _ = traces({"a": 1.0}, images=2, steps=3)
    for step in found[1]:
        step["layers"][0]["centroid"] = [[0.1, 0.1], [0.5, 0.1], [0.1, 0.9]]
    between = Readings.of(found).between
    assert between.shape == (3, 1, 4, 2)
    np.testing.assert_allclose(between[0, 0, 1:], [[0.4, 0.0], [0.0, 0.8], [-0.4, 0.8]])


def test_numbers_that_json_does_not_know_become_nan():
    found, _ = traces({"a": 1.0}, images=2, steps=3)
    found[0][0]["sigma"] = None
    found[0][0]["layers"][0]["unity"] = None
    readings = Readings.of(found)
    assert np.isnan(readings.sigma[0])
    assert np.isnan(readings.unity[0, 0, 0])


def test_a_part_of_the_sampling_without_a_step_is_the_nearest_one():
    readings = Readings.of(traces({"a": 1.0}, images=2, steps=2)[0])
    assert readings.part(1 / 6, 0.3).tolist() == [True, False]
    assert readings.part(0.8).tolist() == [False, True]


def test_a_part_has_the_step_at_its_start_and_not_the_one_at_its_end():
    readings = Readings.of(traces({"a": 1.0}, images=2, steps=4)[0])
    assert readings.part(0.25, 0.75).tolist() == [False, True, True, False]
    assert readings.part(0.25, 0.5).tolist() == [False, True, False, False]
    assert readings.part(0.75).tolist() == [False, False, False, True]


@pytest.mark.parametrize("broken", [lambda found: [], lambda found: [found[0], found[1][:2]], lambda found: [[], []]])
def test_traces_that_do_not_fit(broken):
    found, _ = traces({"a": 1.0}, images=2, steps=3)
    with pytest.raises(ValueError, match="`traces` must"):
        Readings.of(broken(found))
