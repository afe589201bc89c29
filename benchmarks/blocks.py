"""Which blocks know where objects are, and which can be steered by? A sweep over every text attention of a shipped model.

python -m benchmarks.blocks --model shapes-pixart --prompts 24      (the tune split)

Two figures a block. `reads`: over unguided images that show each object once, the correlation of the gap between the centroids of the
two objects' attention with the gap between the two objects in the picture, at a fifth, two and three fifths of the steps. `steers`: the
measures when this block alone is guided by.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.layers import reading
from infsplign.adapters import backbone_for
from infsplign.adapters.text import expected_prompt
from infsplign.core.statistics import centroid
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.evaluation.scoring.world_evaluation import inspect_image
from infsplign.pipelines.guidance import PipelineGuidance
from infsplign.prompts import parse_prompt
from infsplign.shipped import PRESETS, load, world

MOMENTS = (0.2, 0.4, 0.6)
TEXT_ATTENTION = re.compile(r"(attn2|transformer_blocks\.\d+\.attn)$")
LISTING = 1e-9
"""A scale that moves nothing, and lets the maps be seen."""


def text_blocks(pipe: Any) -> list[str]:
    """Every module of the denoiser that attends to text, in the order in which they run."""
    denoiser = getattr(pipe, backbone_for(pipe).denoiser)
    names = [name for name, _ in denoiser.named_modules() if TEXT_ATTENTION.search(name)]
    order = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
    return sorted(names, key=lambda name: order.get(name.split(".")[0], 0))


def sample(
    pipe: Any, preset: Any, asked: Sequence[BenchmarkPrompt], layers: Any, config: GuidanceConfig, *, keep_maps: bool = False
) -> Any:
    """Images of a batch of prompts guided by chosen layers, and the trace."""
    backbone, config = backbone_for(pipe), reading(config, layers)
    scenes = [parse_prompt(p.text) for p in asked]
    read = [expected_prompt(pipe, backbone.segments, p.text, scene.objects) for p, scene in zip(asked, scenes, strict=True)]
    with PipelineGuidance(pipe, backbone, scenes, read, config=config, keep_maps=keep_maps) as guidance:
        images = pipe(
            [p.text for p in asked],
            num_inference_steps=preset.steps,
            guidance_scale=preset.guidance_scale,
            generator=[torch.Generator().manual_seed(seed("tune", p.text, 0)) for p in asked],
            **preset.call,
        ).images
    return images, guidance


def gap(guidance: PipelineGuidance, row: int, centres: Any) -> float:
    """How far apart the two objects are along their relation's direction; `centres` is (2, 2), x then y of each."""
    dx, dy = guidance.scenes[row].relations[0].relation.direction
    difference = np.asarray(centres[1]) - np.asarray(centres[0])
    return float(dx * difference[0] + dy * difference[1])


def reads(pipe: Any, preset: Any, asked: Sequence[BenchmarkPrompt], blocks: Sequence[str], batch: int) -> dict[str, list[float]]:
    """Correlation of attention's gap with the picture's, for each block at each moment."""
    drawn: list[float] = []
    seen: dict[str, list[list[float]]] = {block: [[] for _ in MOMENTS] for block in blocks}
    for start in tqdm(range(0, len(asked), batch), desc="reads"):
        group = asked[start : start + batch]
        images, guidance = sample(pipe, preset, group, {"coarse": tuple(blocks)}, GuidanceConfig(scale=LISTING), keep_maps=True)
        steps = [guidance.trace[int(moment * len(guidance.trace))] for moment in MOMENTS]
        for row, (image, prompt) in enumerate(zip(images, group, strict=True)):
            found = inspect_image(image, prompt, world(preset.world))["detections"]
            boxes = [[d["box"] for d in found if d["name"] == name] for name in (prompt.first, prompt.second)]
            if [len(b) for b in boxes] != [1, 1]:
                continue
            centres = [((b[0][0] + b[0][2]) / 2 / image.width, (b[0][1] + b[0][3]) / 2 / image.height) for b in boxes]
            drawn.append(gap(guidance, row, centres))
            for number, step in enumerate(steps):
                for block, maps in zip(blocks, step.maps, strict=True):
                    seen[block][number].append(gap(guidance, row, centroid(maps[row]).tolist()))
    print(f"{len(drawn)} of {len(asked)} images show each object once")
    return {block: [float(np.corrcoef(drawn, values)[0, 1]) for values in rows] for block, rows in seen.items()}


def steers(pipe: Any, preset: Any, asked: Sequence[BenchmarkPrompt], block: str, batch: int) -> dict[str, float]:
    """Measures of images guided by one block alone."""
    records = []
    for start in range(0, len(asked), batch):
        group = asked[start : start + batch]
        images, _ = sample(pipe, preset, group, {"coarse": (block,)}, preset.config)
        records += [inspect_image(image, prompt, world(preset.world)) for image, prompt in zip(images, group, strict=True)]
    both = sum(r["both"] for r in records)
    right = sum(r["correct"] for r in records)
    strict = sum(r["strict"] for r in records)
    return {"OA": both / len(records), "cond": right / max(both, 1), "uncond": right / len(records), "strict": strict / len(records)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shapes", choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--read", type=int, default=96, help="prompts for `reads`")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    pipe, preset = load(options.model), PRESETS[options.model]
    pipe.set_progress_bar_config(disable=True)
    blocks = text_blocks(pipe)
    read = reads(pipe, preset, prompts("tune", options.read, preset.world), blocks, options.batch)
    asked = prompts("tune", options.prompts, preset.world)
    steered = {block: steers(pipe, preset, asked, block, options.batch) for block in tqdm(blocks, desc="steers")}
    moments = " | ".join(f"reads at {100 * m:.0f}%" for m in MOMENTS)
    lines = [f"| block | {moments} | OA | cond | uncond | strict |", "|---" * (len(MOMENTS) + 5) + "|"]
    for block in blocks:
        figures = [f"{value:.2f}" for value in read[block]] + [f"{100 * value:.0f}" for value in steered[block].values()]
        lines.append(f"| `{block}` | {' | '.join(figures)} |")
    options.out.mkdir(parents=True, exist_ok=True)
    name = f"blocks-{options.model}"
    (options.out / f"{name}.md").write_text("\n".join(lines) + "\n")
    facts = {"model": options.model, "prompts": options.prompts, "read": options.read, "reads": read, "steers": steered}
    (options.out / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
