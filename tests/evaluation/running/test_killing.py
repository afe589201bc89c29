"""A run that is killed and started again gives what an uninterrupted one gives, to the last byte of every file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import infsplign

ROOT = Path(__file__).parents[3]


def killing(kind: str, folder: Path) -> dict:
    paths = [str(Path(infsplign.__file__).parents[1]), str(ROOT)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "tests.evaluation.running.killing", kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_at_every_moment_of_writing(tmp_path):
    found = killing("moments", tmp_path)
    assert found["kills"] == 60  # 12 images and what else is written
    assert found["different"] == []


def test_killed_at_random_times(tmp_path):
    found = killing("times", tmp_path)
    assert found["kills"] >= 10
    assert (found["lost"], found["equal"]) == (0, True)


def test_the_shipped_model_killed(tmp_path):
    found = killing("shipped", tmp_path)
    assert found == {"kills": 5, "equal": True, "files": 20 + 4}
