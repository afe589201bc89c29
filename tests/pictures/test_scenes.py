"""Scenes of the world of pictures: nothing touches, boxes are those of what is drawn, captions do not tell positions."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from infsplign_models.world import NAMES, NOUNS, SIZE, captions, load_sprites, render, sample_scenes
from infsplign_models.world.scenes import COUNTS, boxes

SPRITES = load_sprites()
SEEDS = st.integers(0, 2**31 - 1)


def test_every_noun_has_at_least_two_drawings_and_forty_are_there():
    assert len(set(NAMES)) == len(NAMES) == 40
    drawings = torch.bincount(SPRITES.noun, minlength=len(NOUNS))
    assert int(drawings.min()) >= 2
    assert [2 * len(noun.code_points) for noun in NOUNS] == drawings.tolist()


def test_drawings_fill_their_square_and_are_premultiplied():
    alpha = SPRITES.pixels[:, 3]
    solid = boxes(alpha, least=0.1)
    assert float((solid[:, 2:] - solid[:, :2]).amax(1).min()) >= 60
    assert bool((SPRITES.pixels[:, :3] <= alpha[:, None] + 1e-6).all())


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_squares_do_not_touch_and_lie_within_the_picture(seed):
    scenes = sample_scenes(SPRITES, 16, seed)
    half = scenes.side / 2
    there = scenes.there
    assert bool(((scenes.centre - half[..., None] >= 0) & (scenes.centre + half[..., None] <= SIZE))[there].all())
    apart = (scenes.centre[:, :, None] - scenes.centre[:, None]).abs().amax(-1) - (half[:, :, None] + half[:, None])
    pairs = there[:, :, None] & there[:, None] & ~torch.eye(there.shape[1], dtype=torch.bool)
    assert bool((apart[pairs] >= 0).all())


@settings(deadline=None, max_examples=10)
@given(SEEDS)
def test_nouns_of_a_scene_differ_unless_they_may_repeat(seed):
    scenes = sample_scenes(SPRITES, 64, seed)
    nouns = torch.where(scenes.there, SPRITES.noun[scenes.sprite], -1 - torch.arange(scenes.sprite.shape[1]))
    assert all(len(set(row)) == len(row) for row in nouns.tolist())
    repeated = SPRITES.noun[sample_scenes(SPRITES, 64, seed, counts=(0.0, 1.0), distinct=False).sprite]
    assert bool((repeated[:, 0] == repeated[:, 1]).any())


def test_same_seed_same_pictures():
    first, again = (render(sample_scenes(SPRITES, 4, 3), SPRITES)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, render(sample_scenes(SPRITES, 4, 4), SPRITES)[0])


def test_boxes_are_those_of_the_pixels_that_differ_from_the_ground():
    scenes = sample_scenes(SPRITES, 8, 5, counts=(1.0,))
    pictures, opacity = render(scenes, SPRITES)
    ground, _ = render(dataclasses.replace(scenes, there=torch.zeros_like(scenes.there)), SPRITES)
    # the shadow is below the drawing and darkens alone, so only its colours are looked for
    differs = ((pictures - ground).abs().amax(1) > 0.25) & (opacity[:, 0] > 0.3)
    seen, box = boxes(differs.float()), boxes(opacity[:, 0])
    assert float((box[:, :2] - seen[:, :2]).max()) <= 1.0
    centre = (box[:, :2] + box[:, 2:]) / 2
    assert float((centre - scenes.centre[:, 0]).abs().max()) < 4


def test_an_object_that_is_not_there_leaves_no_trace():
    scenes = sample_scenes(SPRITES, 4, 6)
    nothing = dataclasses.replace(scenes, there=torch.zeros_like(scenes.there))
    moved = dataclasses.replace(nothing, centre=scenes.centre + 9)
    assert torch.equal(render(nothing, SPRITES)[0], render(moved, SPRITES)[0])
    assert float(render(nothing, SPRITES)[1].max()) == 0


def test_counts_are_as_often_as_asked():
    number = sample_scenes(SPRITES, 4000, 7).there.sum(1)
    for count, chance in enumerate(COUNTS, start=1):
        assert float((number == count).float().mean()) == pytest.approx(chance, abs=0.04)


@settings(deadline=None, max_examples=10)
@given(SEEDS)
def test_captions_name_every_object_and_do_not_depend_on_places(seed):
    scenes = sample_scenes(SPRITES, 16, seed)
    elsewhere = dataclasses.replace(scenes, centre=SIZE - scenes.centre)
    texts = captions(scenes, SPRITES, seed)
    assert texts == captions(elsewhere, SPRITES, seed)
    for row, text in enumerate(texts):
        for sprite in scenes.sprite[row][scenes.there[row]].tolist():
            assert NAMES[int(SPRITES.noun[sprite])] in text


def test_colours_are_told_only_of_drawings_that_have_them():
    scenes = sample_scenes(SPRITES, 2000, 8, counts=(1.0,))
    texts = captions(scenes, SPRITES, 8)
    for row, text in enumerate(texts):
        colour = SPRITES.colours[int(scenes.sprite[row, 0])]
        for word in ("red", "blue", "green"):
            assert f" {word} " not in f" {text} " or word == colour
    assert any("red car" in text for text in texts)


def test_a_noun_that_is_drawn_more_often_comes_more_often_and_others_alike():
    scenes = sample_scenes(SPRITES, 6000, 3, counts=(1.0,), often={"cat": 4.0})
    found = torch.bincount(SPRITES.noun[scenes.sprite[:, 0]], minlength=len(NOUNS)).double() / 6000
    cat = NAMES.index("cat")
    assert float(found[cat]) == pytest.approx(4 / 43, abs=0.02)
    rest = torch.cat([found[:cat], found[cat + 1 :]])
    assert float((rest - 1 / 43).abs().max()) < 0.012
    several = sample_scenes(SPRITES, 500, 3, often={"cat": 40.0})
    nouns = SPRITES.noun[several.sprite].masked_fill(~several.there, -1)
    assert all(len(set(row)) == len(row) for row in ([n for n in row if n >= 0] for row in nouns.tolist()))


def test_sides_and_angles_are_as_asked():
    scenes = sample_scenes(SPRITES, 500, 3, counts=(1.0,), smallest=50.0, largest=60.0, turn=0.0)
    assert float(scenes.side.min()) >= 0.9 * 50
    assert float(scenes.side.max()) <= 1.1 * 60
    assert not scenes.angle.any()
