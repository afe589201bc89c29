"""Pictures of a comparison: images that guidance put right, and images that it spoilt. Nothing is picked by eye.

python -m benchmarks.cases out/compare-shapes-heldout --out docs/images/cases-shapes.png

Won: strict as the last method made it, not strict as the first did. Lost: the other way round. Of each kind the first `--each` prompts
that have such an image, in the order of the split; methods between are shown beside them.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.visuals import comparison_sheet

Records = dict[str, dict[str, Any]]


def records(run: Path, method: str) -> Records:
    """Records of a method by key, in the order of the run: those that `results.json` is about, though more prompts were asked before."""
    found = [json.loads(line) for line in (run / f"{method}.jsonl").read_text("utf-8").splitlines()]
    results = run / "results.json"
    count = json.loads(results.read_text("utf-8"))["prompts"] if results.exists() else None
    by_key = {record["key"]: record for record in sorted(found, key=lambda record: record["key"])}
    return {key: record for key, record in by_key.items() if count is None or _number(key) < count}


def _number(key: str) -> int:
    """Of the prompt in its split; 0 where its id does not tell."""
    match = re.search(r"-(\d+)_\d+$", key)
    return int(match[1]) if match else 0


def verdict(record: dict[str, Any]) -> str:
    """What is right or wrong with an image, in a few words."""
    if record["strict"]:
        return "strict"
    if not record["both"]:
        return "an object is missing" + (", one doubled" if record["doubled"] else "")
    found = ([] if record["correct"] else ["relation wrong"]) + (["doubled"] if record["doubled"] else [])
    return ", ".join(found) or "something else is there"


def failures(run: Path, methods: Sequence[str]) -> str:
    """What is wrong with a method's images, in percent; "exactly once": each object once and nothing else, wherever they are."""
    columns = ("exactly once", "strict", "an object missing", "doubled", "relation wrong", "something else")
    lines = ["| method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for method in methods:
        rows = list(records(run, method).values())
        said = [verdict(row) for row in rows]
        counts = [sum(row["both"] and len(row["detections"]) == 2 for row in rows), said.count("strict")]
        counts += [sum(text.startswith("an object") for text in said), sum(text.endswith("doubled") and text[:2] != "an" for text in said)]
        counts += [said.count("relation wrong"), said.count("something else is there")]
        lines.append(" | ".join([f"| {method}", *(f"{100 * count / len(rows):.1f}" for count in counts)]) + " |")
    return "\n".join(lines) + "\n"


def changed(before: Records, after: Records, each: int) -> dict[str, list[str]]:
    """Keys of images won and lost, at most one a prompt."""
    found: dict[str, list[str]] = {"won": [], "lost": []}
    seen: set[tuple[str, str]] = set()
    for key, record in after.items():
        kind = "won" if record["strict"] else "lost"
        prompt = key.rpartition("_")[0]
        if key in before and record["strict"] != before[key]["strict"] and (kind, prompt) not in seen and len(found[kind]) < each:
            seen.add((kind, prompt))
            found[kind].append(key)
    return found


def sheet(run: Path, methods: Sequence[str], each: int) -> Image.Image:
    """The sheet of a run; won and lost images are told by the difference between the first method and the last."""
    known = {method: records(run, method) for method in methods}
    kinds = changed(known[methods[0]], known[methods[-1]], each)
    chosen = [(kind, key) for kind, keys in kinds.items() for key in keys]
    if not chosen:
        raise SystemExit(f"{run}: no image is strict for one of {methods[0]} and {methods[-1]} alone")
    images = {method: [Image.open(run / method / f"{key}.png") for _, key in chosen] for method in methods}
    notes = {method: [verdict(found[key]) for _, key in chosen] for method, found in known.items()}
    captions = [f"{kind}: {known[methods[0]][key]['prompt']}, image {int(key.rpartition('_')[2])}" for kind, key in chosen]
    return comparison_sheet(images, title=f"{run.name}: images won and lost", rows=captions, notes=notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of `infsplign eval world` or `benchmarks.compare`")
    parser.add_argument("--methods", nargs="*", default=["unguided", "paper", "infsplign"])
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(failures(options.run, options.methods))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(options.run, options.methods, options.each).save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
