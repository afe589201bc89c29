import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.core.relations import SPELLINGS, Scene, relation
from infsplign.errors import PromptError
from infsplign.phrases import find_phrases
from infsplign.prompts import parse_prompt, parse_relation, scene_from

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BARE = ("left", "right", "top", "bottom")


def triples(scene: Scene) -> list[tuple[str, str, str]]:
    return [(scene.objects[edge.first], edge.relation.name, scene.objects[edge.second]) for edge in scene.relations]


L, R, A, B = "left of", "right of", "above", "below"
READ = [
    ("a cat to the left of a dog", [("cat", L, "dog")]),
    ("a photo of a wine glass above a kite", [("wine glass", A, "kite")]),
    ("An image of the red apple under one star fruit.", [("red apple", B, "star fruit")]),
    ("a black and white close-up photo of a cat over a mat", [("cat", A, "mat")]),
    ("a fire hydrant is on the right of a teddy bear", [("fire hydrant", R, "teddy bear")]),
    ("a mouse on the bottom of a key", [("mouse", B, "key")]),
    ("A CAT TO THE  LEFT\nOF A DOG", [("CAT", L, "DOG")]),
    ("a cat that is sitting directly above a dog on a beach", [("cat", A, "dog")]),
    ("a cat, to the left of a dog", [("cat", L, "dog")]),
    ("there is a cat left of a dog", [("cat", L, "dog")]),
    ("In a park, a cat left of a dog, oil painting, 4k", [("cat", L, "dog")]),
    ("a star to the left of a star fruit", [("star", L, "star fruit")]),
    ("a black and white cat left of a dog", [("black and white cat", L, "dog")]),
    ("a top hat above a bottom drawer", [("top hat", A, "bottom drawer")]),
    ("a 🐱 left of a café au lait", [("🐱", L, "café au lait")]),
    ('a "cat" left of a t-shirt', [("cat", L, "t-shirt")]),
    # several relations
    ("a lamp above a table, a cat to the right of the lamp", [("lamp", A, "table"), ("cat", R, "lamp")]),
    ("a lamp above a table; a cat left of a dog", [("lamp", A, "table"), ("cat", L, "dog")]),
    ("lamp above table and cat left of dog", [("lamp", A, "table"), ("cat", L, "dog")]),
    ("A left of B and above C", [("A", L, "B"), ("A", A, "C")]),
    ("a cat left of a dog, above a bird, and below a bus", [("cat", L, "dog"), ("cat", A, "bird"), ("cat", B, "bus")]),
    ("a cat left of a dog above a bird", [("cat", L, "dog"), ("dog", A, "bird")]),
    ("a cat left of a dog, which is above a bird", [("cat", L, "dog"), ("dog", A, "bird")]),
    ("a cat above and to the left of a dog", [("cat", A, "dog"), ("cat", L, "dog")]),
    ("a cat and a dog above a table", [("cat", A, "table"), ("dog", A, "table")]),
    ("a cat above a table and a chair", [("cat", A, "table"), ("cat", A, "chair")]),
    ("a cat above a table while a dog is left of the Cat", [("cat", A, "table"), ("dog", L, "cat")]),
    ("a dog, a cat left of the dog", [("cat", L, "dog")]),
]


@pytest.mark.parametrize(("prompt", "expected"), READ)
def test_reads(prompt, expected):
    assert triples(parse_prompt(prompt)) == expected


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_reads_every_spelling(spelling):
    assert triples(parse_prompt(f"a wine glass {spelling} a kite")) == [("wine glass", relation(spelling).name, "kite")]
    assert parse_relation(f"wine glass {spelling} kite") == ("wine glass", relation(spelling).name, "kite")


# prompt, what the message says, what it underlines
REFUSED = [
    ("a cat near a dog", "'near' is not understood", "near"),
    ("a cat next to a dog left of a bird", "'next to' is not understood", "next to"),
    ("a cat between a dog and a bird", "'between' is not understood", "between"),
    ("a mouse on side of a key", "not understood", "on side of"),
    ("a cat on the left and a dog on the right", "not understood", "on the left"),
    ("a cat at the bottom of the image", "not understood", "at the bottom of the image"),
    ("a cat to the top left of a dog", "not understood", "to the top left of"),
    ("a cat not left of a dog", "not understood", "not"),
    ("a cat isn't above a dog", "not understood", "isn't"),
    ("a cat on a table", "no relation was found", "on"),
    ("two cats", "no relation was found", "two cats"),
    ("a cat left of", "an object is missing", ""),
    ("left of a dog", "an object is missing", ""),
    ("a cat left of the", "an object is missing", "the"),
    ("a cat left of it", "not the name of an object", "it"),
    ("a cat in a hat left of a dog", "not clear which object", "in"),
    ("a cat (black) left of a dog", "not clear which object", "cat (black)"),
    ("a cat and dog left of a bird", "what this joins", "and"),
    ("a cat left of a dog is above a bird", "what the next relation is about", " a dog is "),
    ("a cat left of a dog. Above a table is a lamp", "which objects these two relations join", " a dog. "),
    ("a photo of a photo left of a cat", "'photo' stands here as well", "photo"),
]


@pytest.mark.parametrize(("prompt", "message", "marked"), REFUSED)
def test_refuses_and_points_at_the_words(prompt, message, marked):
    with pytest.raises(PromptError) as error:
        parse_prompt(prompt)
    first, shown, marker, remedy = str(error.value).splitlines()
    assert message in first
    assert shown == f"  {prompt}"
    assert 'relations=[("cat", "left of", "dog")]' in remedy
    assert '--relation "cat left of dog"' in remedy
    begin = marker.index("^")
    assert len(marker) - begin == max(1, len(marked))
    assert shown[begin : len(marker)].startswith(marked)


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_empty(prompt):
    with pytest.raises(PromptError, match=r"must not be empty.*--relation"):
        parse_prompt(prompt)


def test_not_a_string():
    with pytest.raises(TypeError, match="must be a string, got list"):
        parse_prompt(["a cat left of a dog"])


@pytest.mark.parametrize(
    "prompt", ["a cat left of a dog, a dog left of a cat", "a cat above a dog, a dog above a bird, a bird above the cat"]
)
def test_contradictions(prompt):
    with pytest.raises(PromptError, match=rf"(?s)contradict each other.*{re.escape(prompt)}"):
        parse_prompt(prompt)
    with pytest.raises(PromptError, match="contradict"):
        scene_from("a cat, a dog", [("cat", "left of", "dog"), ("a cat", "right of", "dog")])


def test_one_phrase_for_two_objects():
    with pytest.raises(PromptError, match="must join two different objects"):
        parse_prompt("a cat left of another cat")


class TestSceneFrom:
    def test_articles_and_case_do_not_make_another_object(self):
        scene = scene_from("A Cat, a dog and a bird", [("a cat", "left of", "the dog"), ("Cat", "above", "bird")])
        assert triples(scene) == [("cat", L, "dog"), ("cat", A, "bird")]

    def test_object_not_in_the_prompt(self):
        with pytest.raises(
            PromptError, match=r"(?s)'bird' does not occur in the prompt.*a cat and a dog.*Spell objects as the prompt does"
        ):
            scene_from("a cat and a dog", [("cat", "left of", "bird")])

    @pytest.mark.parametrize(
        "relations", [[("cat", "left of")], ["cat left of dog"], [("cat", "near", "dog")], [("cat", "above", " ")], []]
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
        ],
    )
    def test_reads(self, text, expected):
        assert parse_relation(text) == expected

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("cat near dog", "'near' is not understood"),
            ("cat dog", "no relation was found"),
            ("left of dog", "missing before"),
            ("cat left of the", "missing after"),
            ("cat left of dog above bird", "this is the second"),
            ("", "must not be empty"),
        ],
    )
    def test_refuses(self, text, message):
        with pytest.raises(PromptError, match=message):
            parse_relation(text)


@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data")
class TestBenchmarkPrompts:
    def test_geneval(self):
        rows = [json.loads(line) for line in (DATA / "geneval_position.jsonl").read_text().splitlines()]
        assert len(rows) == 100
        for row in rows:
            other, about = row["include"]
            name, number = about["position"]
            assert number == 0
            scene = parse_prompt(row["prompt"])
            assert triples(scene) == [(about["class"], name, other["class"])], row["prompt"]

    def test_t2i_compbench(self):
        prompts = (DATA / "t2i_spatial_val.txt").read_text().splitlines()
        names = {"left": L, "right": R, "top": A, "bottom": B}
        read = 0
        for prompt in filter(None, map(str.strip, prompts)):
            match = re.fullmatch(r"a (\w+) on the (left|right|top|bottom) of a (\w+)", prompt)
            if match is None:
                with pytest.raises(PromptError, match="is not understood"):
                    parse_prompt(prompt)
                continue
            assert triples(parse_prompt(prompt)) == [(match[1], names[match[2]], match[3])], prompt
            read += 1
        assert read > 150


NOUNS = [
    "cat",
    "dog",
    "wine glass",
    "fire hydrant",
    "star",
    "star fruit",
    "red apple",
    "old teddy bear",
    "bear",
    "t-shirt",
    "café",
    "top hat",
]
ORDERED = st.lists(st.sampled_from(NOUNS), min_size=2, max_size=4, unique=True)


@given(ORDERED, st.data())
def test_rendered_scenes_read_back(nouns, data):
    """A random tree over the nouns: each is related to an earlier one, so nothing contradicts."""
    expected, parts = [], []
    article = st.sampled_from(["a", "the", "one", "A"])
    for number in range(1, len(nouns)):
        pair = [nouns[number], nouns[data.draw(st.integers(0, number - 1))]]
        spelling = data.draw(st.sampled_from(sorted(SPELLINGS)))
        expected.append((pair[0], relation(spelling).name, pair[1]))
        link = data.draw(st.sampled_from(["", "is ", "sitting "])) if spelling not in BARE else ""
        parts.append(f"{data.draw(article)} {pair[0]} {link}{spelling} {data.draw(article)} {pair[1]}")
    lead = data.draw(st.sampled_from(["", "a photo of ", "an image of ", "There is "]))
    scene = parse_prompt(
        lead + data.draw(st.sampled_from([", ", "; ", " and ", ", and "])).join(parts) + data.draw(st.sampled_from(["", "."]))
    )
    assert triples(scene) == expected


SOUP = st.lists(
    st.sampled_from(
        [*SPELLINGS, "a", "the", "cat", "dog", "and", ",", ";", ".", "which", "is", "photo of", "near", "in", "it", "(", "black"]
    )
).map(" ".join)


@given(st.one_of(st.text(), SOUP))
def test_any_text_is_read_or_refused(text):
    for read in (parse_prompt, parse_relation):
        try:
            found = read(text)
        except PromptError:
            continue
        if isinstance(found, Scene):
            assert found.relations
            find_phrases(text, found.objects)  # what was read can be found again
        else:
            assert all(found)
            relation(found[1])


@pytest.mark.parametrize(
    ("prompt", "marked"),
    [
        ("a cat above or below a dog", "or"),
        ("a cat either left of or right of a dog", "cat either"),
        ("a dog above no cat", "no cat"),
        ("a woman over 50 left of a dog", "50"),
    ],
)
def test_choices_negations_and_numbers_are_no_objects(prompt, marked):
    with pytest.raises(PromptError) as error:
        parse_prompt(prompt)
    line, marks = str(error.value).split("\n")[1:3]
    assert line[marks.index("^") : marks.rindex("^") + 1] == marked


def test_what_the_object_does_is_no_part_of_its_name():
    assert parse_prompt("a cat sits above a dog").objects == ("cat", "dog")
