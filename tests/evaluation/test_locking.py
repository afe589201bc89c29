"""One run at a time in a folder, whoever makes it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import infsplign
from infsplign.evaluation.files import OutputError
from infsplign.evaluation.locking import TakenError, locked

RACE = """
import os, sys, time
from pathlib import Path
from infsplign.evaluation.locking import TakenError, locked

folder, rounds, number = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
inside = []
for round in range(rounds):
    (folder / f"ready-{round}-{number}").touch()
    while len(list(folder.glob(f"ready-{round}-*"))) < 2:  # both start the round at the same moment
        pass
    out = folder / f"out-{round}" / "run"
    try:
        with locked(out):
            os.mkdir(out / "inside")  # fails where the other one is inside
            time.sleep(0.002)
            os.rmdir(out / "inside")
    except TakenError:
        pass
"""


def test_case_30_two_runs_that_start_at_the_same_moment(tmp_path):
    """300 rounds on new folders: at no time are two inside, and none of them fails otherwise."""
    environment = os.environ | {"PYTHONPATH": str(Path(infsplign.__file__).parents[1])}
    command = [sys.executable, "-c", RACE, str(tmp_path), "300"]
    runs = [subprocess.Popen([*command, number], env=environment, stderr=subprocess.PIPE, text=True) for number in "ab"]
    assert [run.communicate()[1] for run in runs] == ["", ""]
    assert [run.returncode for run in runs] == [0, 0]


def test_the_second_one_is_told(tmp_path):
    with locked(tmp_path / "a" / "b"):
        with pytest.raises(TakenError, match="is being written by another run"):
            with locked(tmp_path / "a" / "b"):
                pytest.fail("two are inside")
    with locked(tmp_path / "a" / "b"):
        pass


@pytest.mark.parametrize("again", [True, False])
def test_case_34_a_folder_that_is_removed_in_the_meantime(tmp_path, again):
    with pytest.raises(OutputError, match="was removed or replaced while this command ran"):
        with locked(tmp_path / "out"):
            shutil.rmtree(tmp_path / "out")
            if again:
                (tmp_path / "out").mkdir()


def test_an_error_inside_is_not_hidden_by_a_folder_that_is_gone(tmp_path):
    with pytest.raises(json.JSONDecodeError):
        with locked(tmp_path / "out"):
            shutil.rmtree(tmp_path / "out")
            json.loads("")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        with locked(tmp_path / "file" / "out"):
            pytest.fail("inside")
