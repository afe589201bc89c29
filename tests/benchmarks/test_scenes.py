"""Scenes of several objects: prompts that the parser reads as they were meant, and their verdicts."""

import pytest

from benchmarks.scenes import chain, inspect, measures, text
from infsplign.detection import Detection
from infsplign.prompts import parse_prompt
from infsplign.shipped import World

NOUNS = ("star", "moon", "fish", "apple", "hot dog", "heart")
EDGES = (("star", "to the left of", "moon"), ("fish", "above", "moon"))


@pytest.mark.parametrize("count", [3, 4])
def test_a_prompt_is_read_as_its_chain(count):
    for number in range(20):
        edges = chain(NOUNS, count, number)
        scene = parse_prompt(text(edges))
        assert len(scene.objects) == count
        assert {(scene.objects[e.first], scene.objects[e.second]) for e in scene.relations} == {(a, b) for a, _, b in edges}
        assert not any("hot dog" in edge for edge in edges)


@pytest.mark.parametrize(
    ("found", "each", "strict", "doubled"),
    [
        ([("star", 10, 50), ("moon", 60, 50), ("fish", 60, 10)], [True, True], True, False),
        ([("star", 80, 50), ("moon", 60, 50), ("fish", 60, 10)], [False, True], False, False),
        ([("star", 10, 50), ("star", 10, 80), ("moon", 60, 50), ("fish", 60, 10)], [True, True], False, True),
        ([("star", 10, 50), ("moon", 60, 50)], [True, False], False, False),
    ],
)
def test_verdicts_of_an_image(found, each, strict, doubled):
    seen = [Detection(name, 0.9, (x - 5, y - 5, x + 5, y + 5)) for name, x, y in found]
    record = inspect(None, EDGES, World("toy", NOUNS, lambda images: [seen], 0.5, ()))
    assert (record["each"], record["strict"], record["doubled"]) == (each, strict, doubled)
    values = measures([[record]])
    assert set(values.names) >= {"all relations", "strict", "doubled"}
