"""Labels beside the verdicts of the detector of the world of pictures."""

import json

import pytest
from PIL import Image

from benchmarks import pictures_labels

CAT, DOG = ("cat", 0.9, (0.0, 0.0, 40.0, 40.0)), ("dog", 0.8, (60.0, 0.0, 100.0, 40.0))
KEPT = {
    "question": "right?",
    "weights": "w",
    "config": "c",
    "raters": [{"by": "one", "once": [0, 1], "doubtful": [3]}, {"by": "another", "once": [1], "doubtful": []}],
}


def test_a_text_says_which_are_right_and_the_rest_is_wrong(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("right: 0 4, 6\nright: 9-12\n\ndoubtful: 4\n")
    labels = pictures_labels.read_labels(path, 200, "me")
    assert labels["once"] == [0, 4, 6, 9, 10, 11, 12]
    assert labels["doubtful"] == [4]
    assert labels["by"] == "me"


@pytest.mark.parametrize(
    ("text", "message"),
    [("rigth: 4", "must begin with"), ("right: four", "'four'"), ("right: 200", "0 to 199, got 200"), ("doubtful: 198-201", "200, 201")],
)
def test_a_slip_in_a_text_is_refused(tmp_path, text, message):
    path = tmp_path / "labels.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        pictures_labels.read_labels(path, 200, "me")


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ([CAT, DOG], True),
        ([CAT, DOG, ("dog", 0.3, CAT[2])], False),  # an extra that is hardly seen
        ([CAT, DOG, ("dog", 0.1, CAT[2])], True),  # below what counts as seen
        ([CAT, ("dog", 0.4, DOG[2])], False),  # badly drawn
        ([CAT, DOG, ("malformed", 0.5, CAT[2])], False),
        ([CAT], False),
    ],
)
def test_a_verdict_needs_each_once_and_nothing_else(found, right):
    assert pictures_labels.verdict(found, ("cat", "dog"), min_score=0.5, seen=0.2) is right


def test_the_page_says_how_far_raters_and_detector_agree():
    asked = [("cat", "dog"), ("cat", "dog"), ("cup", "car"), ("cup", "car")]
    page = pictures_labels.page(KEPT, asked, [[CAT, DOG], [CAT], [], [("cup", *CAT[1:]), ("car", *DOG[1:])]])
    assert "- rater A: one." in page
    assert "| detector | 50.0 | 50.0 | 50.0 |  | 50.0 | 25.0 |" in page
    assert "| rater A | 50.0 | 100.0 | 0.0 | 50.0 |  | 75.0 |" in page
    assert "| rater B | 25.0 | 50.0 | 0.0 | 25.0 | 75.0 |  |" in page
    assert "Where all raters agree, 3 pictures, the detector agrees on 33.3%." in page
    assert "| an animal or a person | 2 | 50.0 | 0.0 |" in page
    assert "| things only | 2 | 100.0 | 50.0 |" in page
    assert "| 0 |" not in page, "the raters differ on it"
    assert "| 1 | cat, dog | right | cat 0.90 |" in page
    assert "| 3 | cup, car | wrong | cup 0.90, car 0.80 |" in page


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures_labels, "look", lambda out: ([("cat", "dog")] * 4, [[]] * 4))
    (tmp_path / pictures_labels.MADE).write_text(json.dumps({"weights": "w", "config": "c"}))
    (tmp_path / pictures_labels.KEPT).write_text(json.dumps(KEPT))
    return tmp_path


@pytest.mark.parametrize("key", ["weights", "config"])
def test_labels_of_other_pictures_are_refused(pictures, key):
    pictures_labels.judge([], [], pictures, pictures)
    (pictures / pictures_labels.MADE).write_text(json.dumps({"weights": "w", "config": "c", key: "new"}))
    with pytest.raises(ValueError, match=f'other pictures .*{key}: "{key[0]}" there, "new" asked for'):
        pictures_labels.judge([], [], pictures, pictures)


def test_the_labels_that_are_kept_are_of_the_model_that_ships_and_its_options():
    kept = json.loads((pictures_labels.DOCS / pictures_labels.KEPT).read_text())
    made = json.loads(json.dumps(pictures_labels.made_by()))
    assert {key: kept[key] for key in made} == made


def test_new_labels_are_kept_with_what_made_the_pictures(pictures):
    paths = [pictures / "a.txt", pictures / "b.txt"]
    paths[0].write_text("right: 2")
    paths[1].write_text("right: 1 2\ndoubtful: 1")
    pictures_labels.judge(paths, ["me", "you"], pictures, pictures)
    kept = json.loads((pictures / pictures_labels.KEPT).read_text())
    assert kept["weights"] == "w"
    assert kept["config"] == "c"
    assert kept["raters"] == [{"by": "me", "once": [2], "doubtful": []}, {"by": "you", "once": [1, 2], "doubtful": [1]}]
    with pytest.raises(ValueError, match="--by must name one rater for each of the 2 files"):
        pictures_labels.judge(paths, ["me"], pictures, pictures)


def test_a_sheet_has_twenty_pictures_at_twice_their_size(tmp_path):
    pictures = [Image.new("RGB", (128, 128), (255, 0, 0))] * 23
    paths = pictures_labels.sheets([("cat", "dog")] * 23, pictures, tmp_path)
    assert [path.name for path in paths] == ["sheet-0.png", "sheet-1.png"]
    first, second = (Image.open(path).convert("RGB") for path in paths)
    assert first.size == (5 * 256, 4 * (256 + pictures_labels.LINE))
    assert first.getpixel((3 * 256 + 100, 100)) == (255, 0, 0)
    assert second.getpixel((3 * 256 + 100, 100)) == (255, 255, 255), "the second has three"
