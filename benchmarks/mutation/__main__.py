"""`python -m benchmarks.mutation`; see the package."""

import argparse

import pytest

from benchmarks.mutation.page import write
from benchmarks.mutation.rooms import ROOMS, ROOT
from benchmarks.mutation.running import Mutating


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--room", choices=list(ROOMS), action="append", help="default: all rooms")
    parser.add_argument("--sample", type=int, help="at most so many mutants of each file, drawn with the seed; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", default="", help="only files whose path holds this")
    parser.add_argument("--again", action="store_true", help="also repeat the mutants that survived")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page")
    options = parser.parse_args()
    folder = ROOT / "out" / "mutation"
    folder.mkdir(parents=True, exist_ok=True)
    for name in () if options.page else options.room or ROOMS:
        room, results = ROOMS[name], folder / f"{name}.jsonl"
        plugin = Mutating(room, results, options.sample, options.seed, options.file, options.again)
        quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"]
        if code := pytest.main([*quiet, *room.arguments()], plugins=[plugin]):
            raise SystemExit(code)
    print(write(folder))


if __name__ == "__main__":
    main()
