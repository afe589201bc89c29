"""Files of detections: read back as written, and broken ones refused by image."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.detection import Detection
from infsplign.evaluation.detectors import ImageDetections
from infsplign.evaluation.detectors.recorded import FORMAT, Recording, RecordingError, Seen, read_recording, write_recording

text = st.text(st.characters(codec="utf-8"), max_size=8)
part = st.floats(0, 1)


@st.composite
def pictures(draw):
    """Detections whose centres lie in their image; boxes may reach beyond it."""
    width, height = draw(st.tuples(st.integers(4, 2000), st.integers(4, 2000)))
    rows = []
    for _ in range(draw(st.integers(0, 3))):
        x, y, w, h = width * draw(part), height * draw(part), draw(st.floats(4, 1e4)), draw(st.floats(4, 1e4))
        rows.append(Detection(draw(text), draw(part), (x - w / 2, y - h / 2, x + w / 2, y + h / 2)))
    return ImageDetections((width, height), tuple(sorted(rows, key=lambda d: -d.score)))


seen = st.builds(Seen, pictures(), st.none() | st.tuples(text, text), st.none() | st.text("0123456789abcdef", min_size=64, max_size=64))
IMAGE = {"size": [9, 9], "detections": [{"name": "cat", "score": 0.5, "box": [0, 0, 1, 1]}]}


@settings(deadline=None, max_examples=40)
@given(images=st.dictionaries(text, seen, max_size=4))
def test_read_back(tmp_path_factory, images):
    path = tmp_path_factory.mktemp("recorded") / "detections.json"
    recording = Recording({"name": "x", "threshold": 0.1}, images)
    write_recording(path, recording)
    assert read_recording(path) == recording


def test_the_best_score_comes_first_whatever_the_order_in_the_file(tmp_path):
    rows = [{"name": str(n), "score": score, "box": [0, 0, 1, 1]} for n, score in enumerate((0.2, 0.9, 0.2))]
    seen = read(tmp_path, {"a": {"size": [5, 5], "detections": rows}}).images["a"]
    assert [d.name for d in seen.found.detections] == ["1", "0", "2"]


def read(folder, images, change=None):
    path = folder / "detections.json"
    path.write_text(json.dumps({"format": FORMAT, "detector": {"name": "x"}, "images": images} | (change or {})))
    return read_recording(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "coco"}, "expected an object with `format`"),
        ({"detector": {}}, "expected `detector` to be an object with a `name`"),
        ({"detector": "owlvit"}, "expected `detector`"),
        ({"images": []}, "expected `images` to be an object, got list"),
        ({"detector": {"name": "x", "threshold": "0.9"}}, "`detector`: expected `threshold` to be a number or null, got '0.9'"),
        ({"detector": {"name": "x", "threshold": True}}, "`detector`: expected `threshold` to be a number or null, got True"),
    ],
)
def test_broken_files(change, message, tmp_path):
    with pytest.raises(RecordingError, match=message):
        read(tmp_path, {}, change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": [0, 9]}, "`size` to be positive"),
        ({"size": [9, float("nan")]}, "`size` to be positive"),
        ({"size": 9}, "image 'a'"),
        ({"names": "cat"}, "`names` to be a list"),
        ({"detections": None}, "image 'a'"),
        ({"detections": {}}, "`detections` to be a list, got {}"),
        ({"detections": [{"name": "cat", "score": 0.5}]}, "box is missing"),
        ({"detections": [{"name": 3, "score": 0.5, "box": [0, 0, 1, 1]}]}, "`name` to be a text, got 3"),
        ({"detections": [{"name": "cat", "score": 1.5, "box": [0, 0, 1, 1]}]}, "from 0 to 1, got 1.5"),
        ({"detections": [{"name": "cat", "score": float("nan"), "box": [0, 0, 1, 1]}]}, "from 0 to 1, got nan"),
        ({"detections": [{"name": "cat", "score": "0.5", "box": [0, 0, 1, 1]}]}, "image 'a'"),
        ({"detections": [{"name": "cat", "score": 0.5, "box": [0, 0, 1]}]}, "image 'a'"),
        ({"detections": [{"name": "cat", "score": 0.5, "box": [2, 0, 1, 1]}]}, "x0 <= x1"),
        ({"detections": [{"name": "cat", "score": 0.5, "box": [0, 0, 1, float("inf")]}]}, "`box` to be numbers"),
    ],
)
def test_broken_images(change, message, tmp_path):
    with pytest.raises(RecordingError, match=message):
        read(tmp_path, {"a": IMAGE | change})


def test_broken_json_is_refused_by_line(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{\n\n]")
    with pytest.raises(RecordingError, match="line 3"):
        read_recording(path)
