"""Writes `docs/measured/mutation.md` from the results."""

import tomllib
from collections import Counter
from pathlib import Path

from benchmarks.mutation.mutants import summary
from benchmarks.mutation.rooms import ROOMS, ROOT, Room
from benchmarks.mutation.running import read

PAGE = ROOT / "docs" / "measured" / "mutation.md"
EXPLAINED = Path(__file__).with_name("explained.toml")
"""Mutants that no test can or should notice: file, function, the line as it was and as it is, and why."""
_HEAD = """# Mutation testing

A mutant is the package with one change, such as `<` for `<=`, another number, or an argument left out. It is killed when a test fails.
The operators are those of mutmut 3; `benchmarks/mutation` runs them. Annotations, imports,
decorators, texts of errors and `zip`'s `strict` are left alone. *Explained* are mutants that compute the same; the reasons are below.
*Score* is (killed + explained) / mutants tried. Where a room has more mutants than were tried, they are a random sample of each file.
Properties run with 8 examples instead of 40, and a mutant has 6 seconds of tests, 24 where it is tried again; both can only lower the
score.

    {command}

"""
_LEFT_OUT = """**What this page leaves out.** The figures are of samples: the column *of* tells how many mutants there are, and a file with
few of them is tried more closely than one with many. After each sample, tests were written for its survivors and most of these tried again,
so that the next sample may do worse.
Not run for mutants are core's tests that compile with jax or torch, the engine's tests of checkpointing with whole pipelines, and two tests
of the capture with every family; `benchmarks/mutation/rooms.py` lists them. Operators of CUDA are called by stand-ins with torch's schemas,
not on a GPU. `engine/freezing.py`, and functions that were changed after their mutants were tried, are not in the samples."""


def write(folder: Path) -> str:
    """Writes the page and returns its table."""
    reasons = tomllib.loads(EXPLAINED.read_text("utf-8"))["mutant"] if EXPLAINED.exists() else []
    rows, lists = [], []
    for name, room in ROOMS.items():
        if known := read(folder / f"{name}.jsonl"):
            summaries = [summary(path, folder / "changes.json") for path in room.files()]
            results = _current(set().union(*(contexts for _, contexts in summaries)), reasons, known)
            rows.append(_row(name, room, results, sum(count for count, _ in summaries)))
            lists.append(_list(name, results))
    titles = ("room", "mutants tried", "of", "killed", "explained", "survived", "killed, %", "score, %", "goal, %")
    head = f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|"
    table = "\n".join([head, *rows])
    PAGE.write_text(_HEAD.format(command="python -m benchmarks.mutation") + "\n\n".join([table, _LEFT_OUT, *lists]) + "\n", "utf-8")
    return table


def _current(contexts: set[str], reasons: list[dict], results: dict[str, dict]) -> list[dict]:
    """The results of functions that have not changed since; "explained" where a survivor has a reason."""
    found = [line for line in results.values() if line["key"].split("-")[0] in contexts]
    for line in found:
        reason = next((r["why"] for r in reasons if all(line[name] == r[name] for name in ("file", "was", "now"))), None)
        if line["status"] in ("survived", "untested") and reason is not None:
            line.update(status="explained", why=reason)
    return found


def _row(name: str, room: Room, results: list[dict], whole: int) -> str:
    count = Counter(line["status"] for line in results)
    killed, tried = count["killed"] + count["timeout"], len(results)
    left = count["survived"] + count["untested"]
    shares = [f"{100 * part / tried:.1f}" for part in (killed, killed + count["explained"])]
    return f"| {name} | {tried} | {whole} | {killed} | {count['explained']} | {left} | {' | '.join(shares)} | {100 * room.goal:.0f} |"


def _list(name: str, results: list[dict]) -> str:
    """The mutants that survived, and the reasons of those that are explained."""
    lines = [f"## {name}", "", "| file | function | was | became | why |", "|---|---|---|---|---|"]
    shown = sorted((line for line in results if line["status"] not in ("killed", "timeout")), key=lambda line: (line["file"], line["line"]))
    for line in shown:
        cells = [f"`{line[key].replace('|', chr(92) + '|')}`" if line[key] else "" for key in ("file", "function", "was", "now")]
        lines.append(f"| {' | '.join(cells)} | {line.get('why', '**survived**')} |")
    return "\n".join(lines)
