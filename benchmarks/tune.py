"""Candidates for the shipped model's constants, on the tune split only: how `shapes/defaults.py` was chosen.

python -m benchmarks.tune --prompts 64 --out out/tune          (resumes; finished candidates are not run again)
"""

import argparse
from pathlib import Path

from infsplign.config import PAPER, PAPER_CLI, GuidanceConfig
from infsplign.evaluation.runner import PipelineSampler
from infsplign.evaluation.shapes_runner import evaluate_shapes
from infsplign.shapes import load
from infsplign.shapes.defaults import GUIDANCE_SCALE, STEPS

CANDIDATES: dict[str, GuidanceConfig | None] = {
    "unguided": None,
    "paper": PAPER,
    "paper-cli": PAPER_CLI,
    "paper-300": PAPER.with_(scale=300.0),
    "paper-300-half": PAPER.with_(scale=300.0, stop=0.5),
    "paper-400": PAPER.with_(scale=400.0),
    "paper-400-half": PAPER.with_(scale=400.0, stop=0.5),
    "paper-500-half": PAPER.with_(scale=500.0, stop=0.5),
    "paper-500": PAPER.with_(scale=500.0),
    "paper-600-half": PAPER.with_(scale=600.0, stop=0.5),
    "paper-1000-half": PAPER.with_(stop=0.5),
    "margin.1-alpha10": PAPER.with_(alpha=10.0, margin=0.1, spatial=0.2, scale=500.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("out/tune"))
    parser.add_argument("--only", nargs="*", help="names of candidates")
    options = parser.parse_args()
    chosen = {name: config for name, config in CANDIDATES.items() if not options.only or name in options.only}
    sampler = PipelineSampler(load(), steps=STEPS, guidance_scale=GUIDANCE_SCALE)
    evaluate_shapes(sampler, options.out, count=options.prompts, images=options.images, methods=chosen, split="tune", batch=16)
    print((options.out / "table.md").read_text())


if __name__ == "__main__":
    main()
