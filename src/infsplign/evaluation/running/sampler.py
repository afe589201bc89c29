"""Samples a stock diffusers pipeline for the runner."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from PIL import Image

from infsplign.engine.config import GuidanceConfig


class LoadedSampler(NamedTuple):
    """A sampler with the constants that were chosen for its model, and the published ones for its family."""

    sampler: Any
    own: GuidanceConfig
    published: GuidanceConfig


def split_trace(trace: Sequence[Any], rows: int) -> list[list[dict[str, Any]]]:
    """The trace of a batch, taken apart: for each image its own number wherever the batch has one a row. What all rows share stays."""
    return [[step.to_dict(row) for step in trace] for row in range(rows)]


OWN = {
    "prompt": "", "generator": "", "output_type": "", "num_images_per_prompt": "",
    "latents": "they are drawn from each image's seed",
    "num_inference_steps": "give `steps` instead", "guidance_scale": "give `guidance_scale` beside `call` instead",
}  # fmt: skip
"""Arguments of the pipeline's call that samplers give themselves, and how to change them."""


def check_call(call: Mapping[str, Any]) -> None:
    """Refuses further arguments of the pipeline's call that the sampler gives itself.

    Raises:
        ValueError: such an argument.
    """
    for name in (name for name in call if name in OWN):
        remedy = OWN[name] or "leave it out"
        raise ValueError(f"`call` must hold arguments of the pipeline's call that the sampler does not give itself, got {name!r}; {remedy}")


def for_each(call: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The further arguments for `count` prompts: one negative prompt is that of each, which some pipelines want as a list."""
    texts = {name: value for name, value in call.items() if name.startswith("negative_prompt") and isinstance(value, str)}
    return {**call} | {name: [text] * count for name, text in texts.items()}


def _kind(device: Any) -> str:
    """What computes: other kinds of GPU round otherwise."""
    import torch

    return f"{device.type}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


class PipelineSampler:
    """Samples a stock diffusers pipeline, guided or not; one generator an image, so that batches do not matter.

    Args:
        pipe: the pipeline; its own scheduler is used.
        steps: denoising steps; the pipeline's own number when None.
        guidance_scale: of classifier-free guidance; the pipeline's own when None.
        call: further arguments of the pipeline's call; a negative prompt is that of each image.
        keep_traces: keep what guidance did at each step.

    Raises:
        ValueError: `steps` below 1, or an argument in `call` that the sampler gives itself.

    Attributes:
        traces: of the last call, for each image its steps as JSON can hold them; empty when none were kept.
        alone: the scheduler draws noise for a whole batch at once, so that images are sampled one by one.
    """

    def __init__(
        self,
        pipe: Any,
        *,
        steps: int | None = None,
        guidance_scale: float | None = None,
        call: Mapping[str, Any] | None = None,
        keep_traces: bool = False,
    ) -> None:
        from infsplign.adapters.text import signature_default

        if steps is not None and steps < 1:
            raise ValueError(f"`steps` must be >= 1, got {steps}")
        check_call(call or {})
        self.pipe, self.call, self.keep_traces = pipe, dict(call or {}), keep_traces
        self.traces: list[Any] = []
        self.alone = False
        self.steps = signature_default(pipe, "num_inference_steps") if steps is None else steps
        self.guidance_scale = signature_default(pipe, "guidance_scale") if guidance_scale is None else guidance_scale

    def one_by_one(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> list[Image.Image]:
        """Samples each image by itself."""
        images, traces = [], []
        for text, seed in zip(texts, seeds, strict=True):
            images += self([text], [seed], config)
            traces += self.traces
        self.traces = traces
        return images

    def settings(self) -> dict[str, Any]:
        """What decides the images, besides prompt, seed and guidance."""
        from infsplign.evaluation.fingerprint import guidance_source
        from infsplign.evaluation.model_hash import model_hash

        scheduler = {key: value for key, value in self.pipe.scheduler.config.items() if not key.startswith("_")}
        shift = getattr(self.pipe.scheduler, "shift", scheduler.get("shift"))  # `set_shift` leaves the configuration as it was
        if shift != scheduler.get("shift"):
            scheduler["shift"] = shift
        return {
            "pipeline": type(self.pipe).__name__,
            "model": model_hash(self.pipe),
            "dtype": str(self.pipe.dtype),
            "device": _kind(self.pipe.device),
            "scheduler": {"class": type(self.pipe.scheduler).__name__} | scheduler,
            "steps": self.steps,
            "guidance_scale": self.guidance_scale if self.guidance_scale is None else float(self.guidance_scale),
            "call": self.call,
            "source": guidance_source(),
        }

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> Sequence[Image.Image]:
        import torch

        from infsplign.pipelines.guide import guide
        from infsplign.pipelines.output import UNSAFE, images_of
        from infsplign.pipelines.seeding import seeded

        if self.alone and len(texts) > 1:
            return self.one_by_one(texts, seeds, config)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        bars = dict(getattr(self.pipe, "_progress_bar_config", {}))
        given = {"num_inference_steps": self.steps, "guidance_scale": self.guidance_scale}
        options = {name: value for name, value in given.items() if value is not None} | for_each(self.call, len(texts))
        self.pipe.set_progress_bar_config(**bars | {"disable": True})
        try:
            with guide(self.pipe, list(texts), config=config) if config else nullcontext() as guidance:
                with seeded(self.pipe.scheduler, seeds, generators) as drawn:
                    images, unsafe = images_of(lambda: self.pipe(prompt=list(texts), output_type="pil", generator=generators, **options))
            if drawn.found and len(texts) > 1:
                self.alone = True
                return self.one_by_one(texts, seeds, config)
            if any(unsafe):  # the runner makes a batch that fails in parts, until the image is alone
                raise ValueError(UNSAFE)
            self.traces = split_trace(guidance.trace, len(texts)) if guidance and self.keep_traces else []
            return images
        finally:
            self.pipe.set_progress_bar_config(**bars)
