"""VISOR: worked examples by hand, and what must hold for any detections and verdicts."""

from dataclasses import dataclass
from itertools import pairwise
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.core.relations import ABOVE, BELOW, LEFT_OF, RIGHT_OF
from infsplign.evaluation.metrics.visor import Verdict, judge, visor, visor_ratios

RELATIONS = (LEFT_OF, RIGHT_OF, ABOVE, BELOW)


@dataclass(frozen=True)
class Seen:
    name: str
    centre: tuple[float, float]


places = st.tuples(*2 * [st.integers(-3, 3) | st.floats(-1e6, 1e6)])  # integers, so that ties are drawn
detections = st.lists(st.builds(Seen, st.sampled_from(["a", "b", "other"]), places), max_size=6)
verdict = st.sampled_from([Verdict(False, False), Verdict(True, False), Verdict(True, True)])


@st.composite
def verdicts(draw):
    images = draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(verdict, min_size=images, max_size=images), min_size=1, max_size=12))
    return {str(number): row for number, row in enumerate(rows)}


class TestJudge:
    @pytest.mark.parametrize(
        ("relation", "holds"), [("to the left of", True), ("to the right of", False), ("above", False), ("below", True)]
    )
    def test_the_four_relations(self, relation, holds):
        seen = [Seen("a", (1, 9)), Seen("b", (2, 3))]
        assert judge(seen, "a", relation, "b") == Verdict(both=True, correct=holds)

    @pytest.mark.parametrize("seen", [[], [Seen("a", (0, 0))], [Seen("b", (0, 0))], [Seen("c", (0, 0)), Seen("b", (1, 1))]])
    def test_one_missing(self, seen):
        assert judge(seen, "a", "left of", "b") == Verdict(False, False)

    @pytest.mark.parametrize("relation", RELATIONS)
    def test_a_tie_is_not_correct(self, relation):
        assert judge([Seen("a", (4, 7)), Seen("b", (4, 7))], "a", relation, "b") == Verdict(True, False)

    def test_any_pair_counts(self):
        # a at 5 and 8, b at 2 and 6: only (5, 6) is left of
        seen = [Seen("a", (8, 0)), Seen("b", (2, 0)), Seen("a", (5, 0)), Seen("b", (6, 0))]
        assert judge(seen, "a", "left of", "b").correct
        assert judge(seen, "a", "right of", "b").correct
        assert not judge(seen[:2], "a", "left of", "b").correct

    def test_names_that_share_a_word(self):
        assert judge([Seen("star fruit", (0, 0)), Seen("moon", (1, 0))], "star", "left of", "moon") == Verdict(False, False)

    def test_takes_an_iterator(self):
        assert judge(iter([Seen("a", (0, 0)), Seen("b", (1, 0))]), "a", "left of", "b").correct

    def test_errors(self):
        with pytest.raises(ValueError, match="two different objects, got 'a' twice"):
            judge([], "a", "left of", "a")
        with pytest.raises(ValueError, match="`relation` is unknown"):
            judge([], "a", "in front of", "b")
        for beyond in ("near", "upper left of"):
            with pytest.raises(ValueError, match=f"`relation` must be .*got '{beyond}'"):
                judge([], "a", beyond, "b")

    @given(detections, st.sampled_from(RELATIONS))
    def test_against_all_pairs(self, seen, relation):
        pairs = [(a.centre, b.centre) for a in seen if a.name == "a" for b in seen if b.name == "b"]
        holds = {
            "left of": any(a[0] < b[0] for a, b in pairs),
            "right of": any(a[0] > b[0] for a, b in pairs),
            "above": any(a[1] < b[1] for a, b in pairs),
            "below": any(a[1] > b[1] for a, b in pairs),
        }
        assert judge(seen, "a", relation, "b") == Verdict(bool(pairs), holds[relation.name])

    @given(detections, st.sampled_from(RELATIONS))
    def test_mirrored_picture_has_the_inverse_relation(self, seen, relation):
        mirrored = [Seen(s.name, tuple(-c if axis == relation.axis else c for axis, c in enumerate(s.centre))) for s in seen]
        assert judge(seen, "a", relation, "b") == judge(mirrored, "a", relation.inverse, "b")

    @given(detections, st.sampled_from(RELATIONS))
    def test_exchanged_objects_have_the_inverse_relation(self, seen, relation):
        assert judge(seen, "a", relation, "b") == judge(seen, "b", relation.inverse, "a")

    @given(detections, st.sampled_from(RELATIONS), st.randoms())
    def test_order_of_detections_and_others_do_not_matter(self, seen, relation, random):
        shuffled = [s for s in seen if s.name != "other"]
        random.shuffle(shuffled)
        assert judge(seen, "a", relation, "b") == judge(shuffled, "a", relation, "b")


class TestVisor:
    def test_worked_example(self):
        no, wrong, right = Verdict(False, False), Verdict(True, False), Verdict(True, True)
        result = visor({
            "all four right": [right, right, right, right],
            "nothing detected": [no, no, no, no],
            "half": [right, wrong, right, no],
            "both, never right": [wrong, wrong, no, no],
        })  # fmt: skip
        assert result.object_accuracy == 9 / 16
        assert result.conditional == 6 / 9
        assert result.unconditional == 6 / 16
        assert result.at_least == (2 / 4, 2 / 4, 1 / 4, 1 / 4)

    def test_nothing_detected_leaves_cond_undefined(self):
        result = visor({"p": [Verdict(False, False)] * 2})
        assert (result.object_accuracy, result.unconditional, result.at_least) == (0, 0, (0, 0))
        assert isnan(result.conditional)

    @pytest.mark.parametrize("broken", [{}, {"p": []}, {"p": [Verdict(True, True)], "q": [Verdict(True, True)] * 2}])
    def test_needs_the_same_number_of_images(self, broken):
        with pytest.raises(ValueError, match="same number of images"):
            visor(broken)

    @given(verdicts())
    def test_laws(self, rows):
        result = visor(rows)
        steps = result.at_least
        assert all(0 <= later <= earlier <= 1 for earlier, later in pairwise(steps))
        assert len(steps) == len(next(iter(rows.values())))
        assert sum(steps) / len(steps) == pytest.approx(result.unconditional)  # sum over n of P(N >= n) is the mean of N
        assert 0 <= result.unconditional <= result.object_accuracy <= 1
        if result.object_accuracy:
            assert result.unconditional == pytest.approx(result.object_accuracy * result.conditional)
        else:
            assert isnan(result.conditional)

    @given(verdicts(), st.randoms())
    def test_order_of_prompts_and_images_does_not_matter(self, rows, random):
        items = [(key, random.sample(row, len(row))) for key, row in rows.items()]
        random.shuffle(items)
        assert repr(visor(dict(items))) == repr(visor(rows))

    def test_names_follow_the_number_of_images(self):
        assert visor_ratios({"p": [Verdict(True, True)] * 3}).names == ("OA", "cond", "uncond", "VISOR-1", "VISOR-2", "VISOR-3")
