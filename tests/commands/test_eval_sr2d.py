"""`infsplign eval sr2d`: which prompts it takes."""

import json

import pytest
from typer.testing import CliRunner

from infsplign.cli import app
from infsplign.commands.eval_sr2d import of_world


def run(folder, *arguments):
    """A short run of a shipped model; what it says."""
    common = ["eval", "sr2d", "--model", "shapes", "--steps", "1", "--images", "2", "--out", str(folder / "run"), "--no-progress"]
    done = CliRunner().invoke(app, [*common, *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


class TestTold:
    def test_images_that_a_method_leaves_as_they_were(self, tmp_path):
        """`psg` on "near": its row of a table is the unguided one."""
        (tmp_path / "prompts.txt").write_text("a circle near a star\na circle left of a star\n")
        asked = ["--prompts", tmp_path / "prompts.txt"]
        assert "images are those of" not in run(tmp_path, *asked, "--methods", "unguided,infsplign")
        said = run(tmp_path, *asked, "--methods", "psg")
        assert "psg: 2 of 4 images are those of unguided: the method asked for nothing there" in said

    def test_prompts_that_cannot_be_read_stop_no_others(self, tmp_path):
        """Eight images of them came first, so the run ended, after all unguided images, and could never go on."""
        (tmp_path / "prompts.txt").write_text("a lonely star\n" * 4 + "a circle left of a star\n")
        said = run(tmp_path, "--prompts", tmp_path / "prompts.txt", "--methods", "unguided,infsplign")
        told = "4 of 5 prompts cannot be read, and their guided images will fail, such as line-0001: no relation between objects was found"
        assert told in said
        assert len(list((tmp_path / "run" / "infsplign").glob("*.png"))) == 2
        assert "cannot be read" not in run(tmp_path, "--prompts", tmp_path / "prompts.txt", "--methods", "unguided")

    def test_prompts_that_are_guided_by_more_than_what_is_measured_are_told(self, tmp_path):
        row = {"first": "circle", "relation": "above", "second": "star"}
        (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "a", "text": "a circle above a star on a box"} | row) + "\n")
        said = run(tmp_path, "--prompts", tmp_path / "rows.jsonl", "--methods", "infsplign")
        assert "1 of 1 prompts are read as more than one relation, such as a (circle above star; star on top of box)" in said

    def test_measures_are_of_the_prompts_whose_images_are_all_there(self, tmp_path):
        row = {"first": "circle", "relation": "above", "second": "star"}
        rows = [{"id": "a", "text": "a circle above a star"} | row, {"id": "b", "text": "a circle above a star \ud800"} | row]
        (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        assert "SR2D: 1 of 2 prompts x 2 images, 1 steps" in run(tmp_path, "--world", "--prompts", tmp_path / "prompts.jsonl")


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
