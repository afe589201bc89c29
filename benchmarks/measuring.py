"""Shared by the benchmarks that compare options on several shipped models: sampling and judging one model, and who is there."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.evaluation.scoring.world_evaluation import evaluate_world
from infsplign.shipped import PRESETS, load, shipped

ROOT = Path(__file__).parents[1]
Methods = Mapping[str, GuidanceConfig | None]


def here(names: list[str] | None = None) -> list[str]:
    """Returns the names of the models whose weights are installed, or those of `names` that are.

    Raises:
        ValueError: none of them is.
    """
    found = [name for name in names or PRESETS if name in shipped()]
    if not found:
        raise ValueError(f"`--models` must name at least one of {', '.join(shipped())}, got {names}")
    return found


def measured(
    model: str, methods: Methods, out: Path, *, split: str, prompts: int, images: int, batch: int = 8, progress: bool = True
) -> dict[str, Any]:
    """Samples and judges the methods on a split of the model's world; what `out` holds is not made again. Returns its measures."""
    preset = PRESETS[model]
    sampler = PipelineSampler(load(model), steps=preset.steps, guidance_scale=preset.guidance_scale, call=preset.call)
    asked = {"count": prompts, "images": images, "split": split, "batch": batch, "name": preset.world, "progress": progress}
    return evaluate_world(sampler, out, methods=methods, **asked)["methods"]


def percent(measures: Mapping[str, Any], name: str) -> float:
    """A measure in percent; 0 where it has no value, as `cond` where no image has both objects."""
    return 100 * (measures[name]["value"] or 0.0)


def commit() -> str:
    """Returns the commit of the repository; with "+" where files that decide images differ from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--", "src", "models", "benchmarks") else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
