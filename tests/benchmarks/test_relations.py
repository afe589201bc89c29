"""Pictures are judged by the relations' own equations."""

import json
from types import SimpleNamespace

import pytest

from benchmarks.relation_pictures import asked as asked_of
from benchmarks.relations import judged, kept, measured_by, prompts
from infsplign.core.spellings import RELATIONS, relation
from infsplign.detection import Detection
from infsplign.engine.config import PAPER
from infsplign.evaluation import fingerprint
from infsplign.shipped import world

SIZE = (96, 96)
NOUNS = ("star", "moon", "fish", "apple", "hot dog")


def seen(name, x, y, half=8, score=0.9):
    return Detection(name, score, (x - half, y - half, x + half, y + half))


@pytest.mark.parametrize(
    ("asked", "found", "right"),
    [
        (("star", "left of", "moon"), [seen("star", 20, 50), seen("moon", 70, 50)], True),
        (("star", "left of", "moon"), [seen("star", 70, 50), seen("moon", 20, 50)], False),
        (("star", "left of", "moon"), [seen("star", 20, 50), seen("star", 80, 50, score=0.95), seen("moon", 50, 50)], False),
        (("star", "near", "moon"), [seen("star", 40, 50), seen("moon", 60, 50)], True),
        (("star", "near", "moon"), [seen("star", 10, 10), seen("moon", 85, 85)], False),
        (("star", "far from", "moon"), [seen("star", 10, 10), seen("moon", 85, 85)], True),
        (("star", "inside", "moon"), [seen("star", 48, 48, half=5), seen("moon", 48, 48, half=30)], True),
        (("star", "inside", "moon"), [seen("star", 48, 48, half=30), seen("moon", 48, 48, half=5)], False),
        (("star", "larger than", "moon"), [seen("star", 20, 50, half=20), seen("moon", 70, 50, half=5)], True),
        (("star", "between", ("moon", "fish")), [seen("moon", 10, 50), seen("star", 48, 50), seen("fish", 85, 50)], True),
        (("star", "in the centre"), [seen("star", 48, 48)], True),
        (("star", "in the centre"), [seen("star", 10, 48)], False),
    ],
)
def test_boxes_are_held_to_the_equation(asked, found, right):
    assert judged(found, SIZE, [asked]) == (True, right)


def test_without_one_of_the_objects_nothing_holds():
    assert judged([seen("star", 20, 50)], SIZE, [("star", "left of", "moon")]) == (False, False)


def test_each_relation_has_prompts_of_its_own_that_do_not_change_with_their_number():
    for asked in RELATIONS:
        many = prompts(asked, 6, NOUNS)
        assert many[:3] == prompts(asked, 3, NOUNS)
        assert len({seed for *_, seed in many}) == 6
    assert prompts(relation("left of"), 4, NOUNS) != prompts(relation("right of"), 4, NOUNS)
    assert all("hot dog" not in text for text, *_ in prompts(relation("near"), 9, NOUNS))


def test_prompts_have_the_article_of_each_noun():
    assert asked_of(relation("between"), ("apple", "moon", "orange"))[0] == "an apple between a moon and an orange"
    assert asked_of(relation("in the centre"), ("apple", "moon", "orange"))[0] == "an apple in the centre"


@pytest.mark.parametrize("change", [{"steps": 9}, {"source": "another"}, {"model": "another"}])
def test_what_decides_the_figures_is_kept_with_them(change, monkeypatch):
    drawn, told = world("shapes"), {"model": "a", "source": "b", "steps": 8}
    samplers = [SimpleNamespace(settings=lambda told=told: told) for told in (told, told | change)]
    assert measured_by(samplers[0], PAPER, drawn) != measured_by(samplers[1], PAPER, drawn)
    before = measured_by(samplers[0], PAPER, drawn)
    monkeypatch.setattr(fingerprint, "sources", lambda *parts: "another")
    assert measured_by(samplers[0], PAPER, drawn) != before


def test_what_was_measured_by_other_options_is_measured_again(tmp_path):
    path, found = tmp_path / "relations.json", {"left of": {"unguided": {"images": 12}}}
    assert kept(path, {"options": (0.1,)}) == {}
    path.write_text(json.dumps({"by": {"options": [0.1]}, "relations": found}))
    assert kept(path, {"options": (0.1,)}) == found
    assert kept(path, {"options": (0.15,)}) == {}
    path.write_text(json.dumps(found))  # as this command wrote it before
    assert kept(path, {"options": (0.1,)}) == {}
