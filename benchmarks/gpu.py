"""What guidance costs on a GPU: one command, which ends within its minutes and goes on where it was when it is run again.

python -m benchmarks.gpu                    eight minutes; writes docs/measured/gpu.json and docs/gpu.md
python -m benchmarks.gpu --minutes 20       more time for each
python -m benchmarks.gpu --tiny             small models, on a CPU too: shows that the script runs; writes to out/gpu-tiny

The real configurations get random weights on the device; nothing is downloaded. Each model runs in a process of its own, which is ended
when the time is over: what it has measured until then is kept. Float16 and bfloat16 come first, then the planner's counts and the
compiled denoisers. `benchmarks.gpu_unit` measures, `benchmarks.gpu_page` writes the tables.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

import torch

from benchmarks.gpu_cases import REAL, TINY
from benchmarks.gpu_page import write
from benchmarks.gpu_unit import ROUNDS, checks, machine
from infsplign.evaluation.files import write_json

DOCS, TRIAL = Path("docs"), Path("out/gpu-tiny")
TYPES = ("float16", "bfloat16")
RESERVE = 10.0
"""Seconds that are left for the tables and for processes to end."""


class Unit(NamedTuple):
    """What one process measures. `stage` is "eager", "compiled" or "planned"."""

    name: str
    kind: str
    stage: str

    @property
    def key(self) -> str:
        return " | ".join(self)


Runner = Callable[[Unit, str, float, float, int], Iterator[dict[str, Any]]]
"""(unit, device, seconds for the timing, seconds at the most, rounds that are there) to the parts that are found."""


def units(names: Sequence[str], types: Sequence[str]) -> list[Unit]:
    """All of them, the more important ones first."""
    eager = [Unit(name, kind, "eager") for kind in types for name in names]
    planned = [Unit(name, "float16", "planned") for name in names]
    return eager + planned + [Unit(name, kind, "compiled") for kind in types for name in names]


def add(record: dict[str, Any], unit: Unit, part: dict[str, Any]) -> None:
    """Puts a part in its place in the record."""
    found = record["measured"].setdefault(unit.key, {"ways": {}, "rounds": []})
    part = dict(part)
    if "way" in part:
        found["ways"][part.pop("way")] = part
    elif "round" in part:
        found["rounds"].append(part["round"])
    else:
        found |= part


def complete(record: dict[str, Any], unit: Unit) -> bool:
    found = record["measured"].get(unit.key, {})
    return bool(found.get("done")) and (unit.stage == "planned" or len(found["rounds"]) >= ROUNDS[0] or not usable(found))


def usable(found: dict[str, Any]) -> list[str]:
    """The ways that ran."""
    return [way for way, facts in found["ways"].items() if "error" not in facts]


def in_process(unit: Unit, device: str, seconds: float, most: float, have: int) -> Iterator[dict[str, Any]]:
    """A unit in a process of its own, ended with all that it has started after `most` seconds; "done" where it came to its end."""
    command = [sys.executable, "-m", "benchmarks.gpu_unit", *unit, device, f"{seconds:.1f}", str(have)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        watch = Timer(most, _end, [process.pid])
        watch.start()
        try:
            for line in process.stdout or ():
                if line.startswith("{"):
                    yield json.loads(line)
        finally:
            watch.cancel()
            _end(process.pid)
    yield {"done": True} if process.returncode == 0 else {"failed": process.returncode}


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def measure(record: dict[str, Any], wanted: Sequence[Unit], device: str, until: float, save: Callable[[], None], run: Runner) -> None:
    """Measures what is missing, until the clock (`time.monotonic`) says `until`."""
    missing = [unit for unit in wanted if not complete(record, unit)]
    for number, unit in enumerate(missing):
        left = until - time.monotonic()
        if left <= 0:
            return
        found = record["measured"].get(unit.key, {})
        have = len(found.get("rounds", ()))
        for part in run(unit, device, left / (len(missing) - number) / 2, left, have):
            add(record, unit, part)
            save()


def opened(path: Path, told: dict[str, Any], *, again: bool) -> dict[str, Any]:
    """The record so far, or a new one.

    Raises:
        ValueError: the record is of another device or another torch.
    """
    if again or not path.exists():
        return {"machine": told, "measured": {}}
    record = json.loads(path.read_text("utf-8"))
    if record["machine"] != told:
        raise ValueError(f"{path} was measured on {record['machine']}, and this is {told}; give --again to measure anew")
    return record


def main(arguments: Sequence[str] | None = None, run: Runner = in_process) -> None:
    begun = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="to be done within")
    parser.add_argument("--tiny", action="store_true", help="small models, which run on a CPU too")
    parser.add_argument("--models", nargs="*", default=None, help="of these alone")
    parser.add_argument("--types", nargs="*", choices=TYPES, default=list(TYPES))
    parser.add_argument("--out", type=Path, default=None, help=f"folder; {DOCS}, with --tiny {TRIAL}")
    parser.add_argument("--again", action="store_true", help="forget what has been measured")
    options = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not options.tiny:
        parser.error("no GPU is here, and the real configurations need one; --tiny shows that the script runs")
    names, out = options.models or list(TINY if options.tiny else REAL), options.out or (TRIAL if options.tiny else DOCS)
    unknown = set(names) - set(REAL | TINY)
    if unknown:
        parser.error(f"--models must be of {', '.join(REAL | TINY)}, got {', '.join(sorted(unknown))}")
    path, page = out / "measured" / "gpu.json", out / "gpu.md"
    record = opened(path, machine(device), again=options.again)
    record.setdefault("kernels", checks(device))
    record["order"] = list(dict.fromkeys([*record.get("order", ()), *names]))
    until = begun + 60 * options.minutes - RESERVE
    measure(record, units(names, options.types), device, until, lambda: write_json(path, record), run)
    write_json(path, record)
    print(write(page, record))


if __name__ == "__main__":
    main()
