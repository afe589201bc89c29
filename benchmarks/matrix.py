"""Do the tests pass with older and newer releases of diffusers, transformers and torch? One environment for each combination.

python -m benchmarks.matrix                     (all combinations; writes docs/measured/matrix.md)
python -m benchmarks.matrix --only 0.35,4.57    (those whose versions begin so)
python -m benchmarks.matrix --tests tests/pipelines/test_guide.py

Environments lie in `.matrix/`. What is done is kept there in `results.json` and is not done again, unless the package, the tests or the
asked tests have changed. Torch is the build that pip finds for the version; on Linux that of PyPI brings CUDA along, several gigabytes.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PLACE, PAGE = ROOT / ".matrix", ROOT / "docs" / "measured" / "matrix.md"
TESTS = ("tests/engine", "tests/adapters", "tests/pipelines", "tests/shipped", "tests/support")
OTHERS = (
    *("numpy", "array-api-compat", "accelerate", "psutil", "safetensors", "sentencepiece", "protobuf", "typer", "tqdm", "rich"),
    *("matplotlib", "pillow", "scipy", "jinja2", "pytest", "hypothesis", "array-api-strict", "beautifulsoup4", "ftfy", "peft"),
)
"""What the tests need besides, in the newest releases that go with the combination."""


HEAD = """By `make matrix` (`python -m benchmarks.matrix`), on a CPU. CI runs all tests with those of `constraints.txt`: diffusers 0.42.1,
transformers 5.23.0 and torch 2.13.0. `group_offloading` fails on a CPU in diffusers itself before 0.42: it asks for an accelerator."""


class Combination(NamedTuple):
    """Versions as pip takes them, such as "0.35.2"."""

    diffusers: str
    transformers: str
    torch: str

    @property
    def name(self) -> str:
        return f"diffusers-{self.diffusers}-transformers-{self.transformers}-torch-{self.torch}"


COMBINATIONS = (
    Combination("0.35.2", "4.57.6", "2.13.0"),
    Combination("0.36.0", "4.57.6", "2.13.0"),
    Combination("0.38.0", "5.0.0", "2.13.0"),
    Combination("0.40.0", "5.12.1", "2.13.0"),
    Combination("0.42.1", "5.23.0", "2.13.0"),
    Combination("0.42.1", "5.24.0", "2.13.0"),
    Combination("0.42.1", "5.24.0", "2.14.1"),
    Combination("0.35.2", "4.57.6", "2.6.0"),
)


def environment(one: Combination) -> Path:
    """Makes the environment of a combination, unless it is whole, and returns its Python.

    Raises:
        CalledProcessError: pip finds no such releases, or they do not go together.
    """
    folder = PLACE / one.name
    python, whole = folder / "bin" / "python", folder / "whole"
    if not whole.exists():
        venv.create(folder, clear=True, with_pip=True)
        wanted = [f"{name}=={version}" for name, version in one._asdict().items()]
        command = [python, "-m", "pip", "install", "--quiet", *wanted, *OTHERS]
        subprocess.run(command, check=True, capture_output=True, text=True)
        no_deps = [python, "-m", "pip", "install", "--quiet", "--no-deps", "open_clip_torch==3.3.0"]
        subprocess.run(no_deps, check=True, capture_output=True, text=True)
        whole.touch()
    return python


def tested(python: Path, tests: Sequence[str]) -> dict[str, Any]:
    """Runs the tests, at low priority: how many passed, and the names of those that failed."""
    paths = os.pathsep.join((str(ROOT / "models" / "src"), str(ROOT / "src")))
    env = {**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [str(python), "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, preexec_fn=lambda: os.nice(10))
    return summary(done.stdout + done.stderr)


def summary(text: str) -> dict[str, Any]:
    """Reads the end of pytest's output.

    >>> summary("FAILED tests/a.py::b[c] - x\\n1 failed, 3 passed, 2 warnings in 5.00s")
    {'passed': 3, 'failed': ['tests/a.py::b[c]']}
    """
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    passed = re.findall(r"(\d+) passed", text)
    if not passed and not failed:
        failed = [f"no test ran: {text.strip().splitlines()[-1] if text.strip() else 'no output'}"]
    return {"passed": int(passed[-1]) if passed else 0, "failed": failed}


def sources(tests: Sequence[str]) -> str:
    """A hash of what a result depends on: the package, its tests and which of them are asked for."""
    digest = hashlib.sha256(json.dumps(list(tests)).encode())
    for path in sorted(path for folder in ("src", "models/src", "tests") for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def commit() -> str:
    """The commit of the sources that the tests were run with."""
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def page(results: dict[str, Any]) -> str:
    """The table, and what failed."""
    rows = ["| diffusers | transformers | torch | passed | failed | at commit | tests |", "|---" * 7 + "|"]
    notes = []
    for one in COMBINATIONS:
        if (found := results.get(one.name)) is None:
            rows.append(f"| {one.diffusers} | {one.transformers} | {one.torch} | not run here | | | |")
            continue
        lost = found["failed"]
        rows.append(f"| {' | '.join(one)} | {found['passed']} | {len(lost)} | {found['commit']} | {', '.join(found['tests'])} |")
        if lost:
            listed = [f"- `{name}`" for name in lost[:20]] + ([f"- and {len(lost) - 20} more"] if len(lost) > 20 else [])
            notes += ["", f"diffusers {one.diffusers}, transformers {one.transformers}, torch {one.torch}:", "", *listed]
    head = ["# Releases that the tests were run with", "", HEAD, ""]
    return "\n".join([*head, *rows, *(["", "## What failed", *notes] if notes else [])]) + "\n"


def asked(only: str | None) -> Iterator[Combination]:
    """The combinations whose versions begin with the given ones: diffusers', then transformers', then torch's."""
    begins = only.split(",") if only else []
    return (one for one in COMBINATIONS if all(version.startswith(begin) for version, begin in zip(one, begins, strict=False)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="such as 0.35,4.57,2.6")
    parser.add_argument("--tests", nargs="+", default=list(TESTS))
    options = parser.parse_args()
    PLACE.mkdir(exist_ok=True)
    kept = PLACE / "results.json"
    results = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    state = sources(options.tests)
    for one in asked(options.only):
        if results.get(one.name, {}).get("sources") == state:
            continue
        print(f"{one.name} ...", flush=True)
        try:
            found = tested(environment(one), options.tests)
        except subprocess.CalledProcessError as error:
            print(f"  no environment: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        results[one.name] = found | {"sources": state, "tests": options.tests, "commit": commit()}
        print(f"  {found['passed']} passed, {len(found['failed'])} failed", flush=True)
        kept.write_text(json.dumps(results, indent=1), "utf-8")
        PAGE.write_text(page(results), "utf-8")


if __name__ == "__main__":
    main()
