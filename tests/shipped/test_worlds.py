"""Worlds: their nouns and detectors behind one type, and the prompts among their nouns."""

import pytest
from infsplign_models.world import load_sprites, render, sample_scenes
from PIL import Image

from infsplign.commands import eval_sr2d
from infsplign.evaluation.prompts import BenchmarkPrompt, sr2d
from infsplign.evaluation.scoring.world_evaluation import prompts_among
from infsplign.shapes.world import Placed, Scene
from infsplign.shapes.world import render as render_shapes
from infsplign.shipped import DEFAULT, PRESETS, WORLDS, world
from infsplign.shipped.worlds import world_of


def composed(count, seed):
    """Pictures of the world of pictures, with the nouns that are in each."""
    sprites = load_sprites()
    scenes = sample_scenes(sprites, count, seed)
    pixels, _ = render(scenes, sprites)
    images = [Image.fromarray((255 * picture).round().byte().permute(1, 2, 0).numpy()) for picture in pixels]
    nouns = [
        sorted(world("pictures").nouns[int(sprites.noun[k])] for k in row[there])
        for row, there in zip(scenes.sprite, scenes.there, strict=True)
    ]
    return images, nouns


def test_every_preset_names_a_world():
    assert {preset.world for preset in PRESETS.values()} <= set(WORLDS)


def test_the_detector_of_shapes_sees_what_was_drawn():
    image = render_shapes(Scene((Placed("star", 5, 5, 30), Placed("moon", 55, 50, 30)), "", 0))
    (found,) = world("shapes").detect([image])
    assert {seen.name for seen in found} == {"star", "moon"}


def test_the_detector_of_pictures_sees_what_was_composed():
    images, nouns = composed(24, 77)
    drawn = world("pictures")
    seen = [sorted(found.name for found in row if found.score >= drawn.min_score) for row in drawn.detect(images)]
    assert sum(a == b for a, b in zip(seen, nouns, strict=True)) >= 23
    assert drawn.detect([]) == []


def test_an_unknown_world_is_refused_with_the_names_of_the_known():
    with pytest.raises(ValueError, match="shapes, pictures, got 'words'"):
        world("words")


def test_prompts_of_sr2d_among_the_nouns_of_pictures():
    nouns = world("pictures").nouns
    found = prompts_among(sr2d(), nouns)
    assert len(found) == 8 * len(nouns) * (len(nouns) - 1) // 2
    assert all({prompt.first, prompt.second} <= set(nouns) for prompt in found)
    assert len({prompt.relation for prompt in found[:40]}) == 4  # a random order: any part is a fair sample
    assert prompts_among(sr2d(), ("cat",)) == []


@pytest.mark.parametrize(
    ("first", "relation", "second", "kept"),
    [("Cat", "above", "DOG", True), ("cat", "near", "dog", False), ("cat", "inside", "dog", False), ("cat", "above", "Cat", False)],
)
def test_prompts_among_nouns_have_a_direction_and_two_objects_in_any_case(first, relation, second, kept):
    """The worlds are judged by VISOR's rule, which knows no other relation: a run would end at its first image."""
    asked = BenchmarkPrompt("1", "a prompt", first, relation, second)
    assert prompts_among([asked], ("cat", "dog")) == ([asked] if kept else [])


def test_prompts_of_a_text_are_read_for_their_nouns(tmp_path):
    (tmp_path / "mine.txt").write_text("a star to the left of a moon\na cat above a dog\na Heart below a circle\na star near a moon\n")
    found = eval_sr2d.of_world(tmp_path / "mine.txt", "shapes")
    assert sorted((p.id, p.first, p.relation) for p in found) == [("line-0001", "star", "left of"), ("line-0003", "Heart", "below")]


def test_the_world_that_knows_the_objects_and_else_that_of_the_default_model():
    assert world_of(["heart", "star", "cat"]) == "shapes"
    assert world_of(["cat", "dog", "heart"]) == "pictures"
    assert world_of(["traffic light"]) == world_of(["a spoon"]) == world_of([]) == PRESETS[DEFAULT].world == "pictures"
