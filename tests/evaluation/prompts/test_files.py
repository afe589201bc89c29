"""Files of prompts: the published formats, our own, and what is said of a broken line."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.core.spellings import SPELLINGS
from infsplign.evaluation.prompts import BenchmarkPrompt, PromptFileError, read_geneval, read_prompts, read_t2i, write_prompts
from infsplign.evaluation.scoring.benchmarks import read_for

DATA = Path(__file__).parents[4] / "shared" / "data"
T2I = "a giraffe next to a lamp\r\na girl on the top of a frog\r\na wine glass on the right of an elephant\r\na key near a mouse\r\n"
ROW = {
    "tag": "position",
    "include": [{"class": "teddy bear", "count": 1}, {"class": "dog", "count": 1, "position": ["right of", 0]}],
    "prompt": "a photo of a dog right of a teddy bear",
}


def file(folder, content):
    path = folder / "prompts"
    path.write_bytes(content.encode())
    return path


def geneval(folder, *rows):
    return file(folder, "".join(json.dumps(row) + "\n" for row in rows))


class TestT2I:
    def test_the_published_format(self, tmp_path):
        prompts = read_t2i(file(tmp_path, T2I))
        assert [(p.id, p.first, p.relation, p.second) for p in prompts] == [
            ("t2i-0000", "giraffe", "next to", "lamp"),
            ("t2i-0001", "girl", "above", "frog"),
            ("t2i-0002", "wine glass", "right of", "elephant"),
            ("t2i-0003", "key", "near", "mouse"),
        ]
        assert prompts[2].text == "a wine glass on the right of an elephant"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is empty"),
            ("\n\n", "is empty"),
            ("a cat near a dog\n\na cat near a cow", "line 2: expected"),
            ("a cat near a dog\na cat behind a dog", "line 2: expected .* got 'a cat behind a dog'"),
            ("cat near dog", "line 1: expected"),
        ],
    )
    def test_broken(self, content, message, tmp_path):
        with pytest.raises(PromptFileError, match=message):
            read_t2i(file(tmp_path, content))

    def test_case_37_prompts_may_come_twice(self, tmp_path):
        """As two do in the published `spatial.txt`, with line ends of Windows."""
        prompts = read_t2i(file(tmp_path, "a cat near a dog\r\na boy on the top of a wallet\r\na cat near a dog\r\n"))
        assert [(p.id, p.text) for p in prompts] == [
            ("t2i-0000", "a cat near a dog"), ("t2i-0001", "a boy on the top of a wallet"), ("t2i-0002", "a cat near a dog"),
        ]  # fmt: skip

    def test_on_top_of_is_read_as_the_evaluator_knows_it(self, tmp_path):
        (prompt,) = read_t2i(file(tmp_path, "a cat on top of a dog"))
        assert (prompt.first, prompt.relation, prompt.second) == ("cat", "on top of", "dog")

    def test_no_text(self, tmp_path):
        (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(PromptFileError, match="no text in UTF-8"):
            read_t2i(tmp_path / "x")


class TestGenEval:
    def test_the_published_format(self, tmp_path):
        other = {"include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"}
        prompts = read_geneval(geneval(tmp_path, other | {"tag": "single_object"}, ROW, other | {"tag": "counting"}))
        assert prompts == [
            BenchmarkPrompt("geneval-00001", "a photo of a dog right of a teddy bear", "dog", "right of", "teddy bear", {"number": 1})
        ]

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (5, "line 2: expected an object"),
            (ROW | {"tag": "positions"}, "line 2: expected .*'positions'"),
            (ROW | {"prompt": None}, "line 2: expected `prompt`"),
            (ROW | {"include": ROW["include"][:1]}, "line 2: expected `include` to list two objects"),
            (ROW | {"include": ROW["include"][::-1]}, "line 2: expected the second of `include` to have a `position`"),
            (ROW | {"include": [ROW["include"][0], {"class": "dog", "count": 1}]}, "line 2: expected the second"),
            (ROW | {"include": [ROW["include"][0], {"class": "dog", "count": 1, "position": ["near", 0]}]}, "line 2: expected the second"),
            (ROW | {"include": [ROW["include"][0], {"class": "dog", "count": 2, "position": ["above", 0]}]}, "line 2: .*`count` 1"),
            (ROW | {"include": [{"class": "dog", "count": 1}, ROW["include"][1]]}, "line 2: expected two different objects"),
        ],
    )
    def test_broken(self, row, message, tmp_path):
        with pytest.raises(PromptFileError, match=message):
            read_geneval(geneval(tmp_path, ROW, row))

    def test_broken_json(self, tmp_path):
        with pytest.raises(PromptFileError, match="line 2: expected one JSON object a line"):
            read_geneval(file(tmp_path, json.dumps(ROW) + "\n{\n"))

    def test_none_about_position(self, tmp_path):
        with pytest.raises(PromptFileError, match="no prompt tagged 'position'"):
            read_geneval(geneval(tmp_path, {"tag": "colors"}))


@pytest.mark.skipif(not DATA.is_dir(), reason="the published prompt files are not beside the repository")
class TestPublishedFiles:
    def test_t2i(self):
        prompts = read_t2i(DATA / "t2i_spatial_val.txt")
        counts = Counter(p.extra["relation"] for p in prompts)
        assert counts == {
            "on the top of": 56, "on the right of": 56, "on the bottom of": 52, "on the left of": 51,
            "on side of": 37, "next to": 24, "near": 24,
        }  # fmt: skip

    def test_geneval(self):
        prompts = read_geneval(DATA / "geneval_position.jsonl")
        assert len(prompts) == 100
        for p in prompts:
            article = {word: "an" if word[0] in "aeiou" else "a" for word in (p.first, p.second)}
            assert p.text == f"a photo of {article[p.first]} {p.first} {p.relation} {article[p.second]} {p.second}"


text = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
relation = st.text(st.characters(codec="utf-8")).filter(lambda name: name.lower() not in SPELLINGS)  # these get their canonical name
prompt = st.builds(
    BenchmarkPrompt, st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]*", fullmatch=True), text, text, relation, text,
    st.dictionaries(text.filter(lambda key: key != "number"), st.integers() | text, max_size=2),
)  # fmt: skip


class TestOurFormat:
    @settings(deadline=None, max_examples=40)
    @given(prompts=st.lists(prompt, min_size=1, max_size=4, unique_by=lambda p: p.id))
    def test_read_back(self, tmp_path_factory, prompts):
        path = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
        write_prompts(path, prompts)
        assert read_prompts(path) == prompts
        assert read_for("t2i", path) == prompts

    def test_numbers_as_ids_and_spellings_of_directions(self, tmp_path):
        """`eval` and `generate` take them; two spellings of one relation would be two rows of a table."""
        row = {"id": 7, "text": "a cat to the left of a dog", "first": "cat", "relation": "to the left of", "second": "dog"}
        (found,) = read_prompts(file(tmp_path, json.dumps(row)))
        assert (found.id, found.relation) == ("7", "left of")
        (near,) = read_prompts(file(tmp_path, json.dumps(row | {"relation": "next to", "text": "a cat next to a dog"})))
        assert near.relation == "next to"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"id": "a/b"}, "line 2: `id` must be letters"),
            ({"id": "../x"}, "line 2: `id`"),
            ({"id": 5.5}, "line 2: expected an object with texts id, text, first, relation, second"),
            ({"text": ""}, "line 2: `text` must not be empty"),
            ({"extra": []}, "line 2: expected `extra`"),
            ({"id": "0"}, "prompts 1 and 2 have the same id '0'"),
        ],
    )
    def test_broken(self, change, message, tmp_path):
        good = {"id": "0", "text": "a b", "first": "a", "relation": "near", "second": "b"}
        path = file(tmp_path, json.dumps(good) + "\n" + json.dumps(good | {"id": "1"} | change))
        with pytest.raises(PromptFileError, match=message):
            read_prompts(path)
