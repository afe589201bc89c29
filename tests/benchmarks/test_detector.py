"""The world's detector on pictures with known truth, and the counting of `benchmarks.detector`."""

import numpy as np
import pytest

from benchmarks.detector import Tally, compare, decoder, measure, table
from infsplign.shapes.detector import Detection
from infsplign.shapes.nouns import NAMES
from infsplign.shapes.world import Placed, Scene


def compared(*blobs):
    scene = Scene((Placed("circle", 10, 10, 30), Placed("square", 50, 50, 20)), "", 0)
    tallies = {name: Tally() for name in NAMES}
    extra = compare(scene, [Detection(name, score, (x - 5, y - 5, x + 5, y + 5), 100) for name, score, x, y in blobs], tallies)
    return tallies, extra


def test_accurate_on_rendered_scenes():
    results = measure(150, seed=1)
    every = results["all"]
    assert every["objects"] > 250
    assert every["precision"] >= 0.99
    assert every["recall"] >= 0.99
    assert every["centre_error_mean"] < 1
    assert every["centre_error_p99"] < 3
    assert results["scenes_seen_exactly"] >= 147
    assert "| all | " in table(results)


def test_counts_a_match_with_its_distance():
    tallies, extra = compared(("circle", 0.9, 28, 29), ("square", 0.9, 60, 60))
    assert extra == 0
    assert tallies["circle"].errors == [pytest.approx(5.0)]
    assert (tallies["square"].matched, tallies["square"].errors) == (1, [0.0])


def test_counts_misses_and_extras():
    tallies, extra = compared(("circle", 0.5, 25, 25), ("square", 0.9, 10, 60), ("moon", 0.9, 80, 80), ("moon", 0.1, 80, 20))
    assert extra == 4
    assert tallies["circle"].summary()["recall"] == 0
    assert tallies["circle"].summary()["precision"] is None  # below the threshold, so not detected
    assert tallies["square"].summary()["precision"] == 0  # elsewhere than where it was drawn
    assert (tallies["moon"].summary()["detected"], tallies["moon"].extra_blobs) == (1, 2)


def test_one_of_two_detections_matches():
    tallies, extra = compared(("circle", 0.7, 25, 26), ("circle", 0.9, 30, 30), ("square", 0.9, 60, 60))
    assert extra == 1
    assert (tallies["circle"].matched, tallies["circle"].detected) == (1, 2)
    assert np.isclose(tallies["circle"].errors, 1.0).all()


def test_through_the_autoencoder_the_same_scenes_are_counted():
    plain, decoded = (measure(12, seed=1, through=through) for through in (None, decoder()))
    assert decoded["all"]["objects"] == plain["all"]["objects"]
    assert decoded["all"]["recall"] > 0.8
    assert decoded["all"]["centre_error_mean"] != plain["all"]["centre_error_mean"]
