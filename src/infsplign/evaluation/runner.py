"""Makes the images of a list of tasks, whatever they are for; started again, it makes those that are missing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image
from tqdm import tqdm

from infsplign.config import GuidanceConfig
from infsplign.evaluation.store import MethodFolder, Record


@dataclass(frozen=True)
class Task:
    """One image to make: `key` names its file, `seed` is its own."""

    key: str
    text: str
    seed: int


class Sampler(Protocol):
    """Makes one image a text, from its seed; `config` None is unguided."""

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> Sequence[Image.Image]: ...


Inspect = Callable[[str, Image.Image], Record]
"""Key and image to what is recorded about it."""


def run_tasks(
    folder: MethodFolder,
    tasks: Sequence[Task],
    sampler: Sampler,
    config: GuidanceConfig | None,
    inspect: Inspect,
    *,
    inspected_by: str,
    batch: int,
    label: str,
    progress: bool = True,
) -> list[Record]:
    """Makes and inspects what is not in `folder` yet.

    Batches are cut from the whole list and made whole: an image resumed has the neighbours that it would have had, so that
    even the rounding of batched matrix products is the same.

    Args:
        folder: of the method.
        tasks: in order; keys must differ.
        sampler: makes images.
        config: the method's options.
        inspect: what to record of an image.
        inspected_by: hash of `inspect`; images that another one inspected are inspected again, not made again.
        batch: images at once, >= 1.
        label: of the progress bar.
        progress: show it.

    Returns:
        The record of each task, in order.
    """
    known = {task.key: record for task in tasks if (record := folder.records.get(task.key)) and _same(record, task)}
    stale = [key for key, record in known.items() if record["inspected_by"] != inspected_by]
    folder.add(known[key] | inspect(key, folder.load(key)) | {"inspected_by": inspected_by} for key in stale)
    with tqdm(total=len(tasks), initial=len(known), desc=label, unit="image", disable=not progress) as bar:
        for start in range(0, len(tasks), batch):
            group = tasks[start : start + batch]
            if all(task.key in known for task in group):
                continue
            images = sampler([task.text for task in group], [task.seed for task in group], config)
            made = [(task, image) for task, image in zip(group, images, strict=True) if task.key not in known]
            folder.add([_record(folder, task, image, inspect, inspected_by) for task, image in made])
            bar.update(len(made))
    folder.compact()
    return [folder.records[task.key] for task in tasks]


def _record(folder: MethodFolder, task: Task, image: Image.Image, inspect: Inspect, inspected_by: str) -> Record:
    facts: dict[str, Any] = {"key": task.key, "prompt": task.text, "seed": task.seed, "sha256": folder.save(task.key, image)}
    return facts | inspect(task.key, image) | {"inspected_by": inspected_by}


def _same(record: Record, task: Task) -> bool:
    return record.get("prompt") == task.text and record.get("seed") == task.seed and "inspected_by" in record


class PipelineSampler:
    """Samples a stock diffusers pipeline, guided or not; one generator an image, so that batches do not matter.

    Args:
        pipe: the pipeline; its own scheduler is used.
        steps: denoising steps.
        guidance_scale: of classifier-free guidance.
        call: further arguments of the pipeline's call.
    """

    def __init__(self, pipe: Any, *, steps: int, guidance_scale: float, call: Mapping[str, Any] | None = None) -> None:
        if steps < 1:
            raise ValueError(f"`steps` must be >= 1, got {steps}")
        self.pipe, self.steps, self.guidance_scale, self.call = pipe, steps, guidance_scale, dict(call or {})

    def settings(self) -> dict[str, Any]:
        """What decides the images, besides prompt, seed and guidance."""
        from infsplign.evaluation.fingerprint import guidance_source
        from infsplign.evaluation.model_hash import model_hash

        scheduler = {key: value for key, value in self.pipe.scheduler.config.items() if not key.startswith("_")}
        return {
            "pipeline": type(self.pipe).__name__,
            "model": model_hash(self.pipe),
            "dtype": str(self.pipe.dtype),
            "device": self.pipe.device.type,
            "scheduler": {"class": type(self.pipe.scheduler).__name__} | scheduler,
            "steps": self.steps,
            "guidance_scale": float(self.guidance_scale),
            "call": self.call,
            "source": guidance_source(),
        }

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> Sequence[Image.Image]:
        import torch

        from infsplign.pipelines import guide

        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        bars = dict(getattr(self.pipe, "_progress_bar_config", {}))
        self.pipe.set_progress_bar_config(**bars | {"disable": True})
        try:
            with guide(self.pipe, list(texts), config=config) if config else nullcontext():
                options = {"num_inference_steps": self.steps, "guidance_scale": self.guidance_scale, "generator": generators}
                return self.pipe(list(texts), output_type="pil", **options, **self.call).images
        finally:
            self.pipe.set_progress_bar_config(**bars)
