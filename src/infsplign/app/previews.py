"""Watches a sampling: after each step of the scheduler the predicted clean latents, and from them a small picture."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from infsplign.engine.patching import replaced_attribute
from infsplign.engine.timeline import Timeline
from infsplign.pipelines.noise_schedule import first_step, input_factor, timeline_of

LARGEST = 64
"""Cells of a side of the latents that are decoded for a preview; larger ones are shrunk first."""
Watcher = Callable[[int, int, Callable[[], Tensor]], None]
"""Gets the number of the step from 1, the number of steps, and a function that computes the clean latents."""


def clean_latents(latents: Tensor, output: Tensor, prediction: str, *, alpha: float, sigma: float) -> Tensor:
    """Computes the x_0 that a model's output predicts at `x_t = alpha x_0 + sigma eps`.

        epsilon   (x_t - sigma eps) / alpha
        v         alpha x_t - sigma v
        sample    x_0
        flow      x_t - sigma velocity

    Args:
        latents: x_t, any shape.
        output: of the model, the same shape.
        prediction: what it is, one of `infsplign.core.update.PREDICTIONS`.
        alpha, sigma: coefficients of the step; `alpha` may be 0 only where `prediction` is not "epsilon".
    """
    if prediction == "sample":
        return output
    if prediction == "flow":
        return latents - sigma * output
    if prediction == "v_prediction":
        return alpha * latents - sigma * output
    return (latents - sigma * output) / max(alpha, 1e-6)


@contextmanager
def watched(scheduler: Any, watcher: Watcher) -> Iterator[None]:
    """Calls `watcher` after each step of a scheduler. An exception of the watcher ends the sampling.

    Enter it before a `guide` block, so that the output that it sees is the guided one.
    """
    watch = _Watch(scheduler, watcher)

    @functools.wraps(scheduler.step)  # pipelines read its signature
    def step(*args: Any, **kwargs: Any) -> Any:
        return watch(*args, **kwargs)

    with replaced_attribute(scheduler, "step", step):
        yield


class _Watch:
    """Stands in for a scheduler's `step`."""

    def __init__(self, scheduler: Any, watcher: Watcher) -> None:
        self.scheduler, self.step, self.watcher = scheduler, scheduler.step, watcher
        self.timeline: Timeline | None = None
        self.done = 0

    def __call__(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.timeline is None:
            self.timeline = timeline_of(self.scheduler, first_step(self.scheduler, timestep))
        place, prediction = self.timeline.at(timestep), self.timeline.prediction
        x = sample * input_factor(self.scheduler, timestep, sample)
        found = self.step(model_output, timestep, sample, *args, **kwargs)
        self.done += 1
        known = {"alpha": place.alpha or 0.0, "sigma": place.sigma or 0.0}
        self.watcher(self.done, len(self.timeline), lambda: clean_latents(x, model_output, prediction, **known))
        return found


def preview(pipe: Any, latents: Tensor, size: tuple[int, int] | None = None) -> Image.Image | None:
    """Decodes latents to a small picture of the first image.

    Args:
        pipe: the pipeline, with its `vae` and `image_processor`.
        latents: (B, C, H, W), or (B, S, C) as Flux packs them.
        size: (height, width) of the image in pixels, to unpack; square when None.

    Returns:
        The picture; None where the autoencoder does not fit this reading, so that a preview never ends a sampling.
    """
    try:
        with torch.no_grad():
            return _decoded(pipe, _unpacked(pipe, latents[:1], size))
    except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError, KeyError):
        return None


def _unpacked(pipe: Any, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
    if latents.ndim == 3:
        side = 2 * pipe.vae_scale_factor * round(latents.shape[1] ** 0.5)
        height, width = size or (side, side)
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
    if latents.ndim != 4:
        raise ValueError(f"`latents` must be (B, C, H, W), got {tuple(latents.shape)}")
    shrink = LARGEST / max(latents.shape[-2:])
    return functional.interpolate(latents.float(), scale_factor=shrink, mode="area") if shrink < 1 else latents


def _decoded(pipe: Any, latents: Tensor) -> Image.Image:
    vae, config = pipe.vae, pipe.vae.config
    before = vae.dtype
    overflows = before == torch.float16 and getattr(config, "force_upcast", False)  # SDXL's, as its pipeline does at the end
    if overflows:
        vae.to(torch.float32)
    try:
        mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
        latents = latents.float()
        if mean is not None and deviation is not None:
            latents = latents * _channels(deviation, latents) / config.scaling_factor + _channels(mean, latents)
        else:
            latents = latents / config.scaling_factor + (getattr(config, "shift_factor", None) or 0.0)
        decoded = vae.decode(latents.to(vae.dtype), return_dict=False)[0]
    finally:
        if overflows:
            vae.to(before)
    return pipe.image_processor.postprocess(decoded.float(), output_type="pil")[0].convert("RGB")


def _channels(values: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)
