"""Names of things, by classes of words and places; and the list of words itself."""

import doctest
from importlib import import_module

import pytest

from benchmarks import lexicon
from infsplign.prompts.lexicon import classes, words
from infsplign.prompts.nouns import first_name

NOUNS = ("cat", "wine glass", "office building", "ice cream cone", "frying pan", "traffic light", "fridge", "teddy bear")
AFTER = (
    "barks",
    "turning left",
    "parked here",
    "cute",
    "highly detailed",
    "masterpiece",
    "pencil sketch",
    "at night",
    "and a dog",
    "/ art",
    "",
)


@pytest.mark.parametrize("article", ["", "a", "the", "his"])
@pytest.mark.parametrize("adjectives", ["", "red", "small blue", "very old", "smiling", "hand-painted", "black and white", "light blue"])
def test_a_name_is_modifiers_and_nouns(article, adjectives):
    for noun in NOUNS:
        name = f"{adjectives} {noun}".split()
        for after in AFTER:
            said = [*article.split(), *name, *after.split()]
            begin, end, number = first_name(said)
            assert (said[begin:end], number) == (name, ""), said


@pytest.mark.parametrize(("text", "name", "number"), [
    ("two dogs play", "dogs", "two"),
    ("the 12 red apples", "red apples", "12"),
    ("a couple of ducks", "ducks", ""),
    ("a glass of cold water on a table", "glass of cold water", ""),
    ("wrist watches", "wrist watches", ""),
    ("a cat watches a bird", "cat", ""),
    ("people walk", "people", ""),
    ("a snow covered mountain", "snow covered mountain", ""),
    ("a house covered with snow", "house", ""),
])  # fmt: skip
def test_numerals_quantities_and_verbs(text, name, number):
    said = text.split()
    found = first_name(said)
    assert (" ".join(said[found.begin : found.end]), found.number) == (name, number)


def test_the_list_of_words_is_made_from_tables_of_words():
    table = [("bark", "verb"), ("bark", "noun"), ("cat", "noun"), ("Paris", "noun"), ("be", "aux"), ("wooden", "adj")]
    assert lexicon.text(table).splitlines()[1:] == ["a wooden", "n cat", "nv bark"]
    assert len(words()) > 60_000
    assert [classes(word) for word in ("barked", "red-haired", "fridge", "qwertz")] == ["v", "a", "n", ""]


@pytest.mark.parametrize("name", ["lexicon", "nouns", "weights", "hints", "listing", "mentions", "phrases", "parsing", "by_hand", "tokens"])
def test_examples_of_docstrings(name):
    result = doctest.testmod(import_module(f"infsplign.prompts.{name}"))
    assert result.failed == 0
    assert result.attempted > 0
