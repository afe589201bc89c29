"""Relations given by hand, as triples and as text; and which words an object's map is read from."""

import numpy as np
import pytest

from infsplign.core.scenes import Scene
from infsplign.errors import PromptError, PromptWarning
from infsplign.prompts import parse_prompt, parse_relation, scene_from
from tests.prompts.words import IN, A, L, T, W, entries


class TestSceneFrom:
    def test_articles_and_case_do_not_make_another_object(self):
        scene = scene_from("A Cat, a dog and a bird", [("a cat", "left of", "the dog"), ("Cat", "above", "bird")])
        assert entries(scene) == [("cat", L, "dog"), ("cat", A, "bird")]

    def test_places_and_between(self):
        given = [("a cat", "between", ("the Dog", "a tree")), ("dog", "in the middle"), ("tree", "at the top", None)]
        scene = scene_from("a cat, a dog, a tree", given)
        assert entries(scene) == [("cat", W, "Dog", "tree"), ("Dog", "in the centre"), ("tree", "at the top")]

    @pytest.mark.parametrize("listed", [iter, np.array, tuple])
    def test_any_list(self, listed):
        assert scene_from("a cat and a dog", listed([("cat", "left of", "dog")])).objects == ("cat", "dog")

    def test_500_relations_are_read_and_no_more(self):
        entry = ("cat", "left of", "dog")
        assert entries(scene_from("a cat and a dog", [entry] * 500)) == [("cat", L, "dog")]
        with pytest.raises(PromptError, match="at most 500 entries, got 501"):
            scene_from("a cat and a dog", [entry] * 501)

    def test_object_not_in_the_prompt(self):
        with pytest.raises(
            PromptError, match=r"(?s)'bird' does not occur in the prompt.*a cat and a dog.*Spell objects as the prompt does"
        ):
            scene_from("a cat and a dog", [("cat", "left of", "bird")])

    @pytest.mark.parametrize(
        "relations",
        [
            [("cat", "left of")],
            ["cat left of dog"],
            [("cat", "behind", "dog")],
            [("cat", "above", " ")],
            [("cat", "between", "dog")],
            [("cat", "in the centre", "dog")],
            [("cat",)],
        ],
    )
    def test_malformed(self, relations):
        with pytest.raises(PromptError):
            scene_from("a cat and a dog", relations)


class TestParseRelation:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("cat left of dog", ("cat", L, "dog")),
            ("A left of B", ("A", L, "B")),
            ("a cat to the LEFT  of the teddy bear", ("cat", L, "teddy bear")),
            ("cat left dog", ("cat", L, "dog")),
            ("top hat above man holding an umbrella", ("top hat", A, "man holding an umbrella")),
            ("A between B and C", ("A", W, ("B", "C"))),
            ("a cat between a black and white dog and a tree", ("cat", W, ("black and white dog", "tree"))),
            ("A in the centre", ("A", "in the centre")),
            ("a cat in the top right corner of the picture", ("cat", "in the top right corner")),
            ("cat on mat", ("cat", T, "mat")),
            ("cat in box", ("cat", IN, "box")),
            ("cat in a hat left of dog", ("cat in a hat", L, "dog")),
        ],
    )
    def test_reads(self, text, expected):
        assert parse_relation(text) == expected
        Scene.of([parse_relation(text)])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("cat behind dog", "'behind' is not understood"),
            ("cat dog", "[Nn]o relation between objects was found"),
            ("left of dog", "missing before"),
            ("cat left of the", "missing after"),
            ("cat left of dog above bird", "this is the second"),
            ("cat between dog", "needs two objects"),
            ("cat between dog and", "missing after"),
            ("cat in the centre, dog", "leads to no other object"),
            ("in the centre", "missing before"),
            ("", "must not be empty"),
        ],
    )
    def test_refuses(self, text, message):
        with pytest.raises(PromptError, match=message):
            parse_relation(text)


class TestAdjectives:
    PROMPT = "a big red chair left of a black and white dog, a wine glass between the chair and the dog"

    def test_join_the_object_by_default(self):
        assert parse_prompt(self.PROMPT).objects == ("big red chair", "black and white dog", "wine glass")
        assert parse_prompt(self.PROMPT) == parse_prompt(self.PROMPT, adjectives="join")

    def test_left_out(self):
        scene = parse_prompt(self.PROMPT, adjectives="leave")
        assert scene.objects == ("chair", "dog", "wine glass")
        assert scene.relations == parse_prompt(self.PROMPT).relations

    def test_stay_where_the_noun_alone_does_not_tell_objects_apart(self):
        scene = parse_prompt("a red chair left of a blue chair, a small dog above a table", adjectives="leave")
        assert scene.objects == ("red chair", "blue chair", "dog", "table")

    def test_an_adjective_alone_is_a_name(self):
        assert parse_prompt("a red orange left of a black", adjectives="leave").objects == ("orange", "black")

    def test_unknown_choice(self):
        with pytest.raises(ValueError, match="`adjectives` must be 'join' or 'leave', got 'drop'"):
            parse_prompt(self.PROMPT, adjectives="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompt", "relation"),
    [
        ("a photo of a cat with a dog toy, a dog to the left of the cat", ("dog", "left of", "cat")),
        ("a man with a hat to the left of a hat", ("man", "left of", "hat")),
    ],
)
def test_an_object_that_stands_in_several_places_is_told(prompt, relation):
    """The first place's tokens are taken, which may be another thing's."""
    with pytest.warns(PromptWarning, match="stands in several places of the prompt, and the first one's tokens are taken, in '.*"):
        scene_from(prompt, [relation])


def test_an_object_that_is_named_again_is_one(recwarn):
    scene_from("a cat and a dog. The cat is black, and the dog is white.", [("cat", "left of", "dog")])
    assert not recwarn.list
