"""Samples a stock diffusers pipeline for the runner."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from PIL import Image

from infsplign.config import GuidanceConfig


class Loaded(NamedTuple):
    """A sampler with the constants that were chosen for its model, and the published ones for its family."""

    sampler: Any
    own: GuidanceConfig
    published: GuidanceConfig


class PipelineSampler:
    """Samples a stock diffusers pipeline, guided or not; one generator an image, so that batches do not matter.

    Args:
        pipe: the pipeline; its own scheduler is used.
        steps: denoising steps; the pipeline's own number when None.
        guidance_scale: of classifier-free guidance; the pipeline's own when None.
        call: further arguments of the pipeline's call.
    """

    def __init__(
        self, pipe: Any, *, steps: int | None = None, guidance_scale: float | None = None, call: Mapping[str, Any] | None = None
    ) -> None:
        from infsplign.adapters.text import signature_default

        if steps is not None and steps < 1:
            raise ValueError(f"`steps` must be >= 1, got {steps}")
        self.pipe, self.call = pipe, dict(call or {})
        self.steps = signature_default(pipe, "num_inference_steps") if steps is None else steps
        self.guidance_scale = signature_default(pipe, "guidance_scale") if guidance_scale is None else guidance_scale

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
            "guidance_scale": self.guidance_scale if self.guidance_scale is None else float(self.guidance_scale),
            "call": self.call,
            "source": guidance_source(),
        }

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> Sequence[Image.Image]:
        import torch

        from infsplign.pipelines import guide

        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        bars = dict(getattr(self.pipe, "_progress_bar_config", {}))
        given = {"num_inference_steps": self.steps, "guidance_scale": self.guidance_scale}
        options = {name: value for name, value in given.items() if value is not None}
        self.pipe.set_progress_bar_config(**bars | {"disable": True})
        try:
            with guide(self.pipe, list(texts), config=config) if config else nullcontext():
                return self.pipe(list(texts), output_type="pil", generator=generators, **options, **self.call).images
        finally:
            self.pipe.set_progress_bar_config(**bars)
