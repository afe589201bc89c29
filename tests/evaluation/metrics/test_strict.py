"""Strict, doubled and shape: worked examples by hand and what must hold for any blobs."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.evaluation.metrics.strict import Fidelity, fidelity, fidelity_ratios


@dataclass(frozen=True)
class Seen:
    name: str
    score: float


def measure(*blobs, correct=True):
    return fidelity([Seen(*blob) for blob in blobs], ["star", "moon"], correct=correct, min_score=0.6)


blobs = st.lists(st.builds(Seen, st.sampled_from(["star", "moon", "cross"]), st.floats(0, 1)), max_size=5)


class TestFidelity:
    def test_as_asked_for(self):
        assert measure(("star", 0.9), ("moon", 0.6)) == Fidelity(strict=True, doubled=False, shape=0.75)

    def test_wrong_relation(self):
        assert measure(("star", 0.9), ("moon", 0.7), correct=False).strict is False

    def test_nothing_there(self):
        assert measure(correct=False) == Fidelity(strict=False, doubled=False, shape=0.0)

    def test_one_missing_counts_0_in_shape(self):
        assert measure(("moon", 0.8), correct=False) == Fidelity(strict=False, doubled=False, shape=0.4)

    @pytest.mark.parametrize("score", [0.9, 0.1])
    def test_doubled_well_or_badly_drawn(self, score):
        result = measure(("star", 0.9), ("moon", 0.8), ("moon", score))
        assert (result.strict, result.doubled) == (False, True)
        assert result.shape == pytest.approx((0.9 + max(0.8, score)) / 2)

    @pytest.mark.parametrize("score", [0.9, 0.1])
    def test_something_else_spoils_strict_but_doubles_nothing(self, score):
        assert measure(("star", 0.9), ("moon", 0.8), ("cross", score)) == Fidelity(False, False, pytest.approx(0.85))

    def test_another_noun_twice_is_not_doubled(self):
        assert not measure(("star", 0.9), ("cross", 0.8), ("cross", 0.8)).doubled

    def test_below_the_threshold_is_not_strict(self):
        assert not measure(("star", 0.9), ("moon", 0.59)).strict

    @pytest.mark.parametrize("objects", [[], ["star", "star"]])
    def test_objects_must_be_named_once(self, objects):
        with pytest.raises(ValueError, match="at least one object, and each once"):
            fidelity([], objects, correct=False, min_score=0.5)

    @given(blobs, st.booleans(), st.randoms())
    def test_laws(self, found, correct, random):
        objects = ["star", "moon"]
        result = fidelity(found, objects, correct=correct, min_score=0.6)
        assert 0 <= result.shape <= 1
        if result.strict:
            assert correct
            assert not result.doubled
            assert sorted(blob.name for blob in found) == sorted(objects)
            assert result.shape >= 0.6
        shuffled = random.sample(found, len(found))
        assert fidelity(shuffled, objects[::-1], correct=correct, min_score=0.6) == result
        more = fidelity([*found, Seen("star", 0.0)], objects, correct=correct, min_score=0.6)
        assert not more.strict
        assert more.doubled >= result.doubled
        assert more.shape == result.shape


def test_ratios_are_means_over_images():
    good, bad = Fidelity(True, False, 0.9), Fidelity(False, True, 0.3)
    ratios = fidelity_ratios({"p": [good, good], "q": [good, bad]})
    assert ratios.names == ("strict", "doubled", "shape")
    assert ratios.values() == pytest.approx([0.75, 0.25, 0.75])


@pytest.mark.parametrize(
    ("others", "beside", "strict"),
    [
        ((), {"bird": True}, False),
        ((), {"bird": False}, True),
        ((), {"bird": True, "fish": False}, False),
        ((("bird", 0.6),), {"bird": True}, True),
        ((("bird", 0.59),), {"bird": True}, False),
        ((("bird", 0.59),), {"bird": False}, True),
        ((("bird", 0.2), ("bird", 0.7)), {"bird": True}, True),
        ((("Traffic_light", 0.7),), {"traffic  Light": True}, True),
        ((("bird", 0.7), ("fish", 0.7)), {"bird": True}, False),
        ((("bird", 0.7), ("fish", 0.7)), {"bird": True, "fish": False}, True),
        ((("bird", 0.7),), {"bird": True, "fish": True}, False),
        ((), {"Star": True}, True),
        ((("star", 0.7),), {"Star": True}, False),
        ((), {"star": False, "moon": False}, True),
    ],
)
def test_what_the_prompt_names_beside_its_objects_is_asked_for_or_allowed(others, beside, strict):
    blobs = [Seen(name, score) for name, score in (("star", 0.9), ("moon", 0.8), *others)]
    found = fidelity(blobs, ["star", "moon"], correct=True, min_score=0.6, beside=beside)
    assert found.strict == strict
    assert not fidelity(blobs, ["star", "moon"], correct=False, min_score=0.6, beside=beside).strict
    plain = fidelity(blobs, ["star", "moon"], correct=True, min_score=0.6)
    assert (found.doubled, found.shape) == (plain.doubled, plain.shape)
