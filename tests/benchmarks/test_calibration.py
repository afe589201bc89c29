"""The sweep by truth: layers are correlated with what the detector finds in the images."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks.calibration import drawn_gap, page, rank_correlation, truth
from infsplign.calibration.prompts import built_in
from infsplign.calibration.readings import Readings
from infsplign.detection import Detection
from tests.calibration.traces import traces


def drawn(*found):
    return SimpleNamespace(detect=lambda images: [list(found)], min_score=0.5)


def box(name, x, y, score=0.9):
    return Detection(name, score, (x, y, x + 10.0, y + 10.0))


def test_gap_of_two_objects_that_are_there_once():
    prompt, image = built_in("shapes", 1)[0], Image.new("RGB", (100, 50))
    first, second = prompt.first, prompt.second
    assert drawn_gap(image, prompt, drawn(box(first, 0, 0), box(second, 50, 10))) == pytest.approx((0.5, 0.2))
    assert drawn_gap(image, prompt, drawn(box(first, 0, 0))) is None
    assert drawn_gap(image, prompt, drawn(box(first, 0, 0), box(second, 50, 10), box(second, 70, 10))) is None
    assert drawn_gap(image, prompt, drawn(box(first, 0, 0), box(second, 50, 10, score=0.1))) is None


def test_layers_that_read_are_told_from_those_that_do_not(tmp_path, monkeypatch):
    asked, skills = built_in("shapes", 30), {"good": 1.0, "blind": 0.0}
    made, where = traces(skills, images=30)
    for number, prompt in enumerate(asked):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{prompt.id}_00.png")
    monkeypatch.setattr("benchmarks.calibration.drawn_gap", lambda image, *_: tuple(where[image.getpixel((0, 0))[0]]))
    found = SimpleNamespace(readings=Readings.of(made), images=1)
    (good, blind), told = truth(found, tmp_path, asked, None)
    assert told == 30
    assert good > 0.95
    assert abs(blind) < 0.5


def test_ranks():
    assert rank_correlation([0.1, 0.5, 0.9], [3, 4, 100]) == 1.0
    assert rank_correlation(np.array([3.0, 2.0, 1.0]), [1, 2, 3]) == -1.0


def test_page():
    quality = {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in ("OA", "cond", "uncond", "strict", "doubled")}
    facts = {
        "model": "shapes", "commit": "abc", "split": "tune", "prompts": 2, "images": 1,
        "layers": ["a"], "stop": 0.5, "bound": 0.1, "cost": None,
        "spearman": 0.9, "told_by": 20, "truth": {"a": 0.8}, "early": {"a": 0.7}, "quality": {"calibrated": quality},
    }  # fmt: skip
    text = page([facts])
    assert "| `shapes` | 1 | 0.90 | 20 | `a` | to 50% | 0.1 | not counted |" in text
    assert "| `shapes` | `a` | 0.80 | 0.70 |" in text
    assert "| `shapes` | calibrated | tune, 2 x 1 | 50.0 [40.0, 60.0]" in text
