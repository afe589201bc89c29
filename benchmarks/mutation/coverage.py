"""Which tests run each line, and how long each takes."""

import hashlib
import json
import time
from collections import defaultdict
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
        """The tests that run any function of a file, the quickest first, and before all those that are named after the file, which may
        read its constants only."""
        tests = {test for tests in self.tests.get(str(path.relative_to(ROOT)), {}).values() for test in tests}
        named = {test for test in self.seconds if f"/test_{path.stem}.py" in test}
        return sorted(tests | named, key=lambda test: (test not in named, self.seconds[test]))


def covered(room: Room, items: Sequence[pytest.Item], cache: Path) -> Covered:
    """Runs the tests of each file once, or reads what was found when this file and the sources were the same.

    Raises:
        RuntimeError: a test fails without any mutant.
    """
    sources = b"".join(path.read_bytes() for path in room.files())
    states = {str(path): hashlib.sha256(sources + path.read_bytes()).hexdigest() for path in {Path(item.path) for item in items}}
    known = json.loads(cache.read_text("utf-8")) if cache.exists() else {}
    known = {path: file for path, file in known.items() if file["state"] == states.get(path)}
    if new := [item for item in items if str(item.path) not in known]:
        text = forked(lambda: json.dumps(_measure(room, new)), 3600)
        if not text.startswith("{"):
            raise RuntimeError(f"the tests must pass without a mutant, got {text}")
        known |= {path: {"state": states[path], "tests": tests} for path, tests in json.loads(text).items()}
        cache.write_text(json.dumps(known), "utf-8")
    found: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    seconds = {}
    for file in known.values():
        for name, test in file["tests"].items():
            seconds[name] = test["seconds"]
            for path, lines in test["lines"].items():
                for line in lines:
                    found[path][line].append(name)
    return Covered(found, seconds)


def _measure(room: Room, items: Sequence[pytest.Item]) -> dict[str, dict[str, dict]]:
    """For each file of tests, for each test: its seconds and the lines of the sources that it runs."""
    recorder = coverage.Coverage(data_file=None, include=[f"{SOURCE}/*"])
    measured: dict[str, dict[str, dict]] = defaultdict(dict)
    by_name = {}
    recorder.start()
    for item in items:
        recorder.switch_context(item.nodeid)
        start = time.process_time()
        if failed := first_failure([item]):
            raise RuntimeError(f"{failed} fails without a mutant")
        by_name[item.nodeid] = measured[str(item.path)][item.nodeid] = {"seconds": time.process_time() - start, "lines": defaultdict(list)}
    recorder.stop()
    data = recorder.get_data()
    for path in room.files():
        for line, names in data.contexts_by_lineno(str(path)).items():
            for name in filter(None, names):  # "" is what ran outside of tests
                by_name[name]["lines"][str(path.relative_to(ROOT))].append(line)
    return measured
