"""Candidates for the shipped models' constants, on the tune split only: how `shapes/defaults.py` was chosen.

python -m benchmarks.tune --model shapes --prompts 64 --out out/tune     (resumes; finished candidates are not run again)
"""

import argparse
from pathlib import Path

from infsplign.config import PAPER, PAPER_CLI, GuidanceConfig
from infsplign.evaluation.runner import PipelineSampler
from infsplign.evaluation.shapes_runner import evaluate_shapes
from infsplign.shapes import PRESETS, load

CANDIDATES: dict[str, GuidanceConfig | None] = {
    "unguided": None,
    "paper": PAPER,
    "paper-cli": PAPER_CLI,
}
for size in (50, 100, 200, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000, 5000):
    CANDIDATES[f"paper-{size}"] = PAPER.with_(scale=float(size))
    CANDIDATES[f"paper-{size}-half"] = PAPER.with_(scale=float(size), stop=0.5)
    # what a flow or v model predicts moves by the gradient itself, whatever the noise level
    CANDIDATES[f"direct-{size}"] = PAPER.with_(scale=float(size), update="direct")
    CANDIDATES[f"direct-{size}-half"] = PAPER.with_(scale=float(size), stop=0.5, update="direct")
for gain in (2, 5):
    CANDIDATES[f"paper-500-half-gain{gain}"] = PAPER.with_(scale=500.0, stop=0.5, max_gain=float(gain))
CANDIDATES["margin.1-alpha10"] = PAPER.with_(alpha=10.0, margin=0.1, spatial=0.2, scale=500.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shapes", choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("out/tune"))
    parser.add_argument("--only", nargs="*", default=["unguided", "paper", "paper-500-half"], choices=tuple(CANDIDATES))
    options = parser.parse_args()
    preset = PRESETS[options.model]
    sampler = PipelineSampler(load(options.model), steps=preset.steps, guidance_scale=preset.guidance_scale, call=preset.call)
    layers = preset.config.layers  # chosen before, by `benchmarks.blocks`
    chosen = {name: c.with_(layers=layers) if (c := CANDIDATES[name]) is not None else None for name in options.only}
    evaluate_shapes(sampler, options.out, count=options.prompts, images=options.images, methods=chosen, split="tune", batch=16)
    print((options.out / "table.md").read_text())


if __name__ == "__main__":
    main()
