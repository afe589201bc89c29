"""Cases 36 and 37: the evaluators agree with small rewrites of the published ones, over random detections, thresholds, ties and sizes."""

import random

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from infsplign.core.spellings import relation
from infsplign.detection import Detection
from infsplign.evaluation.detectors import ImageDetections
from infsplign.evaluation.detectors.protocol import best_first
from infsplign.evaluation.metrics.geneval import relations_of
from infsplign.evaluation.metrics.t2i import frame_of, score_image
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS
from tests.evaluation.metrics import published

PHRASES = ("near", "next to", "on side of", "on the left of", "on the right of", "on the top of", "on the bottom of", "on top of")
DIRECTIONS = ("left of", "right of", "above", "below")
LIMITS = (0.05, 0.1, 0.10000000149, 0.1000001, 0.25, 0.3, 0.30000001192, 0.3000001, 0.5, 0.75, 1.0)
SIZES = ((479, 479), (480, 320), (958, 958), (512, 512), (768, 512), (512, 513))
CASES = 40
"""Cases of each example: a hundred examples make four thousand."""
seeds = st.integers(0, 2**32 - 1).map(random.Random)


def single(x):
    return float(np.float32(x))


def drawn(by, *names):
    """Detections as detectors list them, best score first; half of all numbers from few values, so that ties and limits are common."""
    rows = []
    for _ in range(by.randrange(7)):
        x, y = (15 * by.randrange(31) if by.random() < 0.5 else by.uniform(0, 479) for _ in range(2))
        w, h = (15 * by.randrange(1, 11) if by.random() < 0.5 else by.uniform(1, 200) for _ in range(2))
        score = by.choice(LIMITS) if by.random() < 0.5 else by.random()
        rows.append((by.choice(names), single(score), tuple(map(single, (x, y, x + w, y + h)))))
    return sorted(rows, key=lambda row: -row[1])


def sized(by):
    return by.choice(SIZES) if by.random() < 0.5 else (by.randrange(64, 2048), by.randrange(64, 2048))


def judged(benchmark, detections, asked, size=(479, 479)):
    first, spelling, second = asked
    prompt = BenchmarkPrompt("0", "text", first, relation(spelling).name, second)
    picture = ImageDetections(size, tuple(best_first([Detection(*row) for row in detections])))
    return BENCHMARKS[benchmark].judge(picture, prompt, BENCHMARKS[benchmark].threshold)


class TestT2I:
    def test_case_36_weak_boxes_count(self):
        """By hand: 0.25 * 0.4 + 0.25 * 0.3 + 0.5."""
        seen = [("cat", 0.4, (10, 10, 30, 30)), ("dog", 0.3, (300, 10, 320, 30))]
        assert judged("t2i", seen, ("cat", "on the left of", "dog")).score == pytest.approx(0.675)
        assert judged("t2i", seen, ("cat", "on the right of", "dog")).score == 0  # 0.175 is below a half

    @given(seeds)
    def test_as_published(self, by):
        for _ in range(CASES):
            seen, size, phrase = drawn(by, "cat", "dog", "person", "dogs"), sized(by), by.choice(PHRASES)
            first, second = by.choice([("cat", "dog"), ("girl", "man"), ("dog", "boy")])
            assert judged("t2i", seen, (first, phrase, second), size).score == published.t2i(seen, size, first, phrase, second)

    @given(seeds)
    def test_as_the_authors_evaluate_it(self, by):
        for _ in range(CASES):
            seen, size = drawn(by, "cat", "dog", "cat, dog", "dog and cow", "cow, cat and dog", "sand"), sized(by)
            asked = ("cat", by.choice(PHRASES), "dog")
            assert judged("t2i-infsplign", seen, asked, size).score == published.t2i_of_the_authors(seen, size, *asked)

    @given(st.integers(1, 3000), st.integers(1, 3000))
    @example(512, 512)
    @example(1000, 999)
    def test_the_frame_is_that_of_torchvision(self, width, height):
        """479 where it is square, or too nearly so for a pixel; else 480 on the longer side."""
        assume(max(width, height) < 400 * min(width, height))
        frame = frame_of((width, height))
        assert frame == published.shown(width, height)
        assert max(frame) == 480 or (frame == (479, 479) and max(width, height) / min(width, height) < 480 / 479)
        assert frame_of(frame) == frame  # what was detected in the frame is not resized again

    @pytest.mark.parametrize(("x", "y", "expected"), [(150, 200, 0.75), (149.5, 400, 1), (200, 150, 0.75), (151, 151, 150 / 151)])
    def test_near_ends_at_150(self, x, y, expected):
        seen = [("cat", 1.0, (0, 0, 20, 20)), ("dog", 1.0, (x, y, x + 20, y + 20))]
        assert judged("t2i", seen, ("cat", "near", "dog")).position == expected

    @pytest.mark.parametrize("spelling", ["near", "Near", " next  to", "beside", "on side of", "CLOSE TO"])
    def test_every_spelling_of_near(self, spelling):
        seen = [Detection("cat", 1.0, (0, 0, 20, 20)), Detection("dog", 1.0, (10, 200, 30, 220))]
        assert score_image(seen, (479, 479), "cat", spelling, "dog").score == 1

    @pytest.mark.parametrize("spelling", ["far from", "inside", "between", "upper left of", "larger than"])
    def test_what_the_rule_does_not_measure_is_refused(self, spelling):
        with pytest.raises(ValueError, match="which T2I-CompBench measures, got"):
            score_image([], (479, 479), "cat", spelling, "dog")
        assert spelling not in BENCHMARKS["t2i"].relations


class TestGenEval:
    @given(seeds)
    def test_as_published(self, by):
        for _ in range(CASES):
            seen, asked = drawn(by, "cat", "dog", "cow"), ("cat", by.choice(DIRECTIONS), "dog")
            assert judged("geneval", seen, asked).correct is published.geneval(seen, *asked)

    @given(seeds)
    def test_at_the_limit_single_precision_decides(self, by):
        """Equal boxes of side s, 0.4 s apart: what is left of the distance is a half of it, to rounding."""
        for _ in range(CASES):
            side = by.uniform(5, 300)
            one, other = (tuple(single(x + sign * side / 2) for x, sign in ((x, -1), (0, -1), (x, 1), (0, 1))) for x in (0.4 * side, 0))
            assert relations_of(one, other) == published.held(one, other)

    def test_equal_scores_are_those_of_single_precision(self):
        seen = [("cat", 0.9 + 1e-9, (0, 0, 20, 20)), ("cat", 0.9, (400, 0, 420, 20)), ("dog", 0.9, (200, 0, 220, 20))]
        assert judged("geneval", seen, ("cat", "right of", "dog")).correct

    def test_case_37_the_last_of_equal_scores(self):
        seen = [("cat", 0.9, (0, 0, 20, 20)), ("cat", 0.9, (400, 0, 420, 20)), ("dog", 0.9, (200, 0, 220, 20))]
        assert judged("geneval", seen, ("cat", "right of", "dog")).correct
        assert not judged("geneval", seen, ("cat", "left of", "dog")).correct


class TestVisor:
    @given(seeds)
    def test_as_published(self, by):
        for _ in range(CASES):
            seen, asked = drawn(by, "cat", "dog", "cow"), ("cat", by.choice(DIRECTIONS), "dog")
            verdict = judged("visor", seen, asked)
            assert (verdict.both, verdict.correct) == published.visor(seen, *asked)


@pytest.mark.parametrize(("benchmark", "limit"), [("visor", 0.1), ("t2i", 0.1), ("t2i-infsplign", 0.1), ("geneval", 0.3)])
@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_case_37_thresholds_are_those_of_single_precision(benchmark, limit, steps):
    """The float32 nearest to the threshold is not above it; the next one is."""
    score = np.float32(limit)
    for _ in range(abs(steps)):
        score = np.nextafter(score, np.float32(steps * 2), dtype=np.float32)
    seen = [("cat", float(score), (10, 10, 30, 30)), ("dog", 0.9, (300, 10, 320, 30))]
    assert judged(benchmark, seen, ("cat", "left of", "dog")).both is (steps > 0)
