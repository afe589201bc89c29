"""Which tests run each line, and how long each takes."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

from benchmarks.mutation.forks import first_failure, forked
from benchmarks.mutation.rooms import ROOT, SOURCE, Room


@dataclass(frozen=True)
class Covered:
    """Tests by line of a file, and seconds by test."""

    tests: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def of(self, path: Path, lines: tuple[int, int], line: int) -> list[str]:
        """The tests that run a function, the quickest first, and before all those that run the line itself."""
        by_line = self.tests.get(str(path.relative_to(ROOT)), {})
        near = {test for number, tests in by_line.items() if lines[0] <= number <= lines[1] for test in tests}
        there = set(by_line.get(line, ()))
        return sorted(near, key=lambda test: (test not in there, self.seconds[test]))

    def of_file(self, path: Path) -> list[str]:
        """The tests that run any function of a file, the quickest first."""
        tests = {test for tests in self.tests.get(str(path.relative_to(ROOT)), {}).values() for test in tests}
        return sorted(tests, key=lambda test: self.seconds[test])


def covered(room: Room, items: Sequence[pytest.Item], cache: Path) -> Covered:
    """Runs all tests once, or reads what the last run with the same files found.

    Raises:
        RuntimeError: a test fails without any mutant.
    """
    files = [*room.files(), *(Path(item.path) for item in items)]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(set(files)))).hexdigest()
    if not cache.exists() or json.loads(cache.read_text("utf-8"))["state"] != state:
        text = forked(lambda: json.dumps({"state": state, **_measure(room, items)}), 3600)
        if not text.startswith("{"):
            raise RuntimeError(f"the tests must pass without a mutant, got {text}")
        cache.write_text(text, "utf-8")
    found = json.loads(cache.read_text("utf-8"))
    tests = {path: {int(line): names for line, names in lines.items()} for path, lines in found["tests"].items()}
    return Covered(tests, found["seconds"])


def _measure(room: Room, items: Sequence[pytest.Item]) -> dict:
    recorder = coverage.Coverage(data_file=None, include=[f"{SOURCE}/*"])
    seconds = {}
    recorder.start()
    for item in items:
        recorder.switch_context(item.nodeid)
        start = time.process_time()
        if failed := first_failure([item]):
            raise RuntimeError(f"{failed} fails without a mutant")
        seconds[item.nodeid] = time.process_time() - start
    recorder.stop()
    data = recorder.get_data()
    tests = {str(path.relative_to(ROOT)): data.contexts_by_lineno(str(path)) for path in room.files()}
    return {"tests": tests, "seconds": seconds}
