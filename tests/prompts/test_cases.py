"""Prompts that were once read wrongly, by the number of the report (cases 9 and 15 to 22). `docs/prompts.md` shows more of each kind."""

import warnings

import pytest
from diffusers.loaders import TextualInversionLoaderMixin

from infsplign.core.scenes import Scene
from infsplign.errors import PromptError, PromptWarning
from infsplign.prompts import parse_prompt, scene_from
from infsplign.prompts.phrases import find_phrases
from infsplign.prompts.tokens import read_phrases
from tests.fixtures_tokenizers import build_clip_tokenizer
from tests.prompts.words import IN, A, L, R, entries, marked

LEFT, RIGHT = "on the left side", "on the right side"


@pytest.fixture(scope="module")
def clip_tokenizer():
    return build_clip_tokenizer()


def refusal(prompt: str) -> PromptError:
    with pytest.raises(PromptError) as error:
        parse_prompt(prompt)
    return error.value


class TestCase9:
    """A textual inversion of several vectors, which diffusers writes as "sks sks_1" before it encodes the prompt."""

    @pytest.mark.parametrize(
        ("token", "vectors", "phrase"),
        [("sks", 2, "sks"), ("sks", 2, "sks circle"), ("<cat-toy>", 3, "<cat-toy>"), ("<s>", 2, "red <s> cup")],
    )
    def test_case_9_every_vector_is_read(self, clip_tokenizer, token, vectors, phrase):
        clip_tokenizer.add_tokens([token, *(f"{token}_{i}" for i in range(1, vectors))])
        prompt = f"a {phrase} to the left of a square"
        text = TextualInversionLoaderMixin.maybe_convert_prompt(TextualInversionLoaderMixin(), prompt, clip_tokenizer)
        assert text.count(f"{token}_") == vectors - 1
        assert parse_prompt(prompt).objects == (phrase, "square")
        reading = read_phrases(clip_tokenizer, text, [phrase, "square"])
        pieces = [clip_tokenizer.convert_ids_to_tokens(reading.ids[i]).removesuffix("</w>") for i in reading.numbers[0]]
        wanted = [token, *(f"{token}_{i}" for i in range(1, vectors))]
        assert pieces == [piece for word in phrase.split() for piece in (wanted if word == token else [word])]

    def test_case_9_other_words_with_a_number_stay_apart(self):
        assert find_phrases("a cat cats_1 left of a dog", ["cat"]) == [(2, 5)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a circle to the left of a large, red square", [("circle", L, "large, red square")]),
        (
            "a cat left of a young, smiling woman and a bird above the woman",
            [("cat", L, "young, smiling woman"), ("bird", A, "young, smiling woman")],
        ),
        (
            "a big, fluffy, white dog and an old, rusty car left of a tree",
            [("big, fluffy, white dog", L, "tree"), ("old, rusty car", L, "tree")],
        ),
        ("a red, blue, and green parrot left of a cat, small and cute", [("red, blue, and green parrot", L, "cat")]),
    ],
)
def test_case_15_commas_between_adjectives(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected


def test_case_15_the_tokens_of_commas_are_left_out(clip_tokenizer):
    text = "a large, red square left of a cat"
    reading = read_phrases(clip_tokenizer, text, ["large, red square"])
    assert clip_tokenizer.decode([reading.ids[i] for i in reading.numbers[0]]).split() == ["large", "red", "square"]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a cat on the dog's left side", "on the dog's left side"),
        ("a cat to the big dog's right", "to the big dog's right"),
        ("a cat on the left and right of a dog", "on the left and right of"),
        ("a cat on the left and above a dog", "on the left and above"),
    ],
)
def test_case_16_sides_of_an_owner_and_two_sides(prompt, words):
    assert marked(refusal(prompt)) == words


def test_case_16_a_joined_side_shares_the_object():
    assert entries(parse_prompt("a cat to the left and above a dog")) == [("cat", L, "dog"), ("cat", A, "dog")]


@pytest.mark.parametrize(
    "tail",
    [
        "BREAK masterpiece", "--ar 16:9", "white background", "masterpiece best quality", "barks", "turning left", "parking",
        "by Greg Rutkowski", "4k", "pencil sketch", "ghibli style", "highly detailed", "black and white photo", "chasing a ball",
        "covered with snow", "meowing loudly", "smiles", "very cute",
        "#art", "/ oil painting", "at night", "<lora:style:0.8>", "that is big, brown and furry", "in a red dress",
    ],
)  # fmt: skip
def test_case_17_text_after_the_last_noun_is_left_out(tail):
    assert entries(parse_prompt(f"a cat left of a dog {tail}")) == [("cat", L, "dog")]


@pytest.mark.parametrize(
    "name", ["green car", "wine glasses", "office building", "ice cream cone", "snow covered mountain", "glass of water"]
)
def test_case_17_nouns_that_follow_nouns_stay(name):
    assert entries(parse_prompt(f"a cat left of the {name} parked here")) == [("cat", L, name)]


@pytest.mark.parametrize("tail", ["red ball", "the cat is black", "green lamp blue cup"])
def test_case_17_what_may_be_another_object_is_refused(tail):
    assert marked(refusal(f"a cat left of a dog {tail}")) == tail


@pytest.mark.parametrize(
    ("prompt", "word", "meant"),
    [
        ("a cat to teh left of a dgo", "teh", "the"),
        ("a cat to the lfet of a dog", "lfet", "left"),
        ("a cat abvoe a dog", "abvoe", "above"),
        ("a cat bellow a dog", "bellow", "below"),
        ("a cat underneth a dog", "underneth", "underneath"),
        ("a cat betwen a dog and a bird", "betwen", "between"),
        ("a cat to the left fo a dog", "fo", "of"),
    ],
)
def test_case_18_misspelt_relations_get_a_hint(prompt, word, meant):
    error = refusal(prompt)
    assert marked(error) == word
    assert f"did you mean {meant!r}? Write `" in str(error)


def test_case_18_the_relation_by_hand_is_that_of_the_corrected_prompt():
    by_hand = str(refusal("a cat abvoe a dog")).splitlines()[-1]
    assert by_hand == 'By hand: `relations=[("cat", "above", "dog")]` or `--relation "cat above dog"`'


def test_case_18_a_hint_for_objects_by_hand():
    with pytest.raises(PromptError, match="Did you mean 'dog'"):
        scene_from("a cat and a dog", [("cat", "left of", "dgo")])


@pytest.mark.parametrize(
    ("prompt", "expected", "counted"),
    [
        ("two dogs to the left of a cat", ("dogs", L, "cat"), ["two dogs"]),
        ("2 dogs left of 3 red birds", ("dogs", L, "red birds"), ["2 dogs", "3 red birds"]),
        ("several dogs left of a couple of cats", ("dogs", L, "cats"), []),
    ],
)
def test_case_19_counts_are_no_part_of_an_object_and_are_reported(prompt, expected, counted):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert entries(parse_prompt(prompt)) == [expected]
    assert [str(warning.message) for warning in caught] == [
        f"the count of `{words}` is not guided, only where they are" for words in counted
    ]
    assert all(warning.category is PromptWarning for warning in caught)


@pytest.mark.parametrize(
    "place", ["under a blue sky", "inside a living room", "in a dark forest", "on a beach", "beneath the stars", "above the clouds"]
)
def test_case_19_scenery_is_no_object(place):
    assert "no relation between objects" in str(refusal(f"a dog {place}")).lower()
    assert entries(parse_prompt(f"a cat left of a dog {place}")) == [("cat", L, "dog")]
    assert entries(parse_prompt(f"{place}, a cat left of a dog")) == [("cat", L, "dog")]


def test_case_19_what_can_be_drawn_around_something_is_an_object():
    assert entries(parse_prompt("a dog inside a box")) == [("dog", IN, "box")]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("dog left, cat right", [("dog", LEFT), ("cat", RIGHT)]),
        ("cat on left, dog on right", [("cat", LEFT), ("dog", RIGHT)]),
        ("left: a cat, right: a dog", [("cat", LEFT), ("dog", RIGHT)]),
        ("to the left of the cat is a dog", [("dog", L, "cat")]),
        ("above the table hangs a lamp", [("lamp", A, "table")]),
        ("left of the house, a tree", [("tree", L, "house")]),
        ("a cat, and to its left a dog", [("dog", L, "cat")]),
        ("a house with a tree on its right", [("tree", R, "house")]),
        ("(cat:1.3) to the left of a dog", [("cat", L, "dog")]),
        ("((cat)) left of a [red dog]", [("cat", L, "red dog")]),
        ("(a (red:1.2) cat left of a dog:1.4), (8k)", [("red cat", L, "dog")]),
    ],
)
def test_case_20_is_read(prompt, expected):
    assert entries(parse_prompt(prompt)) == expected


def test_case_20_tokens_of_weights_are_left_out(clip_tokenizer):
    text = "a (red:1.2) ((cat)) left of a (dog:0.8)"
    reading = read_phrases(clip_tokenizer, text, parse_prompt(text).objects)
    assert [clip_tokenizer.decode([reading.ids[i] for i in row]).split() for row in reading.numbers] == [["red", "cat"], ["dog"]]


@pytest.mark.parametrize("choice", ["[cat|dog]", "{cat|dog}", "[cat:dog:0.5]"])
def test_case_20_words_that_change_are_refused(choice):
    assert marked(refusal(f"a {choice} left of a tree")) == choice


@pytest.mark.parametrize(
    "prompt",
    [
        "un chat à gauche d'un chien",
        "eine Katze links von einem Hund",
        "un gato a la izquierda de un perro",
        "一只猫在一只狗的左边",
        "кошка слева от собаки",
    ],
)
def test_case_20_other_languages_are_named(prompt):
    assert "another language" in str(refusal(prompt))


@pytest.mark.parametrize(
    ("prompt", "objects"),
    [
        ("a cat and a dog", ("cat", "dog")),
        ("a photo of (a red car:1.2), two blue bikes in a garden, oil painting, 4k", ("red car", "blue bikes")),
        ("astronaut riding a horse on mars", ("astronaut", "horse")),
        ("a cat left of a dog, no people", ("cat", "dog")),
        ("a circle to the left of a square, oil painting", ("circle", "square")),  # words that may be adjectives
        ("a square and an orange", ("square", "orange")),
        ("a red, shiny ball and a square and round table", ("red, shiny ball", "square and round table")),
    ],
)
def test_case_20_scenes_without_relations_where_asked_for(prompt, objects):
    assert scene_from(prompt, []) == Scene(objects)


def test_case_20_a_scene_needs_an_object():
    with pytest.raises(PromptError, match="No object was found"):
        scene_from("4k, masterpiece", [])


@pytest.mark.parametrize(
    ("prompt", "words", "example"),
    [
        ("a red bus behind a tall tree", "behind", '("red bus", "...", "tall tree")'),
        ("a cat and a dog", "a cat and a dog", '("cat", "...", "dog")'),
        ("an owl to the lfet of a lamp", "lfet", '("owl", "left of", "lamp")'),
        ("an owl and lamp under a table", "and", '("owl", "...", "lamp")'),
    ],
)
def test_case_21_errors_are_short_and_in_the_users_words(prompt, words, example):
    error = refusal(prompt)
    assert str(error).startswith(f"\n  {prompt}\n")
    assert marked(error) == words
    assert example in str(error)
    assert max(len(line) for line in str(error).splitlines()) < 160


def test_case_21_of_a_long_prompt_the_place_is_shown():
    lines = str(refusal(f"{'a cat left of a dog, ' * 100}a bird behind a bus{', 4k' * 100}")).splitlines()
    assert "a bird behind a bus" in lines[1]
    assert lines[1][lines[2].index("^") : lines[2].rindex("^") + 1] == "behind"
    assert len(lines[1]) < 120


def test_case_22_long_texts_are_refused_at_once():
    for prompt in (", ".join(f"a c{i} left of a d{i}" for i in range(10_000)), f"a cat{' ' * 100_000}left of a dog"):
        assert "at most 5000 characters" in str(refusal(prompt))
    with pytest.raises(PromptError, match="at most 500 entries"):
        scene_from("a cat and a dog", [("cat", "left of", "dog")] * 10_000)


class TestRelatives:
    """Found later, of the same kinds."""

    @pytest.mark.parametrize(
        ("prompt", "expected"),
        [
            ("a cat in the background and a dog on the left", [("dog", LEFT)]),
            ("a cat in the foreground and a tree on the right", [("tree", RIGHT)]),
            ("a cat left of a dog and a tree in the foreground", [("cat", L, "dog")]),
            ("a cat and a dog on the left", [("cat", LEFT), ("dog", LEFT)]),
        ],
    )
    def test_what_is_behind_or_before_the_scene_is_not_placed_with_another(self, prompt, expected):
        assert entries(parse_prompt(prompt)) == expected

    @pytest.mark.parametrize("after", ["trees", "trees in the background", "blue background", "digital art", "moonlight, 4k"])
    @pytest.mark.parametrize("thing", ["square", "large square", "orange"])
    def test_a_thing_whose_name_is_an_adjective_too_ends_at_a_comma(self, thing, after):
        assert entries(parse_prompt(f"a cat to the left of a {thing}, {after}")) == [("cat", L, thing)]
        assert entries(parse_prompt("a cat to the left of a square, wooden table")) == [("cat", L, "square, wooden table")]

    @pytest.mark.parametrize("count", ["exactly one", "only one", "1", "1x"])
    def test_one_is_no_part_of_a_name_and_no_count_to_warn_of(self, count):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert entries(parse_prompt(f"{count} cat to the left of {count} dog")) == [("cat", L, "dog")]

    @pytest.mark.parametrize("count", ["twenty-two", "thirty-one", "2x"])
    def test_compound_numerals_are_counts(self, count):
        with pytest.warns(PromptWarning, match=f"`{count} cats`"):
            assert entries(parse_prompt(f"{count} cats to the left of a dog")) == [("cats", L, "dog")]

    @pytest.mark.parametrize(
        ("prompt", "expected"),
        [
            ("a cat left of a dog, close to the camera", [("cat", L, "dog")]),
            ("a cat left of a dog, the cat near the camera, the dog far from the camera", [("cat", L, "dog")]),
            ("a camera left of a laptop, a cup near the camera", [("camera", L, "laptop"), ("cup", "near", "camera")]),
            ("a cup next to the camera", [("cup", "near", "camera")]),
            ("a cup near a camera", [("cup", "near", "camera")]),
        ],
    )
    def test_the_viewer_is_no_object(self, prompt, expected):
        assert entries(parse_prompt(prompt)) == expected
