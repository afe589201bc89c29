"""Does the gradient of a step still fit the steps after it? Cosines between gradients along a sampling of a shipped model.

python -m benchmarks.reuse --model shapes --prompts 4      (tune split; writes docs/measured/reuse.md)

For unguided and for guided samplings: the cosine between the loss gradients at step i and at step i + lag, the mean over images and over a
third of the steps. A lag of 1 is what `every=2, reuse=True` relies on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.layers import reading
from infsplign import PAPER, GuidanceConfig, Steps, guide
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.shipped import PRESETS, load

LAGS = (1, 2, 3)
UNGUIDED = 1e-9
"""A scale that moves nothing, and lets the gradients be seen."""


def gradients(pipe: Any, name: str, asked: Sequence[BenchmarkPrompt], config: GuidanceConfig) -> Tensor:
    """The loss gradient at each step of each image: (steps, images, numbers)."""
    preset, texts = PRESETS[name], [p.text for p in asked]
    found, shifted = [], Steps.shifted

    def spied(steps: Steps, output: Tensor, **options: Any) -> Tensor:
        if steps.found is not None and steps.found.gradient is not None:
            found.append(steps.found.gradient.flatten(1))
        return shifted(steps, output, **options)

    with patch.object(Steps, "shifted", spied), guide(pipe, texts, config=config):
        generators = [torch.Generator().manual_seed(seed("tune", text, 0)) for text in texts]
        options = {"num_inference_steps": preset.steps, "guidance_scale": preset.guidance_scale, "generator": generators}
        pipe(texts, output_type="latent", **options, **preset.call)
    return torch.stack(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shapes", choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("docs/measured/reuse.md"))
    options = parser.parse_args()
    pipe, layers = load(options.model), PRESETS[options.model].config.layers
    pipe.set_progress_bar_config(disable=True)
    asked = prompts("tune", options.prompts, PRESETS[options.model].world)
    lines = [f"Command: `python -m benchmarks.reuse --model {options.model} --prompts {options.prompts}`.", ""]
    lines += ["| sampling | lag | first third | second third | last third |", "|---|---|---|---|---|"]
    for label, scale in (("unguided", UNGUIDED), ("scale 500", 500.0)):
        found = gradients(pipe, options.model, asked, reading(PAPER.with_(scale=scale), layers))
        for lag in LAGS:
            cosines = torch.nn.functional.cosine_similarity(found[lag:], found[:-lag], dim=-1).mean(1)
            thirds = [part.mean().item() for part in cosines.tensor_split(3)]
            lines.append(f"| {label} | {lag} | " + " | ".join(f"{value:.2f}" for value in thirds) + " |")
    options.out.write_text("\n".join(lines) + "\n")
    print(options.out.read_text())


if __name__ == "__main__":
    main()
