"""T2I-CompBench, 2D spatial: worked by hand, against a second writing of the rule, and what must hold for any boxes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.detection import Detection
from infsplign.evaluation.metrics import t2i
from infsplign.evaluation.metrics.boxes import iou
from infsplign.evaluation.metrics.t2i import SpatialScore, infsplign, official, position_score, score_image, spatial_ratios

SQUARE = (479, 479)
CLOSE = ("near", "next to", "on side of")
DIRECTIONS = ("on the left of", "on the right of", "on the top of", "on the bottom of")
coordinate = st.integers(-100, 600) | st.floats(-100, 600)
length = st.integers(0, 300)


def around(x, y, side=20.0):
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def cat(x, y, score=0.9, side=20.0):
    return Detection("cat", score, around(x, y, side))


def dog(x, y, score=0.7, side=20.0):
    return Detection("dog", score, around(x, y, side))


boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), coordinate, coordinate, length, length)
names = st.sampled_from(["cat", "dog", "cat, dog", "dog and cow"])
larger = st.integers(4, 300)  # several pixels: what lies within the first one is refused as parts of the image
seen_boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), coordinate, coordinate, larger, larger)
detections = st.lists(st.builds(Detection, names, st.floats(0.5, 1), seen_boxes), max_size=5)


def second_writing(first, relation, second):
    """The published rule as it is told, with the names of the four directions."""
    middle = lambda box: ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)  # noqa: E731
    x, y = middle(second)[0] - middle(first)[0], middle(second)[1] - middle(first)[1]
    if relation in CLOSE:
        return 1.0 if abs(x) < 150 or abs(y) < 150 else 150 / max(abs(x), abs(y))
    right_way = {
        "on the left of": x > 0 and abs(x) > abs(y),
        "on the right of": x < 0 and abs(x) > abs(y),
        "on the top of": y > 0 and abs(y) > abs(x),
        "on the bottom of": y < 0 and abs(y) > abs(x),
    }[relation]
    if not right_way:
        return 0.0
    return 1.0 if iou(first, second) < 0.1 else 0.1 / iou(first, second)


class TestPosition:
    @given(boxes, st.sampled_from((*CLOSE, *DIRECTIONS)), boxes)
    def test_against_a_second_writing(self, first, relation, second):
        assert position_score(first, relation, second) == pytest.approx(second_writing(first, relation, second))

    @pytest.mark.parametrize(("relation", "expected"), [("left of", 1), ("right of", 0), ("above", 0), ("below", 0)])
    def test_further_along_x_than_along_y(self, relation, expected):
        assert position_score(around(50, 50), relation, around(200, 150)) == expected

    def test_a_diagonal_is_no_direction(self):
        assert [position_score(around(0, 0), relation, around(90, 90)) for relation in DIRECTIONS] == [0, 0, 0, 0]

    @pytest.mark.parametrize("relation", DIRECTIONS)
    def test_the_same_place_is_no_direction(self, relation):
        assert position_score(around(5, 5), relation, around(5, 5)) == 0

    def test_overlap_costs(self):
        # 100 x 100 boxes 50 apart: 50 * 100 of 150 * 100 are shared, IoU 1/3
        assert position_score(around(0, 0, 100), "left of", around(50, 0, 100)) == pytest.approx(0.3)

    def test_little_overlap_costs_nothing(self):
        assert position_score(around(0, 0, 100), "left of", around(90, 0, 100)) == 1

    def test_boxes_without_area(self):
        assert position_score(around(0, 0, 0), "left of", around(9, 0, 0)) == 1

    @pytest.mark.parametrize("relation", CLOSE)
    @pytest.mark.parametrize(("x", "y", "expected"), [(400, 149, 1), (149, 400, 1), (150, 150, 1), (300, 200, 0.5), (200, 300, 0.5)])
    def test_near_on_one_axis_is_near(self, relation, x, y, expected):
        assert position_score(around(0, 0), relation, around(x, y)) == expected

    @given(boxes, st.sampled_from(("left of", "right of", "above", "below")), boxes)
    def test_exchanged_objects_have_the_inverse_direction(self, first, relation, second):
        inverse = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}[relation]
        assert position_score(first, relation, second) == position_score(second, inverse, first)

    @given(boxes, boxes)
    def test_at_most_one_direction_holds(self, first, second):
        assert sum(position_score(first, relation, second) > 0 for relation in DIRECTIONS) <= 1

    @given(boxes, st.sampled_from((*CLOSE, *DIRECTIONS)), boxes)
    def test_between_0_and_1(self, first, relation, second):
        assert 0 <= position_score(first, relation, second) <= 1


class TestScore:
    def test_by_hand(self):
        result = score_image([cat(50, 50), dog(300, 50)], SQUARE, "cat", "on the left of", "dog")
        assert result == SpatialScore(pytest.approx(0.25 * 0.9 + 0.25 * 0.7 + 0.5), True, 1.0)

    def test_wrong_way_is_below_a_half_and_so_nothing(self):
        assert score_image([cat(50, 50), dog(300, 50)], SQUARE, "cat", "on the right of", "dog") == SpatialScore(0.0, True, 0.0)

    @pytest.mark.parametrize("seen", [[], [cat(5, 5, 1.0)], [dog(5, 5, 1.0)], [Detection("tomcat", 1.0, around(5, 5)), dog(50, 5)]])
    def test_one_missing_is_nothing(self, seen):
        assert score_image(seen, SQUARE, "cat", "on the left of", "dog") == SpatialScore(0.0, False, 0.0)

    def test_certain_of_both_the_wrong_way_is_exactly_a_half_and_stays(self):
        assert score_image([cat(50, 50, 1.0), dog(300, 50, 1.0)], SQUARE, "cat", "on the right of", "dog").score == 0.5

    def test_distances_are_those_of_the_frame(self):
        # 200 pixels on both axes of an image of 958: 100 in the frame
        seen = [cat(100, 100), dog(300, 300)]
        assert score_image(seen, (958, 958), "cat", "near", "dog").position == 1
        assert score_image(seen, (479, 479), "cat", "near", "dog").position == 0.75
        assert score_image(seen, (480, 100), "cat", "near", "dog").position == 0.75  # 480 on the longer side of what is not square

    def test_people_are_persons(self):
        seen = [Detection("person", 0.9, around(50, 50)), dog(300, 50)]
        for noun in ("girl", "boy", "man", "woman", "person"):
            assert score_image(seen, SQUARE, noun, "on the left of", "dog").position == 1
        assert t2i.label("child") == "child"

    def test_the_same_class_twice_is_the_same_box(self):
        seen = [Detection("person", 0.9, around(50, 50)), Detection("person", 0.8, around(300, 50))]
        assert score_image(seen, SQUARE, "girl", "on the left of", "boy").position == 0
        assert score_image(seen, SQUARE, "girl", "near", "boy").position == 1

    @pytest.mark.parametrize("size", [(0, 0), (479, 0), (0, 5), (-1, 5)])
    def test_an_image_without_area(self, size):
        with pytest.raises(ValueError, match="`size` must be positive"):
            score_image([cat(5, 5), dog(9, 5)], size, "cat", "near", "dog")

    def test_a_picture_of_one_pixel_s_width_is_scored(self):
        seen = [Detection("cat", 0.8, (0.0, 0.0, 1.0, 100.0)), Detection("dog", 0.6, (0.0, 300.0, 1.0, 400.0))]
        assert score_image(seen, (1, 400), "cat", "above", "dog").position == 1.0

    def test_the_error_on_boxes_in_parts_of_the_picture_has_its_size(self):
        seen = [Detection("cat", 0.8, (0.0, 0.0, 0.5, 0.5)), Detection("dog", 0.6, (0.5, 0.0, 1.0, 0.5))]
        with pytest.raises(ValueError, match="640 x 480, got parts of it"):
            score_image(seen, (640, 480), "cat", "left of", "dog")

    def test_an_unknown_relation_is_refused_with_nothing_detected(self):
        with pytest.raises(ValueError, match="`relation` is unknown"):
            score_image([], SQUARE, "cat", "behind", "dog")

    @given(detections, st.sampled_from((*CLOSE, *DIRECTIONS)), st.sampled_from([official, infsplign]))
    def test_laws(self, seen, relation, pick):
        result = score_image(seen, SQUARE, "cat", relation, "dog", pick=pick)
        assert result.score == 0 or 0.5 <= result.score <= 1
        assert result.both or result == SpatialScore(0.0, False, 0.0)

    @given(detections, st.sampled_from((*CLOSE, *DIRECTIONS)), st.integers(1, 5))
    def test_a_larger_picture_of_the_same_scores_the_same(self, seen, relation, factor):
        larger = [replace(found, box=tuple(factor * side for side in found.box)) for found in seen]
        small = score_image(seen, (512, 512), "cat", relation, "dog")
        large = score_image(larger, (512 * factor, 512 * factor), "cat", relation, "dog")
        assert small.both == large.both
        if not any(close(seen, relation)):
            assert small.position == pytest.approx(large.position)


def close(seen, relation):
    """Whether rounding may decide: centres as far along one axis as along the other, at the reach, or an overlap at the limit."""
    one, other = official(seen, "cat"), official(seen, "dog")
    if one is None or other is None:
        return
    x, y = np.subtract(other.centre, one.centre)
    reach = t2i.REACH * 512 / t2i.SHORTER
    yield from (abs(abs(x) - abs(y)) < 1e-6, abs(abs(x) - reach) < 1e-6, abs(abs(y) - reach) < 1e-6, abs(x) < 1e-9, abs(y) < 1e-9)
    yield abs(iou(one.box, other.box) - t2i.OVERLAP) < 1e-9


class TestVariants:
    SEEN = (cat(50, 50, 0.9), dog(300, 50, 0.8), cat(450, 50, 0.6))

    def test_the_first_box_wins_officially_and_the_last_for_the_authors(self):
        assert official(self.SEEN, "cat") is self.SEEN[0]
        assert infsplign(self.SEEN, "cat") is self.SEEN[2]
        assert score_image(self.SEEN, SQUARE, "cat", "on the left of", "dog").position == 1
        assert score_image(self.SEEN, SQUARE, "cat", "on the left of", "dog", pick=infsplign).position == 0

    @pytest.mark.parametrize("name", ["cat, dog", "cat and dog", "dog,cat", "cat , dog, cow"])
    def test_joined_labels_count_for_the_authors_alone(self, name):
        seen = [Detection(name, 0.9, around(50, 50))]
        assert official(seen, "cat") is official(seen, "dog") is None
        assert infsplign(seen, "cat") is infsplign(seen, "dog") is seen[0]

    def test_and_within_a_word_joins_nothing(self):
        assert infsplign([Detection("candle", 0.9, around(5, 5))], "c") is None
        assert infsplign([Detection("sand and sea", 0.9, around(5, 5))], "sand") is not None

    def test_commas_part_a_label_and_only_where_there_is_none_does_and(self):
        assert infsplign([Detection("cow, cat and dog", 0.9, around(5, 5))], "cat") is None
        assert infsplign([Detection("cow, cat and dog", 0.9, around(5, 5))], "cat and dog") is not None

    def test_of_equal_scores_the_first_officially_and_the_last_for_the_authors(self):
        seen = [cat(1, 1, 0.7), cat(2, 2, 0.7)]
        assert (official(seen, "cat"), infsplign(seen, "cat")) == (seen[0], seen[1])

    @given(detections.filter(lambda seen: len({found.score for found in seen}) == len(seen)), st.randoms())
    def test_the_order_of_different_scores_plays_no_part(self, seen, random):
        shuffled = random.sample(seen, len(seen))
        for pick in (official, infsplign):
            assert pick(seen, "cat") == pick(shuffled, "cat")

    @given(st.lists(st.builds(Detection, st.sampled_from(["cat", "dog"]), st.floats(0.5, 1), seen_boxes), unique_by=lambda one: one.name))
    def test_the_same_where_each_name_is_found_once(self, seen):
        scores = [score_image(seen, SQUARE, "cat", "near", "dog", pick=pick) for pick in (official, infsplign)]
        assert scores[0] == scores[1]


def test_measures_are_means_over_images():
    images = {"p": [SpatialScore(0.8, True, 1.0), SpatialScore(0.0, True, 0.5)], "q": [SpatialScore(0.0, False, 0.0)] * 2}
    ratios = spatial_ratios(images)
    assert ratios.names == ("score", "both", "position")
    assert ratios.values() == pytest.approx([0.2, 0.5, 0.75])
