"""`infsplign prompts`: files of prompts, and one message where they cannot be had."""

import json

import pytest
from typer.testing import CliRunner

from infsplign.cli import app
from infsplign.evaluation.prompts import read_prompts, world_prompts

T2I = "a giraffe next to a lamp\r\na girl on the top of a frog\r\n"


def run(*arguments):
    return CliRunner().invoke(app, ["prompts", *map(str, arguments)])


def test_sr2d_is_the_published_list(tmp_path):
    done = run("sr2d", "--out", tmp_path / "new" / "sr2d.json")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("31680 prompts in ")
    rows = json.loads((tmp_path / "new" / "sr2d.json").read_text())
    assert len(rows) == 31_680
    assert list(rows[0]) == ["unique_id", "num_objects", "obj_1_attributes", "obj_2_attributes", "rel_type", "text"]


def test_a_copy_is_read_and_written_with_ids(tmp_path):
    (tmp_path / "spatial_val.txt").write_bytes(T2I.encode())
    done = run("t2i", "--from", tmp_path / "spatial_val.txt", "--out", tmp_path / "t2i.jsonl")
    assert done.exit_code == 0, done.output
    assert [p.id for p in read_prompts(tmp_path / "t2i.jsonl")] == ["t2i-0000", "t2i-0001"]


def test_shapes_has_both_splits(tmp_path):
    assert run("shapes", "--out", tmp_path / "shapes.jsonl").exit_code == 0
    found = read_prompts(tmp_path / "shapes.jsonl")
    assert [p.id for p in found[:280]] == [p.id for p in world_prompts.prompts("tune", 280)]
    assert [p.text for p in found[280:]] == [p.text for p in world_prompts.prompts("heldout", 224)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t2i"], "for t2i, `--from` is needed"),
        (["sr2d", "--from", "{folder}/broken"], "for sr2d, `--from` is of no use"),
        (["t2i", "--from", "{folder}/broken"], "line 2: expected"),
        (["geneval", "--from", "{folder}/broken"], "line 1: expected one JSON object a line"),
        (["geneval", "--from", "{folder}/nothing"], "nothing"),
        (["vg"], "'vg'"),
    ],
)
def test_one_message_and_no_file(arguments, message, tmp_path):
    (tmp_path / "broken").write_text("a cat near a dog\na cat")
    done = run(*(argument.format(folder=tmp_path) for argument in arguments), "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()
