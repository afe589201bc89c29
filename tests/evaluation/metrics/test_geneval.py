"""GenEval, position: worked by hand, against a second writing of the rule, and what must hold for any boxes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.detection import Detection
from infsplign.evaluation.metrics.geneval import judge, position_ratios, relations_of
from infsplign.evaluation.metrics.visor import Verdict

INVERSE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
coordinate = st.integers(-100, 600) | st.floats(-100, 600)
length = st.integers(0, 300)
boxes = st.builds(lambda x, y, w, h: (float(x), float(y), float(x + w), float(y + h)), coordinate, coordinate, length, length)
detections = st.lists(st.builds(Detection, st.sampled_from(["a", "b", "c"]), st.floats(0.3, 1), boxes), max_size=5)


def around(x, y, side=20.0):
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def second_writing(first, second):
    """The rule in numpy, with the corners of both boxes as rows."""
    one, other = np.array(first).reshape(2, 2), np.array(second).reshape(2, 2)
    o = one.mean(0) - other.mean(0)
    r = np.maximum(np.abs(o) - 0.1 * (np.diff(one, axis=0)[0] + np.diff(other, axis=0)[0]), 0) * np.sign(o)
    if (np.abs(r) < 1e-3).all():
        return set()
    x, y = r / np.linalg.norm(o)
    return {name for name, holds in zip(INVERSE, (x < -0.5, x > 0.5, y < -0.5, y > 0.5), strict=True) if holds}


def beside_a_limit(first, second):
    one, other = np.array(first).reshape(2, 2), np.array(second).reshape(2, 2)
    o = np.abs(one.mean(0) - other.mean(0))
    r = np.maximum(o - 0.1 * (np.diff(one, axis=0)[0] + np.diff(other, axis=0)[0]), 0)
    return bool((np.abs(r / max(math.hypot(*o), 1e-9) - 0.5) < 1e-9).any() or (np.abs(r - 1e-3) < 1e-9).any())


class TestRelations:
    @given(boxes, boxes)
    def test_against_a_second_writing(self, first, second):
        if not beside_a_limit(first, second):
            assert relations_of(first, second) == second_writing(first, second)

    @pytest.mark.parametrize(
        ("x", "y", "expected"),
        [
            (-100, 0, {"left of"}),
            (100, 0, {"right of"}),
            (0, -100, {"above"}),
            (0, 100, {"below"}),
            (-100, -100, {"left of", "above"}),  # both parts are 96 / 141.4 = 0.68 of the distance
            (100, 50, {"right of"}),  # 46 / 111.8 = 0.41 down
            (4, 4, set()),  # the sides' tenth, 2 + 2, is not passed
            (1, 0, set()),  # a pixel is within the slack, however near it is to the whole distance
            (0, 0, set()),
        ],
    )
    def test_by_hand(self, x, y, expected):
        assert relations_of(around(300 + x, 300 + y), around(300, 300)) == expected

    def test_the_slack_grows_with_the_boxes(self):
        assert relations_of(around(30, 0, 10), around(0, 0, 10)) == {"right of"}
        assert relations_of(around(30, 0, 140), around(0, 0, 140)) == set()  # 28 of 30 are slack: 2 / 30
        assert relations_of(around(56, 0, 140), around(0, 0, 140)) == set()  # 28 / 56 is not more than a half

    def test_boxes_without_area(self):
        assert relations_of(around(5, 0, 0), around(0, 0, 0)) == {"right of"}

    def test_a_rest_of_exactly_a_thousandth_of_a_pixel_is_some(self):
        """As published: nothing is what is less."""
        rest = np.float32(1e-3)
        assert relations_of((rest, 0, rest, 0), (0, 0, 0, 0)) == {"right of"}
        assert relations_of((np.nextafter(rest, np.float32(0)), 0, np.nextafter(rest, np.float32(0)), 0), (0, 0, 0, 0)) == set()

    @given(boxes, boxes)
    def test_exchanged_boxes_have_the_inverse_relations(self, first, second):
        assert {INVERSE[name] for name in relations_of(first, second)} == relations_of(second, first)

    @given(boxes, boxes)
    def test_never_opposite_ones(self, first, second):
        held = relations_of(first, second)
        assert len(held) <= 2
        assert not any(INVERSE[name] in held for name in held)


class TestJudge:
    def test_the_best_box_of_each_class(self):
        seen = [Detection("a", 0.5, around(0, 0)), Detection("a", 0.9, around(200, 0)), Detection("b", 0.4, around(100, 0))]
        assert judge(seen, "a", "right of", "b") == Verdict(True, True)
        assert judge(seen, "a", "left of", "b") == Verdict(True, False)  # VISOR's any pair would say yes

    def test_the_last_of_equal_scores(self):
        seen = [Detection("a", 0.9, around(0, 0)), Detection("a", 0.9, around(200, 0)), Detection("b", 0.4, around(100, 0))]
        assert judge(seen, "a", "right of", "b").correct
        assert judge([seen[1], seen[0], seen[2]], "a", "left of", "b").correct

    @pytest.mark.parametrize("seen", [[], [Detection("a", 1, around(0, 0))], [Detection("b", 1, around(0, 0))]])
    def test_one_missing(self, seen):
        assert judge(seen, "a", "left of", "b") == Verdict(False, False)

    def test_errors(self):
        with pytest.raises(ValueError, match="two different objects, got 'a' twice"):
            judge([], "a", "left of", "a")
        with pytest.raises(ValueError, match="`relation` is unknown"):
            judge([], "a", "in front of", "b")
        for beyond in ("near", "upper left of"):
            with pytest.raises(ValueError, match=f"`relation` must be .*got '{beyond}'"):
                judge([], "a", beyond, "b")

    @given(detections, st.sampled_from(list(INVERSE)), st.randoms())
    def test_others_play_no_part_and_correct_needs_both(self, seen, relation, random):
        verdict = judge(seen, "a", relation, "b")
        assert verdict == judge([found for found in seen if found.name != "c"], "a", relation, "b")
        assert verdict.both == ({"a", "b"} <= {found.name for found in seen})
        assert verdict.both or not verdict.correct


def test_measures():
    rows = {"p": [Verdict(True, True), Verdict(True, False)], "q": [Verdict(False, False)] * 2}
    ratios = position_ratios(rows)
    assert ratios.names == ("position", "both", "cond")
    assert ratios.values() == pytest.approx([0.25, 0.5, 0.5])
