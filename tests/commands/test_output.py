"""The output folder: checked without a trace, named without collisions, never at the cost of another's files."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infsplign.commands.output import OutputFolder, new_folder
from infsplign.evaluation.files import OutputError
from infsplign.generation.file_names import slug

RECORD = {"versions": {"infsplign": "0"}}


@given(st.text(max_size=300))
def test_slugs_are_file_names(text):
    name = slug(text)
    assert name
    assert not set(name) & set("/\\:. \0\n")
    assert len(name.encode()) <= 60


def test_slugs_keep_whole_words():
    assert slug("Déjà vu: a cat, left of a dog!") == "déjà-vu-a-cat-left-of-a-dog"
    assert slug("word " * 50) == "-".join(["word"] * 12)
    assert slug("!!!") == "images"


def test_new_folders_do_not_collide(tmp_path):
    assert new_folder("a cat", tmp_path) == tmp_path / "a-cat"
    (tmp_path / "a-cat").mkdir()
    assert new_folder("a cat", tmp_path) == tmp_path / "a-cat"  # empty, so free
    (tmp_path / "a-cat" / "x").touch()
    (tmp_path / "a-cat-2").touch()
    assert new_folder("a cat", tmp_path) == tmp_path / "a-cat-3"


def test_nothing_is_made_before_begin(tmp_path):
    folder = OutputFolder(tmp_path / "a" / "b" / "c")
    assert list(tmp_path.iterdir()) == []
    folder.begin(RECORD)
    assert json.loads((tmp_path / "a" / "b" / "c" / "trace.json").read_text()) == RECORD


def test_existing_folders_are_probed_without_a_trace(tmp_path):
    (tmp_path / "mine.txt").touch()
    OutputFolder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_paths_through_files_are_refused(tmp_path, below):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match="is no folder"):
        OutputFolder(tmp_path / "file" / below)
    assert (tmp_path / "file").read_text() == "kept"


def test_impossible_names_are_refused(tmp_path):
    with pytest.raises(OSError, match="cannot be written"):
        OutputFolder(tmp_path / ("x" * 300))


def test_an_earlier_run_is_replaced_and_other_files_stay(tmp_path):
    first = OutputFolder(tmp_path)
    first.begin(RECORD)
    for name in ("guided_0.png", "guided_1.png", "unguided_12.png", "sheet.png", "mine.png", "misguided_1.png"):
        (tmp_path / name).touch()
    assert OutputFolder(tmp_path).kept() == ["guided_0.png", "guided_1.png", "sheet.png", "unguided_12.png"]
    OutputFolder(tmp_path).begin(RECORD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.png", "misguided_1.png", "trace.json"]


@pytest.mark.parametrize("name", ["sheet.png", "guided_3.png", "trace.json"])
def test_files_of_others_with_our_names_are_refused(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(FileExistsError, match=name):
        OutputFolder(tmp_path)
    assert (tmp_path / name).read_text() == "{}"


def test_records_are_written_whole(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.begin(RECORD)
    with pytest.raises(ValueError):
        folder.write_json({"x": float("nan")})
    assert json.loads((tmp_path / "trace.json").read_text()) == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]


class TestCase30TwoAtTheSameMoment:
    def test_a_folder_that_another_process_has_is_refused(self, tmp_path):
        first, second = OutputFolder(tmp_path / "out"), OutputFolder(tmp_path / "out")
        first.claim()
        with pytest.raises(OutputError, match="is being written by another run"):
            second.claim()
        first.close()
        second.claim()

    def test_folders_of_our_own_choice_differ(self, tmp_path):
        both = [OutputFolder(new_folder("a cat", tmp_path), "a cat") for _ in range(2)]
        for folder in both:
            folder.claim()
            folder.begin(RECORD)
        assert [folder.path for folder in both] == [tmp_path / "a-cat", tmp_path / "a-cat-2"]

    def test_a_folder_that_is_gone_at_the_end_is_told(self, tmp_path):
        folder = OutputFolder(tmp_path / "out")
        folder.claim()
        (tmp_path / "out").rmdir()
        with pytest.raises(OutputError, match="was removed"):
            folder.close()


@pytest.mark.parametrize("name", ["guided_0.png", "trace.json", ".trace.json.partial"])
def test_case_34_links_are_not_followed(tmp_path, name):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "out").mkdir()
    folder = OutputFolder(tmp_path / "out")
    (tmp_path / "out" / name).symlink_to(tmp_path / "victim")
    folder.begin(RECORD)
    folder.save("guided_0.png", Image.new("RGB", (4, 4)))
    assert (tmp_path / "victim").read_text() == "mine"
    assert Image.open(tmp_path / "out" / "guided_0.png").size == (4, 4)
    assert json.loads((tmp_path / "out" / "trace.json").read_text()) == RECORD


def test_folders_below_one_are_locked_with_it(tmp_path):
    one, other = (OutputFolder(tmp_path / "all", shared=True) for _ in range(2))
    first = OutputFolder(one.path / "a", parent=one)
    first.claim()
    first.close()
    with pytest.raises(OutputError, match="is being written by another run"):
        OutputFolder(other.path / "b", parent=other).claim()
    one.close()
    OutputFolder(other.path / "b", parent=other).claim()
    other.close()
