"""How many prompts of the published sets are read as the benchmark means them.

    python -m benchmarks.parsing [--t2i spatial_val.txt] [--geneval evaluation_metadata.jsonl]

SR2D is generated; the other two are read from the user's copies. A prompt counts when its objects and its one relation are those of
the benchmark. Failures are listed, and make the command fail.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

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
        return f"{prompt.text!r}: {str(error).splitlines()[0]}"
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
    options = parser.parse_args(argv)
    failures = report("SR2D", spatial(sr2d()))
    if options.t2i:
        failures += report("T2I-CompBench", read_t2i(options.t2i))
    if options.geneval:
        failures += report("GenEval", read_geneval(options.geneval))
    print("\n".join(failures), end="\n" if failures else "")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
