"""The best of several seeds: chosen by the loss of the first steps; and the costs of a row, on the shipped model."""

from dataclasses import replace

import pytest

from benchmarks import image_cost, starts
from infsplign.evaluation.prompts.world_prompts import prompts
from infsplign.shipped import PRESETS, load

GOOD, BAD = {"strict": True, "doubled": False}, {"strict": False, "doubled": True}
ROW = [BAD | {"losses": [0.0, 3.0, 3.0]}, GOOD | {"losses": [9.0, 1.0, 4.0]}, BAD | {"losses": [9.0, 2.0, 0.0]}]


def test_the_first_step_does_not_count():
    assert starts.best(ROW, (0, 1, 2), 2) is ROW[1]
    assert starts.best(ROW, (0, 2), 2) is ROW[2]
    assert starts.best(ROW, (0, 1, 2), 3) is ROW[2]  # the mean over steps 1 and 2: 3, 2.5, 1


def test_every_seed_costs_its_first_steps_beside_the_image(monkeypatch):
    """As `rank_seeds` does: it stops all of them, and the image is sampled from its beginning."""
    monkeypatch.setattr(starts, "SEEDS", 3)
    monkeypatch.setattr(starts, "STEPS", (2,))
    one, two, three = starts.table([ROW], image=1.2, step=0.05)
    assert (one["operations"], two["operations"], three["operations"]) == pytest.approx((1.2, 1.4, 1.5))
    assert one["strict"] == pytest.approx(100 / 3)
    assert two["strict"] == pytest.approx(200 / 3)  # of the pairs 01, 02 and 12 the first and the last choose image 1
    assert three["strict"] == 100


def test_on_the_shipped_model():
    preset, pipe = replace(PRESETS["shapes"], steps=2), load("shapes")
    pipe.set_progress_bar_config(disable=True)
    ((first, *others),) = starts.sampled(pipe, preset, prompts("tune", 1), "tune")
    assert len(others) == starts.SEEDS - 1
    assert len(first["losses"]) == 1  # of two steps the first half is guided
    costs = image_cost.row_costs(pipe, preset, "a star above a fish", preset.config)
    assert costs["plain"] < costs["watched"] < costs["guided"]
