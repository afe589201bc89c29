"""How a prompt is read, as the page shows it."""

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from infsplign.app.reading import read_prompt, relations_of


def shown(prompt: str, relations: str = "", model: str = "shapes") -> BeautifulSoup:
    return BeautifulSoup(read_prompt(prompt, relations, model), "html.parser")


def texts(page: BeautifulSoup, selector: str) -> list[str]:
    return [" ".join(found.get_text().split()) for found in page.select(selector)]


def test_objects_and_relations_are_shown():
    page = shown("a heart above a star, a fish between the heart and the star")
    assert texts(page, ".is-line:first-child .is-chip") == ["heart", "star", "fish"]
    assert texts(page, ".is-relation") == ["heart above star", "fish between heart and star"]
    assert page.select(".is-read")


def test_the_marker_stands_under_what_is_not_understood():
    page = shown("a heart lefft of a star")
    assert texts(page, "mark") == ["lefft"]
    assert texts(page, ".is-quote") == ["a heart lefft of a star"]
    assert "did you mean 'left'? Write `a heart left of a star`." in texts(page, ".is-problem")[0]


def test_a_missing_object_is_marked_as_a_gap():
    assert shown("a heart above").select("mark.is-gap")


def test_the_marker_is_in_the_relation_by_hand_where_that_is_wrong():
    assert texts(shown("a heart and a star", "heart lefft of star"), ".is-quote") == ["heart lefft of star"]


def test_relations_by_hand_replace_those_of_the_prompt():
    page = shown("a heart above a star", "heart below star; heart at the top")
    assert texts(page, ".is-relation") == ["heart below star", "heart at the top"]
    assert relations_of(" a left of b ;\n\n c above d\n") == ("a left of b", "c above d")


def test_words_outside_the_models_world_are_named():
    assert texts(shown("a zebra above a star"), ".is-note") == ["The model shapes was trained without zebra and will ignore or misread it."]
    assert shown("a zebra above a star", model="owner/name").select(".is-note") == []


def test_counts_are_named():
    assert texts(shown("two hearts above a star", model="owner/name"), ".is-note") == [
        "The number of two hearts is not guided, only where they are."
    ]


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_no_error(prompt):
    assert shown(prompt).select(".is-empty")
    assert not shown(prompt).select(".is-unread")


@given(st.text(max_size=60) | st.sampled_from(["<b>a</b> above <i>b</i>", 'a "cat" & <script> left of </div>']), st.text(max_size=20))
def test_any_text_is_escaped(prompt, relations):
    page = shown(prompt, relations)
    assert len(page.find_all(recursive=False)) == 1
    assert {tag.name for tag in page.find_all()} <= {"div", "span", "mark", "pre", "em"}
