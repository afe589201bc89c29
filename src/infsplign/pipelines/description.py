"""`describe`: reports how a pipeline would be guided (family, tapped layers, grids, rows, text axis, options)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from infsplign.adapters import backbone_for
from infsplign.adapters.backbone import uncompiled
from infsplign.adapters.fused import kernel_for
from infsplign.core.losses import CompoundLoss
from infsplign.cost.choice import STARTING
from infsplign.engine.config import AUTO, GuidanceConfig, check_config
from infsplign.pipelines.noise_schedule import prediction_type


@dataclass(frozen=True)
class TappedLayer:
    """A layer whose attention is read. `grid` is (H, W) at the model's own size, None if it cannot be told from the layer's name."""

    name: str
    level: str
    heads: int
    grid: tuple[int, int] | None


@dataclass(frozen=True)
class Description:
    """See `describe`. Its `str` is a small table."""

    family: str
    pipeline: str
    denoiser: str
    parameters: int
    prediction: str
    scheduler: str
    layout: str
    text_length: int | None
    layers: tuple[TappedLayer, ...]
    config: GuidanceConfig
    maps: str
    plan: str

    def __str__(self) -> str:
        rows = [
            ("pipeline", f"{self.pipeline}, family {self.family}"),
            ("denoiser", f"{self.denoiser}, {self.parameters / 1e6:.1f} M parameters"),
            ("scheduler", f"{self.scheduler}, predicts {self.prediction}"),
            ("rows", self.layout),
            ("text axis", f"{self.text_length} tokens" if self.text_length else "unknown (no tokenizer)"),
            ("guidance", _options(self.config)),
            ("maps", self.maps),
            ("plan", self.plan),
        ]
        lines = [f"{name:<10} {value}" for name, value in rows]
        for layer in self.layers:
            size = f"{layer.grid[0]}x{layer.grid[1]}" if layer.grid else "?"
            lines.append(f"{layer.level:<10} {layer.name}  {size}, {layer.heads} heads")
        return "\n".join([*lines, "", *configuration(self.config)])


SHOWN = ("scale", "max_shift", "margin", "spatial", "presence", "balance", "alpha", "terms", "loss", "start", "stop", "layers")
"""Fields that the line of guidance and those of the layers show in words of their own."""


def _options(config: GuidanceConfig) -> str:
    """Formats the most important options, and all others that differ from the class's defaults."""
    bound = "no bound" if config.max_shift is None else f"bound {config.max_shift:g}"
    terms = ", ".join(f"{term.name} {term.weight:g}" for term in config.compound().terms if term.weight)
    window = f"steps from {100 * config.start:g}% to {100 * config.stop:g}%"
    parts = [f"scale {config.scale:g}, {bound}, margin {config.margin:g}, alpha {config.alpha:g}, terms {terms}, {window}"]
    if config.patience is not None:
        parts.append(f"pauses where the scene held in {config.patience} looks, gaps >= {config.margin_hold:g}")
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name not in (*SHOWN, "patience", "margin_hold") and value != field.default:
            parts.append(f"{field.name} {getattr(value, '__name__', value)}")
    return ", ".join(parts)


def configuration(config: GuidanceConfig) -> list[str]:
    """Formats every option, one a line; those with a star differ from the defaults of `GuidanceConfig`."""
    lines = ["configuration (* differs from `GuidanceConfig()`)"]
    for field in fields(config):
        value = getattr(config, field.name)
        star = "*" if value != field.default else " "
        lines.append(f"{star} {field.name:<14} {_shown(field.name, value)}")
    return lines


def _shown(name: str, value: Any) -> str:
    terms = value.terms if isinstance(value, CompoundLoss) else value if name == "terms" else None
    if terms is not None:
        return (
            ", ".join(f"{term.name} {term.weight:g}" + (f" on {', '.join(term.levels)}" if term.levels else "") for term in terms) or "none"
        )
    if isinstance(value, Mapping):
        return "; ".join(f"{level}: {', '.join(names)}" for level, names in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return str(getattr(value, "__name__", value))


def describe(pipe: Any, config: GuidanceConfig | None = None, call: Mapping[str, Any] | None = None) -> Description:
    """Reports how `pipe` would be guided, without running it.

    Args:
        pipe: the pipeline.
        config: options; the default of the family, as in `guide`, when None.
        call: arguments of the pipeline's call beside the prompt, such as `max_sequence_length`.

    Raises:
        UnsupportedPipelineError: no adapter knows the pipeline.
        AttentionError: a tapped layer is not in the denoiser.
    """
    check_config(config)
    backbone = backbone_for(pipe)
    denoiser = uncompiled(getattr(pipe, backbone.denoiser))
    config = config or backbone.config(denoiser)
    recorder = backbone.source(denoiser, config.layers)
    return Description(
        family=backbone.name,
        pipeline=type(pipe).__name__,
        denoiser=type(denoiser).__name__,
        parameters=sum(p.numel() for p in denoiser.parameters()),
        prediction=prediction_type(pipe.scheduler),
        scheduler=type(pipe.scheduler).__name__,
        layout=backbone.layout,
        text_length=backbone.text_length(pipe, call),
        layers=tuple(
            TappedLayer(name, level, int(getattr(module, "heads", 0)), native_grid(denoiser, name))
            for level, name, module in recorder.layers
        ),
        config=config,
        plan=_plan(config),
        maps=_maps(denoiser, [module for _, _, module in recorder.layers]),
    )


def _plan(config: GuidanceConfig) -> str:
    """Formats the plan, or how it is chosen."""
    if config.plan != AUTO:
        return config.plan
    least = ", ".join(f"{count / 1e6:g} million on {device}" for device, count in STARTING.items())
    return (
        "auto: chosen when a call begins; batched where the gradient of the unconditional half takes fewer operations for each operator of "
        f"a pass than {least}, else split, and checkpoint where neither fits the memory that is free"
    )


def _maps(denoiser: torch.nn.Module, layers: Sequence[Any]) -> str:
    """Reports how attention maps are computed, from the present types and head sizes of the weights."""
    like = next(denoiser.parameters())
    sizes = sorted({module.inner_dim // module.heads for module in layers if hasattr(module, "inner_dim") and hasattr(module, "heads")})
    found = [kernel_for(like.new_empty(1, 1, 1, size), masked=False) for size in sizes or [64]]
    kernels = [kernel.name for kernel in found if kernel is not None]
    if len(kernels) < len(found):
        return f"in chunks of the attention matrix: no fused kernel for {like.device.type}, {like.dtype}, heads of {sizes}"
    return f"columns by log-sum-exp of fused attention ({', '.join(dict.fromkeys(kernels))}); small masked attention in chunks"


def native_grid(denoiser: Any, layer: str) -> tuple[int, int] | None:
    """Returns the grid of a layer at the denoiser's own size: each level of a UNet halves it, transformers cut patches."""
    size, parts = getattr(denoiser.config, "sample_size", None), layer.split(".")
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if parts[0] in ("down_blocks", "mid_block", "up_blocks"):
        last = len(denoiser.config.up_block_types) - 1
        level = {"down_blocks": lambda: int(parts[1]), "mid_block": lambda: last, "up_blocks": lambda: last - int(parts[1])}
        for _ in range(level[parts[0]]()):
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width
    patch = getattr(denoiser.config, "patch_size", None)
    return (height // patch, width // patch) if patch else None
