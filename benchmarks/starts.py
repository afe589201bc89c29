"""What the best of several seeds gives, and what it costs: *strict* against operations.

python -m benchmarks.starts --model shapes --prompts 32 --split heldout

Each prompt is sampled from 4 seeds. For each number of seeds and of first steps, the image of one seed counts: of the one that
`rank_seeds` would choose, with the least loss of attention over these steps. All groups of seeds count, so that no luck is in the
grouping. Operations are those of the denoiser over those of an unguided image, counted as in `benchmarks.image_cost`: the first steps of
all seeds, and the image, which is sampled from its beginning.
"""

import argparse
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.image_cost import row_costs
from infsplign import guide
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.evaluation.scoring.world_evaluation import inspect_image
from infsplign.shipped import PRESETS, load, world

SEEDS = 4
STEPS = (2, 4, 8)


def sampled(pipe: Any, preset: Any, asked: list[Any], split: str) -> list[list[dict[str, Any]]]:
    """For each prompt and seed: whether the image is strict, whether an object is doubled, and the loss of each guided step."""
    rows = []
    for prompt in tqdm(asked, desc="prompts"):
        generators = [torch.Generator().manual_seed(seed(split, prompt.text, k)) for k in range(SEEDS)]
        options = {"num_inference_steps": preset.steps, "guidance_scale": preset.guidance_scale, "num_images_per_prompt": SEEDS}
        with guide(pipe, prompt.text, config=preset.config) as guidance:
            images = pipe(prompt.text, generator=generators, **options, **preset.call).images
        seen = [inspect_image(image, prompt, world(preset.world)) for image in images]
        losses = [[step.to_dict(row)["loss"] for step in guidance.trace if step.terms] for row in range(SEEDS)]
        rows.append([{"strict": s["strict"], "doubled": s["doubled"], "losses": losses[row]} for row, s in enumerate(seen)])
    return rows


def best(row: list[dict[str, Any]], group: tuple[int, ...], steps: int) -> dict[str, Any]:
    """The image of the seed that `rank_seeds` would choose of a group: the first step tells nothing yet."""
    return min((row[k] for k in group), key=lambda one: float(np.mean(one["losses"][1:steps] or one["losses"][:1])))


def table(rows: list[list[dict[str, Any]]], image: float, step: float) -> list[dict[str, Any]]:
    """One row for each number of seeds and of steps; `image` and `step` are the costs of a guided image and of a guided step."""
    found = [{"seeds": 1, "steps": 0, "operations": image} | rates([one for row in rows for one in row])]
    for count in range(2, SEEDS + 1):
        for steps in STEPS:
            chosen = [best(row, group, steps) for row in rows for group in combinations(range(SEEDS), count)]
            found.append({"seeds": count, "steps": steps, "operations": image + count * steps * step} | rates(chosen))
    return found


def rates(images: list[dict[str, Any]]) -> dict[str, float]:
    """Percent of strict and of doubled images."""
    return {name: 100 * float(np.mean([one[name] for one in images])) for name in ("strict", "doubled")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shapes", choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--split", default="heldout", choices=("tune", "heldout"))
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    preset, pipe = PRESETS[options.model], load(options.model)
    pipe.set_progress_bar_config(disable=True)
    asked = prompts(options.split, options.prompts, preset.world)
    costs = row_costs(pipe, preset, asked[0].text, preset.config)
    rows = sampled(pipe, preset, asked, options.split)
    plain = 2 * preset.steps * costs["plain"]
    step = (costs["guided"] + costs["plain"]) / plain  # a guided step runs the unconditional row too
    guided = float(np.mean([len(one["losses"]) for row in rows for one in row]))
    image = 1 + guided * (costs["guided"] - costs["plain"]) / plain
    found = table(rows, image, step)
    command = f"python -m benchmarks.starts --model {options.model} --prompts {options.prompts} --split {options.split}"
    lines = [
        f"`{options.model}`, {options.split}, {options.prompts} prompts, {SEEDS} seeds each, {preset.steps} steps. Command: `{command}`.",
        "",
        "| seeds | first steps of each | operations of an image | strict | doubled ↓ |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        lines.append(f"| {row['seeds']} | {row['steps'] or '-'} | {row['operations']:.2f} | {row['strict']:.1f} | {row['doubled']:.1f} |")
    name = f"starts-{options.model}"
    write(options.docs / f"{name}.md", "\n".join(lines) + "\n")
    write_json(options.docs / f"{name}.json", {"command": command, "rows": found})
    print("\n".join(lines))


if __name__ == "__main__":
    main()
