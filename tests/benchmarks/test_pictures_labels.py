"""Labels beside the verdicts of the detector of the world of pictures."""

import json

import pytest
from PIL import Image

from benchmarks import pictures_labels

CAT, DOG = ("cat", 0.9, (0.0, 0.0, 40.0, 40.0)), ("dog", 0.8, (60.0, 0.0, 100.0, 40.0))
LABELS = {"by": "a person", "question": "right?", "once": [0, 1], "doubtful": [3], "chosen_on": "even"}


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


def test_json_labels_keep_what_they_say(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(LABELS))
    assert pictures_labels.read_labels(path, 200, "somebody else") == LABELS


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


def test_the_page_counts_both_halves_and_what_is_not_doubtful():
    asked = [("cat", "dog")] * 4
    page = pictures_labels.page(LABELS, asked, [[CAT, DOG], [CAT], [], [CAT, DOG]])
    assert (
        "All pictures: they agree on 2 of 4, 50.0% (both say right 1, both wrong 1, right only by the label 1, only by the detector 1)"
        in page
    )
    assert "Even numbers, on which the detector's thresholds were chosen: 2 of 2, 100.0%" in page
    assert "Odd numbers, which nothing was chosen on: 0 of 2, 0.0%" in page
    assert "Without 1 that are labelled doubtful: 2 of 3, 66.7%" in page
    assert "| 1 | cat, dog | right | cat 0.90 |" in page
    assert "| 3 | cat, dog | wrong | cat 0.90, dog 0.80 |" in page


def test_labels_of_other_pictures_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures_labels, "look", lambda out: ([("cat", "dog")] * 4, [[]] * 4))
    (tmp_path / "weights.txt").write_text("new")
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(LABELS | {"weights": "old"}))
    with pytest.raises(ValueError, match="weights old, but .* has those of new"):
        pictures_labels.judge(path, tmp_path, tmp_path / "docs", "me")
    pictures_labels.judge(_text(tmp_path), tmp_path, tmp_path / "docs", "me")
    kept = json.loads((tmp_path / "docs" / "pictures-labels.json").read_text())
    assert kept["weights"] == "new"
    assert kept["once"] == [2]


def _text(folder):
    path = folder / "labels.txt"
    path.write_text("right: 2")
    return path


def test_a_sheet_has_twenty_pictures_at_twice_their_size(tmp_path):
    pictures = [Image.new("RGB", (128, 128), (255, 0, 0))] * 23
    paths = pictures_labels.sheets([("cat", "dog")] * 23, pictures, tmp_path)
    assert [path.name for path in paths] == ["sheet-0.png", "sheet-1.png"]
    first, second = (Image.open(path).convert("RGB") for path in paths)
    assert first.size == (5 * 256, 4 * (256 + pictures_labels.LINE))
    assert first.getpixel((3 * 256 + 100, 100)) == (255, 0, 0)
    assert second.getpixel((3 * 256 + 100, 100)) == (255, 255, 255), "the second has three"
