"""How many prompts are read as they are meant: everyday ones by `benchmarks.readings`, and those of the published sets.

    python -m benchmarks.parsing [--list tune] [--t2i spatial_val.txt] [--geneval evaluation_metadata.jsonl]

SR2D is generated; the other two are read from the user's copies. A prompt of these counts when its objects and its one relation are
those of the benchmark. Failures are listed, and make the command fail. So do more wrong readings or refusals of the unseen half of the
everyday prompts than `readings.LIMITS` allows.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import readings
from infsplign.core.spellings import relation
from infsplign.errors import PromptError
from infsplign.evaluation.prompts import BenchmarkPrompt, read_geneval, read_t2i, spatial, sr2d
from infsplign.prompts import parse_prompt


def failure(prompt: BenchmarkPrompt) -> str | None:
    """What is wrong with the reading of a prompt; None where it is the benchmark's."""
    meant = (prompt.first, relation(prompt.relation).name, prompt.second)
    try:
        scene = parse_prompt(prompt.text)
    except PromptError as error:
        return f"{prompt.text!r}: {str(error).splitlines()[-2]}"
    read = [(scene.objects[edge.first], edge.relation.name, *(scene.objects[n] for n in edge.objects[1:])) for edge in scene.relations]
    return None if read == [meant] else f"{prompt.text!r}: read as {read}, meant is {meant}"


def report(name: str, prompts: Sequence[BenchmarkPrompt]) -> list[str]:
    """Prints one line for a set, and returns its failures."""
    start = time.process_time()
    failures = [wrong for prompt in prompts if (wrong := failure(prompt))]
    seconds = time.process_time() - start
    right = len(prompts) - len(failures)
    print(f"{name:14} {len(prompts):6} prompts, {right:6} read as meant, {len(failures)} not, {seconds:.1f} s of one core")
    return failures


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--t2i", type=Path, help="T2I-CompBench's spatial_val.txt")
    parser.add_argument("--geneval", type=Path, help="GenEval's evaluation_metadata.jsonl, or its rows about position")
    parser.add_argument("--list", choices=readings.SETS, help="list the prompts of this set that are not read as they are meant")
    options = parser.parse_args(argv)
    for half in readings.SETS:
        print(readings.report(half, listed=half == options.list), end="\n\n")
    failures = report("SR2D", spatial(sr2d()))
    if options.t2i:
        failures += report("T2I-CompBench", read_t2i(options.t2i))
    if options.geneval:
        failures += report("GenEval", read_geneval(options.geneval))
    print("\n".join(failures), end="\n" if failures else "")
    return 1 if failures or not readings.within_limits("unseen") else 0


if __name__ == "__main__":
    raise SystemExit(main())
