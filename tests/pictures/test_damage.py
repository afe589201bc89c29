"""Damaged drawings: much damage is called malformed, little leaves a drawing good."""

import pytest
import torch
from infsplign_models.world import NAMES, Sprites

from benchmarks import pictures_detector
from training.pictures import damage, data

SIDE = 64


@pytest.fixture
def sprites():
    """A disc with an eye for each of four nouns that a model may mix up, and one of another kind."""
    axis = torch.linspace(-1, 1, SIDE)
    radius = (axis[None, :] ** 2 + axis[:, None] ** 2).sqrt()
    alpha = (radius < 0.8).float()
    eye = ((axis[None, :] - 0.3) ** 2 + (axis[:, None] + 0.3) ** 2 < 0.04).float()
    names = ("cat", "cat", "dog", "horse", "car")
    shades = torch.tensor([[0.9, 0.5, 0.1], [0.9, 0.6, 0.2], [0.5, 0.3, 0.2], [0.2, 0.2, 0.2], [0.1, 0.2, 0.9]])
    pixels = torch.cat([shades[:, :, None, None] * (alpha * (1 - eye)), alpha.expand(5, 1, SIDE, SIDE)], 1)
    return Sprites(pixels, torch.tensor([NAMES.index(name) for name in names]), ("",) * 5)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


def test_every_way_keeps_drawings_drawable(sprites, rng):
    numbers = torch.arange(5).repeat(8)
    others = sprites.pixels[damage.partners(sprites.noun, numbers, rng)]
    for way in set(damage.WAYS):
        out, severity = way(sprites.pixels[numbers], others, rng)
        assert out.shape == (40, 4, SIDE, SIDE), way
        assert out.isfinite().all(), way
        assert out.min() >= -1e-5, way
        assert (out[:, :3] <= out[:, 3:] + 1e-4).all(), f"{way}: colours are times alpha"
        assert severity.shape == (40,), way
        assert severity.isfinite().all(), way


def test_more_strain_moves_more(sprites, rng):
    one = sprites.pixels[:1].expand(32, -1, -1, -1)
    far = [damage.unlike(damage.warped(one, torch.full((32, 1, 1, 1), strain), rng), one).mean() for strain in (0.0, 0.1, 0.6)]
    assert far[0] < 0.01 < far[1] < far[2]


def test_an_erased_part_is_as_large_as_asked(sprites, rng):
    alpha = sprites.pixels[:, 3:]
    mask = damage.regions(5, torch.full((5, 1, 1, 1), 0.3), SIDE, rng, alpha)
    torch.testing.assert_close((mask * alpha).sum((1, 2, 3)) / alpha.sum((1, 2, 3)), torch.full((5,), 0.3), atol=0.06, rtol=0)


@pytest.mark.parametrize(
    ("part", "cat", "car"), [(0.005, "GOOD", "GOOD"), (0.07, "UNSURE", "GOOD"), (0.165, "BAD", "UNSURE"), (0.4, "BAD", "BAD")]
)
def test_a_nick_is_no_damage_and_an_animal_may_miss_less_than_a_car(sprites, rng, monkeypatch, part, cat, car):
    def erased(drawings, others, generator):
        kept = drawings.clone()
        kept[:, :, : int(SIDE * part)] = 0  # rows from the top
        return kept, damage._severity(torch.full((len(drawings),), part), 0.03, 0.14)

    monkeypatch.setattr(damage, "WAYS", (erased,))
    _, whole = damage.damaged(sprites, torch.tensor([0, 4]), rng)
    assert whole.tolist() == [getattr(damage, cat), getattr(damage, car)]


def test_erasing_is_as_severe_as_what_is_gone(sprites, rng):
    drawings = sprites.pixels[:1].expand(64, -1, -1, -1)
    left, severity = damage.erase(drawings, drawings, rng)
    gone = 1 - left[:, 3].sum((1, 2)) / drawings[:, 3].sum((1, 2))
    assert (severity > 0).all()
    torch.testing.assert_close(severity, (gone - 0.03) / 0.11, atol=1e-4, rtol=0)


def test_a_copy_of_the_same_in_the_same_place_is_no_damage(sprites, rng, monkeypatch):
    monkeypatch.setattr(damage, "copies", lambda drawings, others, generator: drawings)
    for way in (damage.mosaic, damage.over, damage.ghost):
        out, severity = way(sprites.pixels, sprites.pixels, rng)
        torch.testing.assert_close(out[:, :3], sprites.pixels[:, :3], atol=1e-5, rtol=0)
        assert (severity < 0).all(), way


def test_a_twin_of_what_is_symmetric_is_no_damage_and_of_a_head_on_one_side_it_is(sprites, rng, monkeypatch):
    monkeypatch.setattr(damage, "shift", lambda drawings, by: drawings)
    monkeypatch.setattr(damage, "uniform", lambda low, high, n, generator: torch.full((n, 1, 1, 1), high))
    axis = torch.linspace(-1, 1, SIDE)
    disc = ((axis[None, :] ** 2 + axis[:, None] ** 2) < 0.6).float().expand(32, 4, -1, -1)
    head = (((axis[None, :] - 0.6) ** 2 + axis[:, None] ** 2) < 0.15).float().expand(32, 4, -1, -1)
    _, none = damage.twin(disc, disc, rng)
    _, much = damage.twin(head, head, rng)
    assert (none <= 0).all()
    assert (much > 1).float().mean() > 0.9


def test_partners_are_mostly_of_the_same_noun_or_a_related_one(sprites, rng):
    noun = sprites.noun[damage.partners(sprites.noun, torch.zeros(600, dtype=torch.long), rng)]
    counts = {NAMES[k]: int((noun == k).sum()) for k in set(noun.tolist())}
    assert counts["cat"] > 250
    assert counts["car"] < 60
    assert counts["dog"] > 0 < counts["horse"]


def test_every_noun_has_related_ones():
    assert sorted(name for names in damage.RELATED for name in names) == sorted(NAMES)


def test_mild_changes_stay_close(sprites, rng):
    assert damage.unlike(damage.mild(sprites.pixels, rng), sprites.pixels).max() < 0.2


def test_latents_change_under_the_cover_alone(rng):
    z, cover = torch.randn(8, 12, 16, 16, generator=rng), torch.zeros(8, 1, 16, 16)
    cover[:, :, 4:10, 4:10] = 1
    changed = damage.spoiled_latents(z, cover, rng) - z
    assert changed[:, :, 4:10, 4:10].square().mean((1, 2, 3)).min() > 0.1
    assert (changed * (1 - cover) == 0).all()


def test_the_detector_is_measured_on_the_scenes_that_models_are_trained_on():
    assert pictures_detector.SCENES == data.SCENES
