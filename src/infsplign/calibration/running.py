"""Makes the images of a calibration in a folder that a killed run goes on from, and returns what their attention showed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infsplign.adapters import Backbone
from infsplign.calibration import judging
from infsplign.calibration.choosing import BoundScore, score_bound
from infsplign.calibration.judging import Judge
from infsplign.calibration.readings import Readings
from infsplign.calibration.sampling import UNGUIDED, WatchingSampler
from infsplign.calibration.scoring import LATE, LayerScores
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import fingerprint
from infsplign.evaluation.metrics import box_relations, strict, visor
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.reading import parse_json, read_text
from infsplign.evaluation.running.images_run import Run, made, seed_of, whole

BENCHMARK = "calibration"
"""Part of every seed."""


@dataclass(frozen=True)
class Sampling:
    """How a calibration samples. None is the pipeline's own value.

    Attributes:
        steps: denoising steps.
        guidance_scale: of classifier-free guidance.
        call: further arguments of the pipeline's call.
        batch: images at once.
        progress: show a bar with the time left.
    """

    steps: int | None = None
    guidance_scale: float | None = None
    call: Mapping[str, Any] | None = None
    batch: int = 8
    progress: bool = False

    def sampler(self, pipe: Any, layers: Sequence[str], backbone: Backbone, first: float = 0.0) -> WatchingSampler:
        """Makes a sampler that looks at `layers`."""
        options = {"steps": self.steps, "guidance_scale": self.guidance_scale, "call": self.call}
        return WatchingSampler(pipe, layers, first=first, backbone=backbone, **options)


def attention_of(
    pipe: Any, prompts: Sequence[BenchmarkPrompt], out: Path, layers: Sequence[str], images: int, sampling: Sampling, backbone: Backbone
) -> tuple[Readings, dict[str, str]]:
    """Samples unguided images and returns what all layers showed in all steps, and the prompts that were left out."""
    run = Run(BENCHMARK, prompts, images, {"unguided": UNGUIDED}, seed_for, sampling.batch)
    with made(run, sampling.sampler(pipe, layers, backbone), out, progress=sampling.progress) as (folders, _):
        return _readings(run, folders, "unguided"), _left_out(run, folders)


def bounds_of(
    pipe: Any,
    prompts: Sequence[BenchmarkPrompt],
    out: Path,
    configs: Mapping[float, GuidanceConfig],
    unguided: Readings,
    scores: LayerScores,
    judge: Judge | None,
    sampling: Sampling,
    backbone: Backbone,
) -> tuple[dict[float, BoundScore], dict[str, str]]:
    """Samples one image a prompt under each bound, and scores them by attention, or by `judge`; and the prompts that were left out."""
    names = {bound: f"bound-{bound!r}" for bound in configs}  # all digits: near bounds differ too
    run = Run(BENCHMARK, prompts, 1, {names[bound]: config for bound, config in configs.items()}, seed_for, sampling.batch)
    sampler = sampling.sampler(pipe, unguided.layers, backbone, LATE)
    by_id = {prompt.id: prompt for prompt in prompts}
    rules = fingerprint.sources(judging, box_relations, strict, visor)
    judged_by = "" if judge is None else f"{judge.detector.settings()} {judge.least} {rules}"

    def by(key: str) -> str:
        asked = by_id[key.rpartition("_")[0]]
        return judged_by and f"{judged_by}: {asked.first} {asked.relation} {asked.second}"

    found = {}
    with made(run, sampler, out, judge, inspected_by=by, progress=sampling.progress) as (folders, _):
        for bound in configs:
            name = names[bound]
            score = score_bound(_readings(run, folders, name), unguided, scores.weight)
            if judge is not None:
                records = [folders[name].records[key]["strict"] for prompt in whole(run, folders) for key in run.keys(prompt)]
                score = replace(score, strict=sum(records) / len(records))
            found[bound] = score
        return found, _left_out(run, folders)


def seed_for(prompt: Any, index: int) -> int:
    """The seed of an image of the calibration."""
    return seed_of(BENCHMARK, prompt.text, index)


def _left_out(run: Run, folders: Mapping[str, Any]) -> dict[str, str]:
    """The texts of prompts that lack an image, each with the error."""
    errors = {key: failure["error"] for folder in folders.values() for key, failure in folder.failures.items()}
    return {p.text: errors[key] for p in run.prompts for key in run.keys(p) if key in errors}


def _readings(run: Run, folders: Mapping[str, Any], name: str) -> Readings:
    keys = [key for prompt in whole(run, folders) for key in run.keys(prompt)]
    return Readings.of([parse_json(read_text(folders[name].trace_path(key))) for key in keys])
