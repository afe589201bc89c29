"""Case 11: names and units of detections that were made elsewhere are read rightly, or refused, or told of; never scored 0 in silence."""

import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infsplign.detection import Detection, check_units
from infsplign.evaluation.detectors.recorded import FORMAT, RecordingError, read_recording
from infsplign.evaluation.metrics import geneval, t2i
from infsplign.evaluation.metrics.names import joined, listed, nearest, plain
from infsplign.evaluation.metrics.strict import fidelity
from infsplign.evaluation.metrics.visor import judge
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS
from infsplign.evaluation.scoring.score_images import score_images, score_recording
from infsplign.evaluation.scoring.scored_folder import read_earlier
from tests.tiny_detectors import Fixed

CAT, DOG = (10, 10, 110, 110), (400, 10, 500, 110)
PROMPTS = [BenchmarkPrompt("0", "a cat to the left of a dog", "cat", "left of", "dog")]
MEASURE = {"visor": "uncond", "t2i": "position", "t2i-infsplign": "position", "geneval": "position"}
written = st.sampled_from(["cat", "Cat", "CAT", "cat ", " cat", "\tCat\n", "cat\u00a0"])
doubled = st.sampled_from(["hot dog", "Hot  Dog", "hot_dog", "HOT-DOG", " hot dog "])


def recording(folder, *rows, size=(512, 512), name="0_00", names=None):
    row = {"size": size, "detections": [{"name": n, "score": 0.9, "box": b} for n, b in rows]}
    path = folder / "found.json"
    path.write_text(json.dumps({"format": FORMAT, "detector": {"name": "x"}, "images": {name: row | ({"names": names} if names else {})}}))
    return read_recording(path)


def measured(benchmark, found, prompts=PROMPTS, measure=None):
    scored = score_recording(benchmark, prompts, found, label="x", threshold=BENCHMARKS[benchmark].threshold)
    ratios = BENCHMARKS[benchmark].ratios(scored.verdicts)
    return dict(zip(ratios.names, ratios.values().tolist(), strict=True))[measure or MEASURE[benchmark]]


@pytest.fixture
def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class TestNames:
    @given(written, doubled)
    def test_case_11_case_and_blanks_play_no_part(self, one, other):
        seen = [Detection(one, 0.9, CAT), Detection(other, 0.8, DOG)]
        assert judge(seen, "cat", "left of", "hot dog").correct
        assert judge(seen, "Cat ", "left of", "hot  dog").correct
        assert geneval.judge(seen, "cat", "left of", "hot dog").correct
        for pick in (t2i.official, t2i.infsplign):
            assert t2i.score_image(seen, (512, 512), "cat", "left of", "hot dog", pick=pick).position == 1
        assert fidelity(seen, ["cat", "hot dog"], correct=True, min_score=0.5).strict

    @pytest.mark.parametrize("benchmark", MEASURE)
    @pytest.mark.parametrize("name", ["Cat", "cat ", "CAT"])
    @pytest.mark.usefixtures("silent")
    def test_case_11_in_files(self, benchmark, name, tmp_path):
        assert measured(benchmark, recording(tmp_path, (name, CAT), ("Dog", DOG))) == 1
        assert measured(benchmark, recording(tmp_path, (name, CAT), ("Dog", DOG), names=["CAT", "Dog "])) == 1

    @given(st.text(), st.text())
    def test_plain_is_plain_already(self, one, other):
        assert plain(plain(one)) == plain(one)
        assert (plain(one) == plain(other)) == (plain(other) == plain(one))

    def test_other_names_stay_others(self):
        assert len({plain(name) for name in ("cat", "cats", "a cat", "ca t", "tomcat", "dog")}) == 6
        with pytest.raises(ValueError, match="two different objects"):
            judge([], "Cat", "left of", "cat ")

    @pytest.mark.parametrize("benchmark", MEASURE)
    def test_nothing_with_an_asked_name_is_refused(self, benchmark, tmp_path):
        with pytest.raises(RecordingError, match="none of the detections bears a name .*'feline', 'hound', asked for is 'cat', 'dog'"):
            measured(benchmark, recording(tmp_path, ("feline", CAT), ("hound", DOG)))

    @pytest.mark.usefixtures("silent")
    def test_nothing_found_is_no_fault(self, tmp_path):
        assert measured("visor", recording(tmp_path)) == 0

    @pytest.mark.usefixtures("silent")
    def test_other_things_alone_are_no_fault_where_the_file_says_what_was_looked_for(self, tmp_path):
        assert measured("visor", recording(tmp_path, ("table", CAT), names=["cat", "dog"])) == 0

    def test_one_name_that_is_never_found_is_told(self, tmp_path):
        with pytest.warns(UserWarning, match="never found and so scored 0: 'dog'; found and never asked for: 'hound'"):
            assert measured("visor", recording(tmp_path, ("cat", CAT), ("hound", DOG))) == 0
        with pytest.warns(UserWarning, match="such as 'cattle, dog' for 'dog'"):
            assert measured("t2i", recording(tmp_path, ("cat", CAT), ("cattle, dog", DOG), names=["cat", "dog"]), measure="score") == 0

    def test_girls_are_looked_for_as_persons(self, tmp_path):
        prompts = [BenchmarkPrompt("0", "a girl on the left of a dog", "girl", "left of", "dog")]
        with pytest.warns(UserWarning, match="scored 0: 'person'.*such as 'Girl' for 'person'"):
            assert measured("t2i", recording(tmp_path, ("Girl", CAT), ("dog", DOG)), prompts, "score") == 0

    @pytest.mark.usefixtures("silent")
    def test_joined_labels_are_names_where_the_rule_parts_them(self, tmp_path):
        assert measured("t2i-infsplign", recording(tmp_path, ("tiger, cat", CAT), ("dog", DOG))) == 1

    def test_helpers(self):
        assert joined("Ship ,boat") == ("ship", "boat")
        assert listed(list("abcdefg")) == "'a', 'b', 'c', 'd', 'e' and 2 more"
        assert nearest("computer mouse", ["cat", "mouse"]) == "mouse"
        assert nearest("donut", ["cat", "donuts"]) == "donuts"
        assert nearest("donut", ["cat"]) is None


class TestUnits:
    def test_case_11_parts_of_the_image_are_refused(self, tmp_path):
        """The same two boxes: 34.1 in percent in pixels of 479, where parts of 1 would give 100."""
        near = [BenchmarkPrompt("0", "a cat next to a dog", "cat", "next to", "dog")]
        found = recording(tmp_path, ("cat", (0, 0, 20, 20)), ("dog", (439, 439, 459, 459)), size=(479, 479))
        assert measured("t2i", found, near) == pytest.approx(150 / 439)
        with pytest.raises(RecordingError, match=r"image '0_00': expected boxes in pixels of the image of 479 x 479, got parts of it such"):
            recording(tmp_path, ("cat", (0, 0, 0.04, 0.04)), ("dog", (0.9, 0.9, 0.96, 1.02)), size=(479, 479))

    def test_case_11_parts_of_the_image_are_refused_by_the_rule_itself(self):
        seen = [Detection("cat", 0.9, (0, 0, 0.04, 0.04)), Detection("dog", 0.9, (0.9, 0.9, 0.96, 1.02))]
        with pytest.raises(ValueError, match="`detections` must have boxes in pixels of the image, 479 x 479, got parts of it"):
            t2i.score_image(seen, (479, 479), "cat", "next to", "dog")

    @pytest.mark.parametrize("box", [(100, 600, 300, 900), (600, 0, 900, 500), (-300, 0, -100, 50), (0, 513.5, 5, 514.5)])
    def test_a_centre_outside_the_image_is_refused(self, box, tmp_path):
        """As of boxes in thousandths of the image, and of pixels of a larger one."""
        with pytest.raises(RecordingError, match="whose centre lies outside the image of 512 x 512; are they in other units"):
            recording(tmp_path, ("cat", box))

    @pytest.mark.parametrize("box", [(-50, -50, 50, 50), (400, 400, 600, 600), (0, 0, 512, 512), (0, 0, 0, 0), (0, 0, 2, 2)])
    def test_boxes_may_reach_beyond_the_image(self, box, tmp_path):
        assert recording(tmp_path, ("cat", box)).images["0_00"].found.detections[0].box == box

    def test_the_square_that_an_image_is_padded_to_is_its_own(self, tmp_path):
        assert recording(tmp_path, ("cat", (0, 400, 20, 420)), size=(512, 300))

    def test_percent_is_told(self, tmp_path):
        with pytest.warns(UserWarning, match="no box reaches beyond 100 pixels"):
            measured("visor", recording(tmp_path, ("cat", (2, 2, 20, 20)), ("dog", (80, 2, 98, 20))))

    @pytest.mark.usefixtures("silent")
    def test_small_pictures_are_no_percent(self, tmp_path):
        assert measured("visor", recording(tmp_path, ("cat", (2, 2, 20, 20)), ("dog", (80, 2, 98, 20)), size=(128, 128))) == 1

    @given(st.tuples(*[st.integers(16, 2048)] * 2), st.floats(0, 1), st.floats(0, 1), st.floats(0.2, 1))
    def test_no_box_of_parts_is_taken_for_pixels(self, size, x, y, side):
        parts = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        with pytest.raises(ValueError, match="expected boxes in pixels"):
            check_units(size, [parts])
        check_units(size, [tuple(part * whole for part, whole in zip(parts, size * 2, strict=True))])


@pytest.mark.parametrize("scale", [1 / 512, 1000.0])
def test_boxes_of_an_own_detector_must_be_in_pixels(tmp_path, scale):
    Image.new("RGB", (512, 512)).save(tmp_path / "0_00.png")
    found = [Detection(name, 0.9, tuple(scale * side for side in box)) for name, box in (("cat", CAT), ("dog", DOG))]
    with pytest.raises(ValueError, match="expected boxes in pixels"):
        score_images("visor", PROMPTS, tmp_path, Fixed(*found), threshold=BENCHMARKS["visor"].threshold, progress=False)


@pytest.mark.parametrize(
    ("score", "box", "said"),
    [
        (90, CAT, "expected `score` to be a number from 0 to 1, got 90"),
        (float("nan"), CAT, "expected `score` to be a number from 0 to 1, got nan"),
        (0.9, (410, 20, 100, 100), "with x0 <= x1 and y0 <= y1"),
    ],
)
def test_what_an_own_detector_finds_is_checked_as_what_is_in_a_file(tmp_path, score, box, said):
    """A score of 90 gave an image 2250 percent, and one that is no number was dropped."""
    Image.new("RGB", (512, 512)).save(tmp_path / "0_00.png")
    detector = Fixed(Detection("cat", score, box), Detection("dog", 0.9, DOG))
    with pytest.raises(ValueError, match=said):
        score_images("t2i", PROMPTS, tmp_path, detector, threshold=BENCHMARKS["t2i"].threshold, progress=False)


@pytest.mark.parametrize("number", [np.float32, np.array, torch.tensor])
def test_an_own_detector_may_give_numbers_of_any_library(tmp_path, number):
    """They were found to be none of JSON after all images had been looked at."""
    Image.new("RGB", (512, 512)).save(tmp_path / "0_00.png")
    rows = (("cat", 0.75, CAT), ("dog", 0.5, DOG))
    plain, other = ([Detection(n, to(s), tuple(map(to, b))) for n, s, b in rows] for to in (float, number))
    kept = tmp_path / "found.json"
    verdicts = [
        score_images("t2i", PROMPTS, tmp_path, Fixed(*found), threshold=BENCHMARKS["t2i"].threshold, progress=False, keep=keep).verdicts
        for found, keep in ((plain, None), (other, kept))
    ]
    assert verdicts[0] == verdicts[1]
    assert read_recording(kept).images["0_00"].found.detections == tuple(plain)


def test_names_of_an_own_detector_are_compared(tmp_path):
    Image.new("RGB", (512, 512)).save(tmp_path / "0_00.png")
    detector = Fixed(Detection("cat", 0.9, CAT), Detection("dogs", 0.9, DOG))
    with pytest.warns(UserWarning, match="asked for, never found and so scored 0: 'dog'.*'dogs'"):
        score_images("visor", PROMPTS, tmp_path, detector, threshold=BENCHMARKS["visor"].threshold, progress=False)


def test_prompts_may_be_an_iterator_and_a_count_is_positive(tmp_path):
    Image.new("RGB", (512, 512)).save(tmp_path / "0_00.png")
    detector, options = Fixed(Detection("cat", 0.9, CAT)), {"threshold": BENCHMARKS["visor"].threshold, "progress": False}
    assert score_images("visor", iter(PROMPTS), tmp_path, detector, **options).results()["prompts"] == 1
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"`count` must be >= 1, got {count}"):
            score_images("visor", PROMPTS, tmp_path, detector, count=count, **options)


def test_detections_may_be_an_iterator():
    seen = [Detection("cat", 0.9, CAT), Detection("dog", 0.8, DOG)]
    assert t2i.score_image(iter(seen), (512, 512), "cat", "left of", "dog") == t2i.score_image(seen, (512, 512), "cat", "left of", "dog")
    one, other = (fidelity(found, ["cat", "dog"], correct=True, min_score=0.5) for found in (iter(seen), seen))
    assert one == other
    assert one.strict


def test_prompts_of_one_id_are_refused(tmp_path):
    """The image would be judged by the last of them."""
    Image.new("RGB", (512, 512)).save(tmp_path / "0_00.png")
    twice, least = [*PROMPTS, BenchmarkPrompt("0", "a dog to the left of a cat", "dog", "left of", "cat")], BENCHMARKS["visor"].threshold
    found, told = recording(tmp_path, ("cat", CAT), ("dog", DOG)), "`prompts` must have different ids, and 1 of them .* such as '0'"
    with pytest.raises(ValueError, match=told):
        score_images("visor", twice, tmp_path, Fixed(), threshold=least, progress=False)
    with pytest.raises(ValueError, match=told):
        score_recording("visor", twice, found, label="x", threshold=least)
    with pytest.raises(TypeError, match="`threshold` must be a `Threshold`, such as .*, got 0.1"):
        score_recording("visor", PROMPTS, found, label="x", threshold=0.1)


def test_detections_tell_which_prompt_they_are_judged_by(tmp_path):
    """Two prompts of the same objects: the file's lines may have moved since."""
    Image.new("RGB", (512, 512)).save(tmp_path / "0_00.png")
    options = {"threshold": BENCHMARKS["visor"].threshold, "progress": False, "keep": tmp_path / "found.json"}
    detector = Fixed(Detection("cat", 0.9, CAT), Detection("dog", 0.9, DOG))
    score_images("visor", PROMPTS, tmp_path, detector, **options)
    found, other = read_recording(tmp_path / "found.json"), [BenchmarkPrompt("0", "a cat above a dog", "cat", "above", "dog")]
    assert found.images["0_00"].prompt == PROMPTS[0].text
    with pytest.raises(RecordingError, match="for the prompt 'a cat to the left of a dog', and would be judged by 'a cat above a dog'"):
        score_recording("visor", other, found, label="x", threshold=options["threshold"])
    score_images("visor", other, tmp_path, detector, **options)
    assert read_recording(tmp_path / "found.json").images["0_00"].prompt == other[0].text


def test_detections_of_other_images_of_the_same_names_are_told(tmp_path):
    options = {"threshold": BENCHMARKS["visor"].threshold, "progress": False, "keep": tmp_path / "found.json"}
    detector = Fixed(Detection("cat", 0.9, CAT), Detection("dog", 0.9, DOG))
    for name, colour in (("one", "red"), ("two", "blue")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (512, 512), colour).save(tmp_path / name / "0_00.png")
    score_images("visor", PROMPTS, tmp_path / "one", detector, **options)
    with pytest.warns(UserWarning, match="held detections of 1 other images of these names, such as '0_00', which are replaced"):
        score_images("visor", PROMPTS, tmp_path / "two", detector, **options)


def test_images_of_other_numbers_are_no_pairs(tmp_path):
    """After a file is lost, `--count` would compare other seeds with each other."""
    scored = {}
    for name, numbers in (("one", "01"), ("two", "02")):
        (tmp_path / name).mkdir()
        for number in numbers:
            Image.new("RGB", (512, 512)).save(tmp_path / name / f"0_0{number}.png")
        detector = Fixed(Detection("cat", 0.9, CAT), Detection("dog", 0.9, DOG))
        scored[name] = score_images("visor", PROMPTS, tmp_path / name, detector, threshold=BENCHMARKS["visor"].threshold, progress=False)
    told = r"1 prompts are compared by images of other seeds or numbers, such as '0' \(0_00, 0_01 there, 0_00, 0_02 here\)"
    scored["one"].write(tmp_path / "out", scored["one"].results())
    for earlier in (scored["one"].earlier(), read_earlier(tmp_path / "out")):
        with pytest.warns(UserWarning, match=told):
            scored["two"].results(earlier)
        with warnings.catch_warnings(action="error"):
            scored["one"].results(earlier)
