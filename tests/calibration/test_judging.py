"""A detector's verdict on one image."""

import pytest
from PIL import Image

from infsplign.calibration.judging import Judge
from infsplign.calibration.prompts import prompt_of
from infsplign.detection import Detection
from tests.tiny_detectors import Fixed

IMAGE = Image.new("RGB", (100, 100))


def box(name, x, y, score=0.9):
    return Detection(name, score, (x, y, x + 10.0, y + 10.0))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([box("cat", 0, 0), box("dog", 50, 0)], (True, True, True, False)),
        ([box("cat", 50, 0), box("dog", 0, 0)], (True, False, False, False)),
        ([box("cat", 0, 0)], (False, False, False, False)),
        ([box("cat", 0, 0), box("dog", 50, 0), box("dog", 80, 0, score=0.2)], (True, True, False, True)),
        ([box("cat", 0, 0), box("dog", 50, 0, score=0.2)], (False, False, False, False)),
        ([box("cat", 0, 0), box("dog", 50, 0, score=0.5)], (True, True, True, False)),  # `least` itself is well drawn
        ([box("cat", 0, 0), box("dog", 50, 0, score=0.5 - 1e-9)], (True, True, True, False)),  # which it is in single precision
    ],
)
def test_left_of(found, verdict):
    judge = Judge(Fixed(*found), [prompt_of("a cat to the left of a dog", 0)], least=0.5)
    record = judge("line-0000_03", IMAGE)
    assert tuple(record[name] for name in ("both", "correct", "strict", "doubled")) == verdict


def test_relations_that_visor_does_not_know():
    judge = Judge(Fixed(box("cat", 0, 0), box("dog", 80, 80)), [prompt_of("a cat far from a dog", 0)], least=0.5)
    assert judge("line-0000_00", IMAGE)["strict"]
    near = Judge(Fixed(box("cat", 0, 0), box("dog", 5, 5)), [prompt_of("a cat far from a dog", 0)], least=0.5)
    assert not near("line-0000_00", IMAGE)["correct"]


def test_every_relation_of_a_prompt_is_judged():
    """Not the first one alone; and that of three objects, which has no pair."""
    prompts = [prompt_of("a cat to the left of a dog and above a cow", 0), prompt_of("a cat between a dog and a cow", 1)]
    boxes = box("cat", 40, 0), box("dog", 80, 0), box("cow", 0, 40)
    judge = Judge(Fixed(*boxes), prompts, least=0.5)
    assert judge("line-0000_00", IMAGE) == {"both": True, "correct": True, "strict": True, "doubled": False}
    assert not Judge(Fixed(*boxes[:2]), prompts, least=0.5)("line-0000_00", IMAGE)["both"]
    below = Judge(Fixed(*boxes[:2], box("cow", 40, 40, 0.9)), prompts, least=0.5)
    assert not Judge(Fixed(box("cat", 40, 80), *boxes[1:]), prompts, least=0.5)("line-0000_00", IMAGE)["correct"]
    assert not below("line-0001_00", IMAGE)["correct"]
    assert Judge(Fixed(box("cat", 40, 20), *boxes[1:]), prompts, least=0.5)("line-0001_00", IMAGE)["correct"]


@pytest.mark.parametrize("text", ["A Cat near a Dog", "A Cat to the left of a Dog and above a Cow"])
def test_capitals_of_a_prompt_do_not_matter(text):
    boxes = box("cat", 40, 40), box("dog", 60, 40), box("cow", 40, 80)
    found = boxes[:2] if "near" in text else boxes
    assert Judge(Fixed(*found), [prompt_of(text, 0)], least=0.5)("line-0000_00", IMAGE)["strict"]


@pytest.mark.parametrize("text", ["a cat to the left of a dog", "a cat far from a dog"])
def test_boxes_in_parts_of_the_image_are_refused(text):
    """Every pair of them is at the same place, in pixels."""
    found = Detection("cat", 0.9, (0.7, 0.4, 0.9, 0.6)), Detection("dog", 0.9, (0.1, 0.4, 0.3, 0.6))
    with pytest.raises(ValueError, match="expected boxes in pixels of the image of 100 x 100, got parts of it"):
        Judge(Fixed(*found), [prompt_of(text, 0)], least=0.5)("line-0000_00", IMAGE)
