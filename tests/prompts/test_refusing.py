"""Prompts that are not read: the error shows the prompt, a marker under the words, and the way out."""

import re

import pytest

from infsplign.errors import PromptError
from infsplign.prompts import parse_prompt, scene_from
from tests.prompts.words import marked

# prompt, what the message says, what it underlines
REFUSED = [
    ("a cat behind a dog", "'behind' is not understood", "behind"),
    ("a cat behind a dog left of a bird", "'behind' is not understood", "behind"),
    ("a car in the middle of a road", "'in the middle of' is not understood", "in the middle of"),
    ("a cat in the top left of a dog", "'in the top left of' is not understood", "in the top left of"),
    ("a cat not left of a dog", "a negation", "not"),
    ("a cat isn't above a dog", "a negation", "isn't"),
    ("a cat on a beach", "no relation between objects was found", "on"),
    ("two cats", "no relation between objects was found", "two cats"),
    # an object is missing
    ("a cat left of", "an object is missing", " "),
    ("left of a dog", "an object is missing", "l"),
    ("a lamp; left of a dog", "an object is missing", "l"),
    ("a cat left of the", "an object is missing", "the"),
    ("a cat above and on the left", "an object is missing", " "),
    ("on the left", "an object is missing", " "),
    ("a cat left of it", "not the name of an object", "it"),
    ("a cat left of a dog, with a bird on its left", "'on its left' is not understood", "on its left"),
    ("a woman over 50 left of a dog", "not the name of an object", "50"),
    # or it is not clear which one is meant
    ("a vase with flowers left of a dog", "not clear which object", "with"),
    ("a cat and dog left of a bird", "what this joins", "and"),
    ("a cat left of a dog is above a bird", "what the next relation is about", "a dog is"),
    ("a cat on a mat left of a dog", "what the next relation is about", "a mat"),
    ("a cat left of a dog. Above a table", "which objects these two relations join", "a dog."),
    ("a cat left of a dog, a bird, and a fish above a bus", "which objects these two relations join", "a dog, a bird, and a fish"),
    ("a cat above, a dog left of a bird", "which objects these two relations join", ", a dog"),
    ("a photo of a photo left of a cat", "'photo' stands here as well", "photo"),
    ("a red chair left of a blue chair, a cat above the chair", "which this is: red chair, blue chair", "chair"),
    # between
    ("a cat between two dogs", "'between' needs two objects", "two dogs"),
    ("a cat between a dog and a bird and a fish", "'between' needs two objects", "a dog and a bird and a fish"),
    ("a cat between", "'between' needs two objects", "between"),
    ("a cat between a dog and a bird above a bus", "what the next relation is about", "a dog and a bird"),
    ("a cat between a dog and a bird, which is above a bus", "what the next relation is about", "which is"),
    ("a cat between them", "which two objects", "them"),
    ("a cat and a dog left of a bus, a bird between them", "which two objects", "them"),
    ("a cat, a dog and a bird next to each other", "'each other' needs two objects", "each other"),
    ("a cat and a dog above each other", "'each other' needs two objects", "each other"),
    # nothing that one picture can show
    ("a cat above or below a dog", "a choice or a negation", "or"),
    ("a cat either left of or right of a dog", "a choice or a negation", "cat either"),
    ("a dog above no cat", "a choice or a negation", "no cat"),
    ("either a cat or a dog to the left of a bird", "a choice or a negation", "either a cat or a dog"),
    ("a cat/dog left of a bird", "not clear which object", "cat/dog"),
    ("a bird left of a cat/dog", "not clear which object", "cat/dog"),
    # words that stand for an object, or for none
    ("a cat and a dog, the former left of the latter", "not the name of an object", "former"),
    ("what is left of a dog", "not the name of an object", "what"),
    ("something left of a dog", "not the name of an object", "something"),
    ("draw a cat. put it left of a dog", "not clear which object", "put it"),
    ("a cat. place it above a dog", "not clear which object", "place it"),
    ("a cat left above a dog", "not clear which object", "cat left"),
    ("a cat left of a dog, another cat above a bird", "another object has the same name", "cat"),
    # text that the picture shows
    ('a sign that says "cat left of dog"', "words in quotes are text", '"cat left of dog"'),
    ("a cat left of a dog, a sign \u201clook above us\u201d", "words in quotes are text", "\u201clook above us\u201d"),
]


@pytest.mark.parametrize(("prompt", "message", "words"), REFUSED)
def test_refuses_and_points_at_the_words(prompt, message, words):
    with pytest.raises(PromptError) as error:
        parse_prompt(prompt)
    assert message.lower() in str(error.value).split("\n")[3].lower()
    assert str(error.value).split("\n")[1] == f"  {prompt}"
    assert marked(error.value) == words


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_empty(prompt):
    with pytest.raises(PromptError, match=r"must not be empty.*a cat to the left of a dog"):
        parse_prompt(prompt)


def test_not_a_string():
    with pytest.raises(TypeError, match="must be a string, got list"):
        parse_prompt(["a cat left of a dog"])


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat left of a dog, a dog left of a cat",
        "a cat above a dog, a dog above a bird, a bird above the cat",
        "a cat on the left and the cat on the right",
    ],
)
def test_contradictions(prompt):
    with pytest.raises(PromptError, match=rf"(?s){re.escape(prompt)}.*contradict each other"):
        parse_prompt(prompt)


def test_contradictions_by_hand():
    with pytest.raises(PromptError, match="contradict"):
        scene_from("a cat, a dog", [("cat", "left of", "dog"), ("a cat", "right of", "dog")])


def test_one_phrase_for_two_objects():
    with pytest.raises(PromptError, match="must join two different objects"):
        parse_prompt("a cat left of another cat")


@pytest.mark.parametrize(
    "prompt",
    [
        '"a cat left of a dog"',
        'a "cat" left of a "dog"',
        "an all-terrain cat left of a dog",
        "a cat right above a dog",
        "a cat left of this dog",
    ],
)
def test_its_neighbours_are_read(prompt):
    """What is nearly one of the refused prompts, and clear."""
    scene = parse_prompt(prompt)
    assert [name.split()[-1] for name in scene.objects] == ["cat", "dog"]


def test_larger_than_life_compares_nothing():
    assert parse_prompt("a cat left of a dog, larger than life").objects == ("cat", "dog")
