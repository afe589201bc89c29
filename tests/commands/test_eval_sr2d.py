"""`infsplign eval sr2d`: which prompts it takes."""

import pytest

from infsplign.commands.eval_sr2d import of_world


class TestOfWorld:
    def test_texts_alone_say_what_is_asked_for(self, tmp_path):
        path = tmp_path / "prompts.txt"
        path.write_text("a circle to the left of a square\na cat above a dog\na star above a heart\n")
        found = {(prompt.id, prompt.first, prompt.relation, prompt.second) for prompt in of_world(path, "shapes")}
        assert found == {("line-0001", "circle", "left of", "square"), ("line-0003", "star", "above", "heart")}

    def test_rows_that_say_it_and_rows_that_do_not(self, tmp_path):
        path = tmp_path / "prompts.jsonl"
        full = '{"id": "p1", "text": "a circle above a square", "first": "circle", "relation": "above", "second": "square"}'
        path.write_text(full + '\n{"id": "p2", "text": "a star above a heart"}\n')
        assert {prompt.id for prompt in of_world(path, "shapes")} == {"p1", "p2"}

    def test_none_is_an_error(self, tmp_path):
        path = tmp_path / "prompts.txt"
        path.write_text("a cat above a dog\n")
        with pytest.raises(ValueError, match="no prompt relates two nouns of the world of .shapes."):
            of_world(path, "shapes")
