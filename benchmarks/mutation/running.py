"""The plugin of pytest that runs the mutants of a room instead of its tests."""

import gc
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from benchmarks.mutation import forks
from benchmarks.mutation.coverage import covered
from benchmarks.mutation.mutants import Mutant, mutants
from benchmarks.mutation.rooms import SOURCE, Room

EXAMPLES = 8
"""Examples of a property, instead of 40: fewer can only lower the score."""
LONGEST = 6.0
"""CPU seconds of tests that a mutant is given, and four times as many where it is repeated."""


class Examples:
    """A plugin of pytest: properties run with few examples, which are not shrunk."""

    def pytest_collection(self) -> None:
        phases = (Phase.explicit, Phase.generate)
        checks = list(HealthCheck)
        settings.register_profile(
            "mutation", max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=checks, phases=phases, database=None
        )
        settings.load_profile("mutation")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            test = getattr(getattr(item, "obj", None), "__func__", getattr(item, "obj", None))
            own = getattr(test, "_hypothesis_internal_use_settings", None)
            if own is not None:
                few = settings(own, max_examples=min(EXAMPLES, own.max_examples), phases=(Phase.explicit, Phase.generate), database=None)
                test._hypothesis_internal_use_settings = few  # pyright: ignore[reportOptionalMemberAccess]


@dataclass
class Mutating(Examples):
    """Runs the mutants of a room and adds their results to a file, a line of JSON each."""

    room: Room
    results: Path
    sample: int | None = None
    seed: int = 0
    only: str = ""
    again: bool = False
    known: dict[str, dict] = field(default_factory=dict)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        by_name = {item.nodeid: item for item in session.items}
        gc.collect()
        functions = forks.functions_by_file()
        gc.freeze()
        found = covered(self.room, session.items, self.results.with_suffix(".coverage.json"))
        self.known = read(self.results)
        for path in self.room.files():
            if self.only in str(path):
                self._file(path, found, by_name, functions.get(str(path), []))
        return True

    def _file(self, path: Path, found, by_name: dict[str, pytest.Item], functions: Sequence) -> None:
        changes = list(mutants(path))
        random.Random(f"{self.seed} {path.name}").shuffle(changes)
        chosen = [m for change in changes[: self.sample] if (m := change.mutant()) is not None]
        todo = [m for m in chosen if m.key not in self.known or (self.again and self.known[m.key]["status"] in ("survived", "untested"))]
        live = forks.live_functions(path, functions)
        for mutant in todo:
            names = found.of(path, mutant.lines, mutant.line)
            at_import = forks.runs_at_import(path, mutant.source) or not names  # what no test runs may run at import, as a decorator does
            names = _affordable(
                found.of_file(path) if at_import else names, found.seconds, LONGEST * (4 if mutant.key in self.known else 1)
            )
            start = time.monotonic()
            if at_import:
                status, by = _tried(names, partial(forks.imported_anew, path, mutant.source, names, Examples()))
            else:
                status, by = _tried(names, partial(_swapped, mutant, [by_name[name] for name in names], live))
            self._note(mutant, status, by, time.monotonic() - start)

    def _note(self, mutant: Mutant, status: str, by: str, seconds: float) -> None:
        line = {
            "key": mutant.key,
            "file": str(mutant.path.relative_to(SOURCE)),
            "function": mutant.function,
            "line": mutant.line,
            "was": mutant.was,
            "now": mutant.now,
            "status": status,
            "by": by,
            "seconds": round(seconds, 2),
        }
        with self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read(results: Path) -> dict[str, dict]:
    """The last result of each mutant, by its key."""
    if not results.exists():
        return {}
    lines = (json.loads(line) for line in results.read_text("utf-8").splitlines())
    return {line["key"]: line for line in lines}


def _affordable(names: Sequence[str], seconds: dict[str, float], most: float) -> list[str]:
    kept, total = [], 0.0
    for name in names:
        if total + seconds[name] <= most:
            kept.append(name)
            total += seconds[name]
    return kept


def _swapped(mutant: Mutant, items: Sequence[pytest.Item], live) -> str:
    forks.swap(mutant.path, mutant.source, live)
    return forks.first_failure(items)


def _tried(names: Sequence[str], work: Callable[[], str]) -> tuple[str, str]:
    """How a mutant fared, and the test that noticed it. One that cannot be imported has died."""
    if not names:
        return "untested", ""
    by = forks.forked(work, int(20 + 16 * LONGEST))
    return ("survived" if by == "" else "timeout" if by == "timeout" else "killed"), by
