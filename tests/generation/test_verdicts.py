"""Verdicts on rendered scenes, whose truth is known."""

from infsplign.core.scenes import Scene
from infsplign.generation.verdicts import judged
from infsplign.shapes.world import Placed, render
from infsplign.shapes.world import Scene as Rendered

LEFT, RIGHT = Placed("circle", 8, 30, 32), Placed("square", 56, 30, 32)
BOTH = render(Rendered((LEFT, RIGHT), "", 1))
ALONE = render(Rendered((LEFT,), "", 2))


def test_a_single_image_is_one_line():
    verdicts = judged("shapes", Scene.of([("circle", "left of", "square")]), [0], {"unguided": [ALONE], "guided": [BOTH]})
    assert verdicts.lines() == ["circle left of square: unguided no (no square found), guided yes"]
    assert verdicts.notes("unguided") == ["\u2717 no square"]
    assert verdicts.notes("guided") == ["\u2713 as asked"]
    assert verdicts.to_dict() == {"circle left of square": {"unguided": [False], "guided": [True]}}


def test_several_images_are_counted():
    verdicts = judged("shapes", Scene.of([("Square", "left of", "circle")]), [3, 4], {"guided": [BOTH, ALONE]})
    assert verdicts.lines() == [
        "seed 3: Square left of circle: guided no",
        "seed 4: Square left of circle: guided no (no square found)",
        "Square left of circle: guided 0 of 2",
    ]
    assert verdicts.notes("guided")[0] == "\u2717 not as asked"


def test_every_relation_has_its_line():
    scene = Scene.of([("circle", "left of", "square"), ("circle", "above", "square")])
    lines = judged("shapes", scene, [0], {"guided": [BOTH]}).lines()
    assert lines == ["circle left of square: guided yes", "circle above square: guided no"]
    assert judged("shapes", scene, [0], {"guided": [BOTH]}).notes("guided") == ["\u2717 1 of 2 relations"]


def test_relations_beyond_the_four_directions_are_judged_by_boxes():
    asked = [("circle", "on the left side"), ("square", "in the centre"), ("circle", "inside", "square")]
    scene = Scene.of(asked)
    lines = judged("shapes", scene, [0], {"guided": [BOTH]}).lines()
    assert [line.rpartition(" ")[2] for line in lines] == ["yes", "no", "no"]


def test_what_cannot_be_judged_says_why():
    strange = judged("shapes", Scene.of([("zebra", "left of", "red square")]), [0], {"guided": [BOTH]})
    assert "'zebra' and 'red square' are no nouns" in strange.lines()[0]
    other = judged("owner/model", Scene.of([("circle", "left of", "square")]), [0], {"guided": [BOTH]})
    assert "'owner/model' is another model" in other.lines()[0]
    assert other.to_dict() == {"reason": other.reason}
