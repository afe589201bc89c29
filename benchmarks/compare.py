"""Methods side by side on a shipped model: quality, denoiser passes, FLOPs, seconds and memory, in one table.

python -m benchmarks.compare --model shapes --prompts 64 --images 4      (held out; resumes)

The methods and their constants are in `benchmarks/methods.py`; constants were chosen on the tune split, by `python -m benchmarks.search`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.comparison_plot import draw
from benchmarks.image_cost import in_own_process
from benchmarks.methods import methods
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.evaluation.scoring.summary import cell, heading
from infsplign.evaluation.scoring.world_evaluation import evaluate_world
from infsplign.shipped import PRESETS, load

SHOWN = ("OA", "cond", "uncond", "VISOR-4", "strict", "doubled", "shape")


def costs(model: str, names: list[str], path: Path, prompts: int) -> dict[str, Any]:
    """What each method costs; what `path` holds of as many prompts is not measured again."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    known = {name: cost for name, cost in kept.items() if cost.get("prompts") == prompts}
    for name in tqdm([n for n in names if n not in known], desc="cost"):
        known[name] = in_own_process(model, name, prompts) | {"prompts": prompts}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, known)
    return {name: known[name] for name in names}


def table(results: Any, spent: dict[str, Any]) -> str:
    """Quality with intervals, then what an image costs: FLOPs over the unguided one's, guided rows, seconds of CPU, MiB at the peak."""
    base = spent.get("unguided") or next(iter(spent.values()))
    shown = [m for m in SHOWN if m in next(iter(results["methods"].values()))]  # VISOR-4 needs four images a prompt
    columns = [*map(heading, shown), "FLOPs", "guided rows", "CPU time", "peak MiB"]
    lines = ["| method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, found in results["methods"].items():
        cost = spent[name]
        figures = [f"{cost['flops']:.3f}", f"{cost['rows']['guided']:.1f}", f"{cost['cpu_seconds'] / base['cpu_seconds']:.2f}"]
        lines.append("| " + " | ".join([name, *(cell(found[m]) for m in shown), *figures, f"{cost['peak_mib']:.0f}"]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shapes", choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--split", default="heldout", choices=("tune", "heldout"))
    parser.add_argument("--methods", nargs="*", help="all when not given; the first is what differences are from")
    parser.add_argument("--cost-prompts", type=int, default=16)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    out = options.out or Path("out") / f"compare-{options.model}-{options.split}"
    preset, known = PRESETS[options.model], methods(options.model)
    if unknown := sorted({*(options.methods or ())} - {*known}):
        parser.error(f"`--methods` must be of {', '.join(known)}; got {', '.join(unknown)}")
    chosen = {name: known[name] for name in options.methods or known}
    sampler = PipelineSampler(load(options.model), steps=preset.steps, guidance_scale=preset.guidance_scale, call=preset.call)
    asked = {"count": options.prompts, "images": options.images, "split": options.split, "batch": options.batch, "name": preset.world}
    results = evaluate_world(sampler, out, methods=chosen, **asked)
    spent = costs(options.model, list(chosen), out / "costs.json", options.cost_prompts)
    command = f"python -m benchmarks.compare --model {options.model} --prompts {options.prompts} --images {options.images}"
    command += f" --split {options.split}" + (f" --methods {' '.join(options.methods)}" if options.methods else "")
    page = f"`{options.model}`, {options.split}, {options.prompts} prompts x {options.images} images, {preset.steps} steps.\n"
    page += f"Command: `{command}`.\n\n"
    page += table(results, spent) + "\n" + (out / "table.md").read_text().partition("\n\n")[2]
    options.docs.mkdir(parents=True, exist_ok=True)
    name = f"compare-{options.model}" + ("" if options.split == "heldout" else f"-{options.split}")
    write(options.docs / f"{name}.md", page)
    write_json(options.docs / f"{name}.json", {"quality": results["methods"], "cost": spent, "command": command})
    draw(results["methods"], spent, options.docs.parent / "images" / f"{name}.png", title=f"{options.model}, {options.split}")
    print(page)


if __name__ == "__main__":
    main()
