"""A denoiser's class on the meta device, and its guidance, for counting the cost of a pass."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from infsplign.adapters import Backbone
from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.guidance import Guidance

SCENE = Scene.of([("first", "left of", "second")])
"""The scene that is counted. The cost hardly depends on it."""


def meta_copy(denoiser: Any, dtype: torch.dtype) -> nn.Module:
    """Makes a denoiser of the same class and configuration in `dtype` on the meta device; adapters such as a LoRA are left out."""
    with torch.device("meta"):
        return nn.Module.to(type(denoiser).from_config(denoiser.config), dtype).eval()


def meta_guidance(model: nn.Module, backbone: Backbone, config: GuidanceConfig, grid: tuple[int, int] | None) -> Guidance:
    """Makes the guidance of `SCENE` for a model on the meta device.

    Args:
        model: from `meta_copy`.
        backbone: its family.
        config: options.
        grid: (H, W) of the image positions; None where the family finds it without the values of tensors, which the meta device lacks.
    """
    if grid is not None:
        backbone = replace(backbone, grid=lambda _model: lambda _sample, _kwargs: grid)
    return Guidance(model, backbone.source(model, config.layers), SCENE, [[0], [1]], config)
