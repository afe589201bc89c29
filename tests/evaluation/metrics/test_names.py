"""Names of objects: which are the same, which stand for none that is asked for, and what an error shows of them."""

import string

from hypothesis import given
from hypothesis import strategies as st

from infsplign.detection import Detection
from infsplign.evaluation.metrics.names import SHOWN, joined, listed, nearest, plain, unmatched, whole

words = st.text(string.ascii_lowercase, min_size=1, max_size=6)


def seen(*names):
    return [Detection(name, 0.9, (0.0, 0.0, 10.0, 10.0)) for name in names]


@given(st.lists(words, min_size=1, max_size=4), st.data())
def test_names_are_compared_without_case_and_whatever_parts_their_words(parts, data):
    gaps = [data.draw(st.text(" _-\t", min_size=1, max_size=3)) for _ in parts]
    spelled = "".join(gap + (part.upper() if data.draw(st.booleans()) else part) for gap, part in zip(gaps, parts, strict=True))
    assert plain(spelled) == " ".join(parts)
    assert plain(plain(spelled)) == plain(spelled)


def test_a_label_is_one_name_or_several():
    assert whole("Ship, boat") == ("ship, boat",)
    assert joined("Ship, Sail_boat") == ("ship", "sail boat")
    assert joined("mug and cup") == ("mug", "cup")
    assert joined("sandwich") == ("sandwich",)


def test_what_is_never_found_and_what_is_never_asked_for():
    asked = {"1": ["Cat", "teddy bear"], "2": ["dog"]}
    found = {"1": seen("cat ", "lamp"), "2": seen("Teddy_Bear"), "3": seen("dog", "zebra")}  # nobody asks for image 3
    assert unmatched(asked, found) == (["dog"], ["lamp"])


def test_names_are_met_in_any_image_that_is_asked_for():
    assert unmatched({"1": ["cat"], "2": ["cat"]}, {"1": [], "2": seen("cat")}) == ([], [])
    assert unmatched({"1": ["cat", "dog"]}, {"1": []}) == (["cat", "dog"], [])


def test_a_label_of_several_names_meets_each():
    asked, found = {"1": ["cat", "dog"]}, {"1": seen("dog and cat", "lamp and sofa")}
    assert unmatched(asked, found, joined) == ([], ["lamp and sofa"])
    assert unmatched(asked, found) == (["cat", "dog"], ["dog and cat", "lamp and sofa"])


def test_the_nearest_label_shares_a_word_or_is_spelled_alike():
    labels = ["a photo of a zebra", "Bear", "motorcycle"]
    assert nearest("teddy bear", labels) == "Bear"
    assert nearest("motorcycl", labels) == "motorcycle"
    assert nearest("beer", labels) is None  # three of four letters are too few
    assert nearest("cat", []) is None
    assert nearest("Zebra", labels) == "a photo of a zebra"


@given(st.integers(0, 12))
def test_an_error_shows_five_names_and_counts_the_others(count):
    names = [f"name {number}" for number in range(count)]
    shown = ", ".join(f"'{name}'" for name in names[:5])
    assert SHOWN == 5
    assert listed(names) == (shown if count <= 5 else f"{shown} and {count - 5} more")
