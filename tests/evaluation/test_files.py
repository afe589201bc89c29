"""Files that are whole or not there, also after a power cut; links that are not followed."""

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.evaluation import files
from infsplign.evaluation.files import OutputError, append, check_writable, make_folder, write, write_json


@pytest.fixture
def synced(monkeypatch):
    """Paths in the order in which they were flushed to the disk, and `-> path` for each rename."""
    done, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda place: (done.append(Path(os.readlink(f"/proc/self/fd/{place}"))), fsync(place)))
    monkeypatch.setattr(files.os, "replace", lambda source, target: (done.append(f"-> {Path(target).name}"), replace(source, target)))
    return done


class TestCase32PowerCuts:
    def test_a_file_is_flushed_before_its_name_and_its_folder_after(self, tmp_path, synced):
        write(tmp_path / "a.txt", "text")
        file, renamed, folder = synced
        assert (file.parent, renamed, folder) == (tmp_path, "-> a.txt", tmp_path)

    def test_lines_are_flushed(self, tmp_path, synced):
        append(tmp_path / "a.jsonl", "1\n")
        append(tmp_path / "a.jsonl", "2\n")
        assert synced == [tmp_path / "a.jsonl", tmp_path, tmp_path / "a.jsonl"]
        assert (tmp_path / "a.jsonl").read_text() == "1\n2\n"

    def test_the_names_of_new_folders_are_flushed(self, tmp_path, synced):
        make_folder(tmp_path / "a" / "b")
        assert {tmp_path, tmp_path / "a"} <= set(synced)


class TestCase34Links:
    @pytest.mark.parametrize("name", [".manifest.json.partial", ".infsplign-{pid}.partial", "manifest.json"])
    def test_what_a_link_points_to_is_left_alone(self, tmp_path, name):
        victim, out = tmp_path / "victim", tmp_path / "out"
        victim.write_text("mine")
        out.mkdir()
        (out / name.format(pid=os.getpid())).symlink_to(victim)
        write_json(out / "manifest.json", {"a": 1})
        assert victim.read_text() == "mine"
        assert json.loads((out / "manifest.json").read_text()) == {"a": 1}
        assert not (out / "manifest.json").is_symlink()

    @pytest.mark.parametrize("name", ["pipe", "link"])
    def test_devices_and_pipes_are_not_replaced(self, tmp_path, name):
        """Root may rename a file over `/dev/null`; a pipe stands for it here."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to(tmp_path / "pipe")
        with pytest.raises(OutputError, match="is a device, a pipe or a socket, which is not replaced"):
            write(tmp_path / name, "text")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
        assert (tmp_path / "pipe").is_fifo()

    def test_lines_are_not_added_through_a_link(self, tmp_path):
        (tmp_path / "victim").write_text("mine")
        (tmp_path / "m.jsonl").symlink_to(tmp_path / "victim")
        with pytest.raises(OutputError, match="is a symbolic link"):
            append(tmp_path / "m.jsonl", "more\n")
        assert (tmp_path / "victim").read_text() == "mine"

    def test_a_folder_that_is_gone_is_not_made_again(self, tmp_path):
        with pytest.raises(OutputError, match="its folder is gone"):
            write(tmp_path / "gone" / "a", "x", make=False)
        with pytest.raises(OutputError, match="its folder is gone"):
            append(tmp_path / "gone" / "a", "x\n")
        assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("before")
    monkeypatch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="No space left on device; what is done so far is kept"):
        write(tmp_path / "a", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "before"


LEAVES = st.none() | st.text(st.characters()) | st.integers()


@given(st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v)))
def test_json_reads_back_with_half_characters_too(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert json.loads(path.read_text("utf-8")) == value


@pytest.mark.parametrize("out", ["a/b/c", "x" * 255, "."])
def test_a_probe_makes_nothing(tmp_path, out):
    check_writable(tmp_path / out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["file", "file/below", "x" * 256, "new/" + "é" * 128, "dangling", "dangling/below"])
def test_folders_that_cannot_be(tmp_path, out):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match=r"`--out` .* cannot be written"):
        check_writable(tmp_path / out)


def test_case_30_a_probe_never_removes_a_folder(tmp_path, monkeypatch):
    """The folder appears while it is looked for, as that of another process does."""
    stop = threading.Event()

    def other():
        while not stop.is_set():
            (tmp_path / "out").mkdir(exist_ok=True)

    thread = threading.Thread(target=other)
    monkeypatch.setattr(os, "rmdir", lambda *_, **__: pytest.fail("removed a folder"))
    thread.start()
    try:
        for _ in range(200):
            check_writable(tmp_path / "out")
    finally:
        stop.set()
        thread.join()


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(OutputError, match="is a folder; name a file, which may be in it"):
        write(tmp_path, "text")
    assert not list(tmp_path.iterdir())
