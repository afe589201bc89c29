"""The shapes world's detector behind the common protocol."""

import pytest
from infsplign_models.world import detector as pictures

from infsplign.detection import Detection
from infsplign.evaluation.detectors import KINDS, load_detector
from infsplign.shapes import detector as shapes
from infsplign.shapes.world import Placed, Scene, render


def test_finds_what_the_detector_finds_whatever_is_asked_for():
    picture = render(Scene((Placed("star", 5, 5, 30), Placed("moon", 55, 50, 30)), "", 0))
    found, again = load_detector("world", "shapes", threshold=0.5).detect([picture, picture], [["star", "moon"], ["heart"]])
    assert found == again == [Detection(blob.name, blob.score, blob.box) for blob in shapes.detect(picture)]
    assert {d.name for d in found} == {"star", "moon"}


@pytest.mark.parametrize(("name", "least"), [("shapes", 0.0), ("pictures", pictures.SEEN)])
def test_settings_tell_the_score_above_which_anything_is_found(name, least):
    assert load_detector("world", name, threshold=0.0).settings()["threshold"] == least


def test_settings_change_with_the_source(monkeypatch):
    from infsplign.evaluation.detectors import world

    before = world.WorldDetector("shapes").settings()
    monkeypatch.setattr(world, "sources", lambda *modules: "another")
    assert world.WorldDetector("shapes").settings() == {**before, "weights": "another"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "yolo", "threshold": 0.1}, f"must be one of {', '.join(KINDS)}, got 'yolo'"),
        ({"kind": "owlvit", "threshold": 1.0}, "`threshold` must lie in"),
        ({"kind": "owlvit", "threshold": float("nan")}, "`threshold` must lie in"),
        ({"kind": "world", "model": "x", "threshold": 0.1}, "must be one of shapes, pictures, got 'x'"),
        ({"kind": "world", "revision": "main", "threshold": 0.1}, "has no revision, got 'main'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_detector(**arguments)
