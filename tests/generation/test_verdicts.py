"""Verdicts on rendered scenes, whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from infsplign.core.scenes import Scene
from infsplign.core.spellings import relation
from infsplign.detection import Detection
from infsplign.evaluation.detectors.protocol import ImageDetections
from infsplign.evaluation.metrics.strict import fidelity
from infsplign.evaluation.metrics.visor import judge
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS
from infsplign.evaluation.scoring.world_evaluation import inspect_image
from infsplign.generation.verdicts import _miscounted, judged
from infsplign.shapes.detector import MIN_SCORE, detect
from infsplign.shapes.world import Placed, render, sample_scene
from infsplign.shapes.world import Scene as Rendered
from infsplign.shipped.worlds import world

LEFT, RIGHT = Placed("circle", 8, 30, 32), Placed("square", 56, 30, 32)
BOTH = render(Rendered((LEFT, RIGHT), "", 1))
ALONE = render(Rendered((LEFT,), "", 2))


def test_a_single_image_is_one_line_a_method():
    verdicts = judged("shapes", Scene.of([("circle", "left of", "square")]), [0], {"unguided": [ALONE], "guided": [BOTH]})
    assert verdicts.lines() == ["unguided: no square", "guided: as asked"]
    assert verdicts.notes("unguided") == ["\u2717 no square"]
    assert verdicts.notes("guided") == ["\u2713 as asked"]
    assert verdicts.to_dict() == {
        "relations": {"circle left of square": {"unguided": [False], "guided": [True]}},
        "strict": {"unguided": [False], "guided": [True]},
        "wrong": {"unguided": [["no square"]], "guided": [[]]},
    }


def test_several_images_are_counted():
    verdicts = judged("shapes", Scene.of([("Square", "left of", "circle")]), [3, 4], {"guided": [BOTH, ALONE]})
    assert verdicts.lines() == [
        "seed 3: guided: not Square left of circle",
        "seed 4: guided: no square",
        "Square left of circle: guided 0 of 2",
        "exactly as asked: guided 0 of 2",
    ]


def test_a_verdict_says_what_is_wrong():
    scene, twice = Scene.of([("circle", "left of", "square")]), Placed("circle", 8, 66, 26)
    drawn = {
        "two circles": (LEFT, RIGHT, twice),
        "a fish too": (LEFT, RIGHT, Placed("fish", 8, 66, 28)),
        "two circles, no square": (LEFT, twice),
        "three circles": (LEFT, RIGHT, twice, Placed("circle", 58, 66, 26)),
    }
    for wrong, placed in drawn.items():
        found = judged("shapes", scene, [0], {"guided": [render(Rendered(placed, "", 1))]})
        assert found.lines() == [f"guided: {wrong}"]
        assert found.to_dict()["strict"] == {"guided": [False]}
        assert found.to_dict()["relations"] == {"circle left of square": {"guided": ["no square" not in wrong]}}


def test_what_the_prompt_names_beside_a_relation_was_asked_for():
    scene, images = Scene.of([("circle", "on the left side")]), {"guided": [BOTH]}
    for prompt, told in {
        "a circle and two  Squares": "as asked",
        "a circle, a moon and two  Squares": "no moon",
        "a circle and a squared paper": "a square too",
        "a circle but no square": "a square too",
        "a circle without a moon, or squares": "a square too",
        "a square moon, a circle": "no moon, a square too",
        "a circle, full moon, a square": "as asked",
        "a circle, a moon-free sky, a square": "as asked",
    }.items():
        assert judged("shapes", scene, [0], images, prompt=prompt).lines() == [f"guided: {told}"]


@pytest.mark.parametrize("prompt", ["a moon, a circle left of a square", "a circle left of a square", "a circle left of a square, no moon"])
def test_the_page_s_strict_is_that_of_the_score(prompt):
    asked = BenchmarkPrompt("0", prompt, "circle", "left of", "square")
    moon = Placed("moon", 8, 66, 28)
    for placed in ((LEFT, RIGHT), (LEFT, RIGHT, moon), (LEFT, RIGHT, moon, replace(moon, x=56)), (LEFT, moon), (RIGHT, moon)):
        image = render(Rendered(placed, "", 1))
        found = judged("shapes", Scene.of([("circle", "left of", "square")]), [0], {"guided": [image]}, prompt=prompt)
        strict = found.to_dict()["strict"]["guided"][0]
        assert strict == inspect_image(image, asked, world("shapes"))["strict"]
        judge = BENCHMARKS["shapes"].judge
        assert strict == judge(ImageDetections(image.size, detect(image)), asked, BENCHMARKS["shapes"].threshold).strict
        assert strict == (placed[:2] == (LEFT, RIGHT) and (len(placed) > 2) == prompt.startswith("a moon"))


def test_a_malformed_drawing_is_something_malformed():
    blobs = [Detection("circle", 1.0, (0, 0, 9, 9)), Detection("malformed", 0.6, (20, 0, 29, 9))]
    assert _miscounted(blobs, ("circle", "square"), 0.5) == ["no square", "one malformed too"]


def test_strict_is_what_the_evaluation_counts():
    scene = Scene.of([("circle", "left of", "square")])
    rng = np.random.default_rng(0)
    for _ in range(12):
        image = render(sample_scene(rng))
        strict = judged("shapes", scene, [0], {"guided": [image]}).to_dict()["strict"]["guided"][0]
        blobs = detect(image)
        correct = judge([blob for blob in blobs if blob.score >= MIN_SCORE], "circle", relation("left of"), "square").correct
        assert strict == fidelity(blobs, ("circle", "square"), correct=correct, min_score=MIN_SCORE).strict


def test_every_relation_counts():
    scene = Scene.of([("circle", "left of", "square"), ("circle", "above", "square")])
    verdicts = judged("shapes", scene, [0, 1], {"guided": [BOTH, BOTH]})
    assert verdicts.lines()[2:] == [
        "circle left of square: guided 2 of 2",
        "circle above square: guided 0 of 2",
        "exactly as asked: guided 0 of 2",
    ]
    assert verdicts.notes("guided")[0] == "\u2717 not circle above square"


def test_relations_beyond_the_four_directions_are_judged_by_boxes():
    asked = [("circle", "on the left side"), ("square", "in the centre"), ("circle", "inside", "square")]
    scene = Scene.of(asked)
    found = judged("shapes", scene, [0], {"guided": [BOTH]}).to_dict()["relations"]
    assert [held["guided"] for held in found.values()] == [[True], [False], [False]]


def test_what_cannot_be_judged_says_why():
    strange = judged("shapes", Scene.of([("zebra", "left of", "red square")]), [0], {"guided": [BOTH]})
    assert "'zebra' and 'red square' are no nouns" in strange.lines()[0]
    other = judged("owner/model", Scene.of([("circle", "left of", "square")]), [0], {"guided": [BOTH]})
    assert "'owner/model' is another model" in other.lines()[0]
    assert other.to_dict() == {"reason": other.reason}
