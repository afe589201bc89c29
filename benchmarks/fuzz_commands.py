"""Spoils every file that a command reads, and every option, and looks at what the command says.

    python -m benchmarks.fuzz --seconds 0 --inputs 2000 [--seed 0]

What must hold: the command does its work, or ends with code 2 and one message; it never shows a traceback. Files are those of a small run,
of its scores and of each kind of prompts; images are made by a stub, and where a model would be loaded the options have been accepted.
"""

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from benchmarks.fuzz_inputs import option_runs, spoiled
from infsplign.cli import app
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.detectors.recorded import FORMAT
from infsplign.evaluation.running.sampler import LoadedSampler

SR2D = ["--images", "2", "--batch", "2", "--methods", "unguided,infsplign", "--traces", "--no-progress", "--model", "shapes"]
RUN = ["eval", "sr2d", *SR2D, "--prompts", "listed.jsonl", "--out", "run"]
SCORE = ["score", "--no-progress", "--benchmark"]
VISOR = [*SCORE, "visor", "--prompts", "sr2d.json", "--detector"]
COMMANDS = {
    "t2i.txt": [
        ["prompts", "t2i", "--from", "t2i.txt", "--out", "new.jsonl"],
        [*SCORE, "t2i", "--prompts", "t2i.txt", "--detector", "t2i.json"],
    ],
    "geneval.jsonl": [["prompts", "geneval", "--from", "geneval.jsonl", "--out", "new.jsonl"]],
    "geneval/00000/metadata.jsonl": [[*SCORE, "geneval", "--prompts", "geneval.jsonl", "--images", "geneval", "--detector", "world"]],
    "sr2d.json": [[*VISOR, "found.json"], ["eval", "sr2d", *SR2D, "--prompts", "sr2d.json", "--out", "new"]],
    "listed.jsonl": [RUN],
    "ours.jsonl": [[*SCORE, "visor", "--prompts", "ours.jsonl", "--detector", "found.json"]],
    "found.json": [[*VISOR, "found.json"], [*VISOR, "world", "--images", "run/unguided", "--detections", "found.json"]],
    "run/scores/results.json": [[*VISOR, "found.json", "--against", "run/scores"], ["report", "run"]],
    "run/scores/images.jsonl": [[*VISOR, "found.json", "--against", "run/scores"], ["report", "run"]],
    "run/manifest.json": [RUN, ["report", "run"]],
    "run/results.json": [RUN, ["report", "run"]],
    "run/unguided.jsonl": [RUN, ["report", "run"]],
    "run/unguided.failed.json": [RUN, ["report", "run"]],
    "run/unguided/0_00.png": [RUN, ["report", "run"], [*VISOR, "world", "--images", "run/unguided"]],
    "run/infsplign/0_00.trace.json": [RUN, ["report", "run"]],
}
"""File to the commands that read it."""


class Stub:
    """Makes small images at once."""

    keep_traces = True

    def settings(self) -> dict[str, Any]:
        return {"model": "stub", "steps": 4, "guidance_scale": 5.0, "scheduler": {"class": "none"}}

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: Any) -> list[Image.Image]:
        if any("fails" in text for text in texts):
            raise ValueError("a prompt that cannot be made")
        self.traces = [[{"step": 0}] for _ in texts] if config else []
        return [Image.new("RGB", (8, 8), (number % 256, 20, 30)) for number in seeds]


def prepare(folder: Path) -> None:
    """Writes the files, each whole: the run and its scores by the commands themselves."""
    objects = {"num_objects": 2, "obj_1_attributes": ["cat"], "obj_2_attributes": ["dog"]}
    pairs = [("0", "a cat to the left of a dog", "left of"), ("1", "a cat above a dog", "above")]
    spellings = {"left of": "to the left of", "above": "above"}
    rows = [objects | {"unique_id": int(n), "rel_type": spellings[r], "text": text} for n, text, r in pairs]
    ours = [{"id": n, "text": text, "first": "cat", "relation": r, "second": "dog", "extra": {}} for n, text, r in pairs]
    listed = [{"id": n, "text": text} for n, text, _ in pairs] + [{"id": "2", "text": "a cat that fails left of a dog"}]
    asked = {"tag": "position", "include": [{"class": "dog", "count": 1}, {"class": "cat", "count": 1, "position": ["left of", 0]}]}
    (folder / "sr2d.json").write_text(json.dumps(rows))
    (folder / "ours.jsonl").write_text(_lines(ours))
    (folder / "listed.jsonl").write_text(_lines(listed))
    (folder / "geneval.jsonl").write_text(_lines([asked | {"prompt": "a photo of a cat left of a dog"}, {"tag": "colors"}]))
    (folder / "geneval" / "00000" / "samples").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "geneval" / "00000" / "samples" / "0000.png")
    (folder / "geneval" / "00000" / "metadata.jsonl").write_text(json.dumps(asked | {"prompt": "a photo of a cat left of a dog"}))
    (folder / "t2i.txt").write_text("a cat on the left of a dog\na girl near a lamp\n")
    keys = [f"{n}_{i:02d}" for n in "01" for i in range(2)]
    (folder / "found.json").write_text(json.dumps(_recording(keys)))
    texts = (folder / "t2i.txt").read_text().splitlines()
    (folder / "t2i.json").write_text(json.dumps(_recording([f"{text}_{i:06d}" for text in texts for i in range(2)])))
    (folder / "file").write_text("no folder")
    with chdir(folder), stubbed():
        for command in (RUN, [*VISOR, "found.json", "--images", "run/unguided", "--out", "run/scores"]):
            done = CliRunner().invoke(app, command)
            assert done.exit_code == 0, done.output
        for path in ("run/unguided.failed.json", *COMMANDS):
            assert Path(path).is_file(), path


def _lines(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _recording(keys: Sequence[str]) -> dict[str, Any]:
    places = {"cat": 10, "dog": 50, "person": 5, "lamp": 60}
    found = [{"name": name, "score": 0.9, "box": [x, 9.0, x + 30, 40.5]} for name, x in places.items()]
    return {
        "format": FORMAT,
        "detector": {"name": "mine", "version": "1", "threshold": 0.1},
        "images": {key: {"size": [100, 90], "names": list(places), "detections": found} for key in keys},
    }


class LoadedError(ValueError):
    """A model would be loaded now: the options have been accepted."""


@contextmanager
def stubbed(*, loading: bool = True) -> Iterator[None]:
    """No model is loaded: a stub stands for it, or with `loading` false the command ends there."""

    def load(*_: Any, **__: Any) -> Any:
        if loading:
            return LoadedSampler(Stub(), GuidanceConfig(), GuidanceConfig())
        raise LoadedError("options accepted")

    places = ("infsplign.commands.eval_common.Loading.__call__", "infsplign.commands.describe.load_pipeline")
    with mock.patch(places[0], load), mock.patch(places[1], load), mock.patch("infsplign.generation.models.load_pipeline", load):
        yield


def check_command(arguments: Sequence[str]) -> str:
    """A command in the present folder does its work, or says in one message why not."""
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, repr(done.exception)[:2000])
    assert done.exit_code in (0, 2), (arguments, done.exit_code, done.output[-2000:])
    if done.exit_code == 0:
        return "read"
    assert "infsplign: error: " in done.stderr, (arguments, done.stderr[-2000:])
    message = done.stderr.partition("infsplign: error: ")[2]
    assert message.strip(), arguments
    assert len(message) < 4200, (arguments, len(message))
    assert "Traceback" not in message, arguments
    return "refused"


def check_file(whole: Path, name: str, command: Sequence[str], data: bytes) -> str:
    """A command, where one of its files holds `data`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(whole, copy)
        (copy / name).write_bytes(data)
        with chdir(copy), stubbed():
            return check_command(command)


def check_options(whole: Path, arguments: Sequence[str]) -> str:
    """A command with any options."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(whole, copy)
        with chdir(copy), stubbed(loading=False), mock.patch.dict(os.environ, {"HF_HUB_OFFLINE": "1"}):
            return check_command(arguments)


@st.composite
def inputs(draw: st.DrawFn, whole: Path) -> tuple[str, Any]:
    """A file to spoil, with the command that reads it, or the options of a command."""
    if draw(st.integers(0, 3)) == 0:
        return "options", draw(option_runs())
    name = draw(st.sampled_from(sorted(COMMANDS)))
    return name, (draw(st.sampled_from(COMMANDS[name])), draw(spoiled((whole / name).read_bytes(), text=name.endswith(".txt"))))


def run(count: int, number: int) -> tuple[dict[str, Counter[str]], float]:
    """Tries so many inputs.

    Args:
        count: of inputs.
        number: seed.

    Returns:
        What was spoiled to how often it was read and refused, and the longest time that an input took, in seconds.

    Raises:
        AssertionError: a traceback, or no clear message.
    """
    found: dict[str, Counter[str]] = {}
    slowest = [0.0]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder)
        prepare(whole)

        @seed(number)
        @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(inputs(whole))
        def one(drawn: tuple[str, Any]) -> None:
            name, what = drawn
            start = time.perf_counter()
            outcome = check_options(whole, what) if name == "options" else check_file(whole, name, *what)
            slowest[0] = max(slowest[0], time.perf_counter() - start)
            found.setdefault(name, Counter())[outcome] += 1

        one()
    return found, slowest[0]
