"""Predicts the memory that guidance takes: it runs the denoiser's own class on the meta device and counts its tensors.

It counts every tensor that the passes of one step make, for the requested batch and size, with fused attention. It does not count memory
that an operator uses internally (such as cuDNN's workspaces), the allocator's rounding, and the decoding of the image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import torch
from torch import nn

from infsplign.adapters import Backbone, backbone_for
from infsplign.adapters.backbone import uncompiled
from infsplign.adapters.rows import first_call
from infsplign.cost.binning import sampled_size
from infsplign.cost.bounds import check_pixels
from infsplign.cost.counting import Meter, SavedTensors, counted
from infsplign.cost.meta_inputs import Size, meta_call
from infsplign.cost.meta_model import meta_copy, meta_guidance
from infsplign.engine.config import PLANS, GuidanceConfig


@dataclass(frozen=True)
class PlanCost:
    """Cost of one plan: `extra` bytes at the peak beyond an unguided step, and operations as a multiple of that step's. A step takes
    `config.repeats` gradients, as those before `repeats_until` do."""

    name: str
    extra: int
    flops: float


@dataclass(frozen=True)
class MemoryPlan:
    """See `plan_memory`. Bytes; `str` is a small table.

    Attributes:
        height, width, batch, dtype: the request, in pixels and images.
        weights: of the denoiser.
        components: of all the pipeline's models together, the denoiser included.
        step: peak of an unguided step, without weights.
        plans: cost of each plan, the plan with the fewest operations first.
        largest: weights of the largest of the other models, such as a text encoder.
    """

    height: int
    width: int
    batch: int
    dtype: torch.dtype
    weights: int
    components: int
    step: int
    plans: tuple[PlanCost, ...]
    largest: int = 0

    def need(self, plan: PlanCost, *, offloaded: bool = False) -> int:
        """Returns the bytes of weights, step and guidance; `offloaded` means that one model is on the device at a time: the denoiser while
        it runs, another one before or after."""
        if offloaded:
            return max(self.weights + self.step + plan.extra, self.largest)
        return self.components + self.step + plan.extra

    def fitting(self, memory: float) -> tuple[PlanCost, bool] | None:
        """Returns the plan of fewest operations that fits `memory` bytes, and whether the rest must be offloaded; None if none fits.

        Raises:
            TypeError: `memory` is no number.
        """
        if not isinstance(memory, Real) or isinstance(memory, bool):
            raise TypeError(f"`memory` must be a number of bytes, such as 12e9, got {memory!r}")
        for offloaded in (False, True):
            for plan in self.plans:
                if self.need(plan, offloaded=offloaded) <= memory:
                    return plan, offloaded
        return None

    def advice(self, memory: float) -> str:
        """Describes the proposal for `memory` bytes."""
        found = self.fitting(memory)
        if found is None:
            least = self.need(min(self.plans, key=lambda plan: plan.extra), offloaded=True)
            return f"no plan fits {amount(memory)}: at least {amount(least)} are needed; use a smaller size, batch or dtype"
        plan, offloaded = found
        how = " after `pipe.enable_model_cpu_offload()`" if offloaded else ""
        return f'`GuidanceConfig(plan="{plan.name}")`{how}, which takes {amount(self.need(plan, offloaded=offloaded))} of {amount(memory)}'

    def __str__(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        lines = [
            f"{'size':<10} {self.height}x{self.width}, batch {self.batch}, {kind}",
            f"{'weights':<10} {amount(self.weights)} of the denoiser, {amount(self.components)} with the other components",
            f"{'step':<10} {amount(self.step)} unguided",
        ]
        lines += [f"{plan.name:<10} +{amount(plan.extra)}, {plan.flops:.2f} times the step's operations" for plan in self.plans]
        return "\n".join(lines)


def amount(size: float) -> str:
    """Formats bytes: "1.25 GB", "18.3 MB"."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def plan_memory(
    pipe: Any, *, height: int | None = None, width: int | None = None, dtype: torch.dtype | None = None, batch: int = 1,
    config: GuidanceConfig | None = None, backbone: Backbone | None = None, text_length: int | None = None,
    call: Mapping[str, Any] | None = None,
) -> MemoryPlan:  # fmt: skip
    """Counts the cost that each plan adds to a step of `pipe`. The weights are not used, and may be on any device.

    Args:
        pipe: the pipeline.
        height, width: of the image in pixels; None is the model's own size. If only `height` is given, `width` is the same. PixArt, Sana
            and HunyuanDiT sample at the nearest size that they were trained on, unless `call` has `use_resolution_binning=False`.
        dtype: of all models; None is what each has now.
        batch: number of images.
        config: options (their layers count); the family's preset when None.
        backbone: the family; found when None.
        text_length: tokens on the text axis; None is the length of a call with the arguments `call`.
        call: arguments of the pipeline's call beside the prompt, such as `max_sequence_length`, which decides the text's length, and a
            `guidance_scale` of at most 1, under which there are no unconditional rows.

    Raises:
        UnsupportedPipelineError: no family fits.
        ValueError: the model does not support the size, or the arguments of the denoiser are not known.
        TypeError: a size is no whole number, or `dtype` no type of real numbers.
    """
    _check_request(dtype, height=height, width=width, batch=batch, text_length=text_length)
    backbone = backbone or backbone_for(pipe)
    denoiser = uncompiled(getattr(pipe, backbone.denoiser))
    kept: torch.dtype = dtype or denoiser.dtype
    factor = getattr(pipe, "vae_scale_factor", 8)
    own_height, own_width = (side * factor for side in native_size(denoiser))
    tall: int = own_height if height is None else height
    wide: int = width if width is not None else own_width if height is None else tall
    if batch < 1 or min(tall, wide) < factor or tall % factor or wide % factor:
        raise ValueError(f"`height`, `width` must be multiples of {factor} and `batch` >= 1, got {tall}, {wide} and {batch}")
    if height is not None or width is not None:
        tall, wide = sampled_size(pipe, tall, wide, own_height, call)
    check_pixels(batch, tall, wide)
    size = Size(batch, tall // factor, wide // factor, text_length or backbone.text_length(pipe, call) or 77, kept)
    model = meta_copy(denoiser, kept)
    config = config or backbone.config(denoiser)
    scale = (call or {}).get("guidance_scale")
    together = backbone.conditional is not first_call and (scale is None or scale > 1)
    unguided = unguided_step(model, size, together)
    plans = []
    for name in PLANS if together else (name for name in PLANS if name != "batched"):
        meter = guided_step(model, backbone, size, config.with_(plan=name), together)
        plans.append(PlanCost(name, max(0, meter.peak - unguided.peak), meter.flops / unguided.flops))
    parts = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    weights = {id(part): _bytes(part, dtype) for part in parts}
    others = [size for part, size in weights.items() if part not in (id(denoiser), id(getattr(pipe, backbone.denoiser)))]
    plans.sort(key=lambda plan: plan.flops)
    own, largest = _bytes(denoiser, dtype), max(others, default=0)
    return MemoryPlan(tall, wide, batch, kept, own, own + sum(others), unguided.peak, tuple(plans), largest)


def unguided_step(model: nn.Module, size: Size, together: bool) -> Meter:
    """Runs one pass without gradient, with twice the rows if both halves of classifier-free guidance go `together`."""
    sample, kwargs = meta_call(model, size._replace(rows=size.rows * (1 + together)))
    with counted() as meter, torch.no_grad():
        model(sample, **kwargs)
    return meter


def guided_step(
    model: nn.Module, backbone: Backbone, size: Size, config: GuidanceConfig, together: bool, *, saved: SavedTensors | None = None
) -> Meter:
    """Runs one guided step: unconditional rows without gradient, then conditional rows with it, `config.repeats` times; both together with
    the plan "batched". `saved` counts the bytes that the gradient keeps."""
    batched = together and config.plan == "batched"
    sample, kwargs = meta_call(model, size._replace(rows=size.rows * (1 + batched)))
    grid = size.packed() if "img_ids" in kwargs else None  # the adapter reads the size from their values, and these have none
    guidance = meta_guidance(model, backbone, config, grid)
    if saved is not None:
        guidance.saving = saved.hooks
    with counted() as meter:
        kept = []
        if together and not batched:
            with torch.no_grad():
                kept.append(model(sample, **kwargs))
        conditional = slice(len(sample) - size.rows, len(sample))
        found = guidance.run(sample, (), kwargs, rows=conditional)
        for _ in range(config.repeats - 1):
            found = guidance.run(sample, (), kwargs, rows=conditional)
        kept.append(found)
    return meter


def native_size(denoiser: Any) -> tuple[int, int]:
    """Returns height and width of the model's own latents; 128 if its configuration does not say."""
    size = getattr(denoiser.config, "sample_size", None) or 128
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _bytes(module: nn.Module, dtype: torch.dtype | None) -> int:
    """Returns the bytes of a module's weights, in `dtype` or as they are."""
    return sum(p.numel() * (p.element_size() if dtype is None else dtype.itemsize) for p in module.parameters())


def _check_request(dtype: Any, **sizes: Any) -> None:
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"`dtype` must be a `torch.dtype` of real numbers, such as torch.float16, or None; got {dtype!r}")
    for name, value in sizes.items():
        if value is not None and (not isinstance(value, Integral) or isinstance(value, bool)):
            raise TypeError(f"`{name}` must be a whole number, got {value!r}")
    if sizes["text_length"] is not None and sizes["text_length"] < 1:
        raise ValueError(f"`text_length` must be >= 1, got {sizes['text_length']}")
