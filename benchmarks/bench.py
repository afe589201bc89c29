"""`make bench`: all methods on four shipped models, held out; writes docs/comparison.md, the table of whole images in docs/performance.md,
figures, and the report docs/report.html.

python -m benchmarks.bench                        (under an hour on two cores; interrupted, the same command goes on)
python -m benchmarks.bench --prompts 2 --images 1 --docs /tmp/docs     (to see that it works)

Each model is compared by `python -m benchmarks.compare` in a process of one thread, as many at a time as there are cores.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import cases
from benchmarks.pages import fill
from infsplign.evaluation.page import write_report
from infsplign.evaluation.scoring.summary import cell

OUT, PAGE, COSTS = Path("out"), "comparison.md", "performance.md"
MODELS = ("pictures", "shapes", "shapes-pixart", "shapes-sd3")
"""One of each backbone and world: each has its place in the pages."""
OURS = ("unguided", "paper", "paper-best", "infsplign")
"""Methods in the table of whole images, and all that vary ours."""


def compare(model: str, place: int, options: argparse.Namespace) -> None:
    """One model's comparison in a process of its own; its bar is on line `place`."""
    command = [sys.executable, "-m", "benchmarks.compare", "--model", model, "--docs", str(options.docs / "measured")]
    command += ["--prompts", str(options.prompts), "--images", str(options.images), "--out", str(folder(model))]
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | threads | {"TQDM_POSITION": str(place)})


def folder(model: str) -> Path:
    return OUT / f"compare-{model}-heldout"


def whole_images(found: dict[str, dict[str, Any]]) -> str:
    """What whole images cost and give: FLOPs relative to unguided, guided rows, quality; model by model."""
    lines = ["| model | method | FLOPs | guided rows | OA | uncond | strict | doubled ↓ |", "|---" * 8 + "|"]
    for model, results in found.items():
        for number, method in enumerate(m for m in results["quality"] if m.startswith("infsplign") or m in OURS):
            cost, quality = results["cost"][method], results["quality"][method]
            figures = [f"{cost['flops']:.3f}", f"{cost['rows']['guided']:.1f}"]
            figures += [cell(quality[name]) for name in ("OA", "uncond", "strict", "doubled")]
            lines.append(" | ".join([f"| {model if number == 0 else ''}", method, *figures]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=MODELS)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(compare, model, place, options) for place, model in enumerate(options.models)]:
            done.result()
    found = {model: json.loads((options.docs / "measured" / f"compare-{model}.json").read_text("utf-8")) for model in options.models}
    for model in options.models:
        table, _, _ = (options.docs / "measured" / f"compare-{model}.md").read_text("utf-8").partition("\n\n| difference")
        wrong = cases.failures(folder(model), list(found[model]["quality"]))
        fill(options.docs / PAGE, model, f"{table}\n\nWhat is wrong, in percent of the images:\n\n{wrong}")
        sheet = cases.sheet(folder(model), ("unguided", "paper", "infsplign"), each=4)
        sheet.save(options.docs / "images" / f"cases-{model}.png", optimize=True)
    fill(options.docs / COSTS, "whole images", whole_images(found))
    title, runs = "Methods on the shipped models", [folder(model) for model in options.models]
    shown = write_report(runs, options.docs / "report.html", images=192, title=title)
    print(f"{options.docs / PAGE}, {options.docs / 'report.html'} with {shown} images")


if __name__ == "__main__":
    main()
