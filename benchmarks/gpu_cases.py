"""The models of `benchmarks.gpu`, with random weights that are made on the device."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from torch import nn

from benchmarks.flops import CASES, SD15, Case
from benchmarks.steps import Made
from infsplign.adapters import FAMILIES
from infsplign.cost.meta_inputs import Size

SIDES = {"Flux-dev at what fits": (128, 96, 64, 32)}
"""Sides of the latents that are tried in turn; of the others their own alone."""
REAL = {("Flux-dev at what fits" if name.startswith("Flux") else name): case for name, case in CASES.items()}
NO_BUDGET = float("nan")
SMALL_UNET = SD15 | {"sample_size": 16, "layers_per_block": 1, "block_out_channels": (32, 32, 64, 64), "cross_attention_dim": 32}
SMALL_MMDIT = {
    "sample_size": 16, "num_layers": 3, "num_attention_heads": 2, "attention_head_dim": 16, "caption_projection_dim": 32,
    "joint_attention_dim": 32, "pooled_projection_dim": 32, "pos_embed_max_size": 16,
}  # fmt: skip
TINY = {
    "tiny UNet": Case(UNet2DConditionModel, SMALL_UNET, "sd", NO_BUDGET, NO_BUDGET, 16, 12),
    "tiny MMDiT": Case(SD3Transformer2DModel, SMALL_MMDIT, "sd3", NO_BUDGET, NO_BUDGET, 16, 12),
}
"""For a machine without a GPU: they show that the script runs, and measure nothing."""
ALL = REAL | TINY


def sides(name: str) -> tuple[int, ...]:
    return SIDES.get(name, (ALL[name].latents,))


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def weighted(case: Case, dtype: torch.dtype, device: str) -> Any:
    """The denoiser with its usual initial weights, never larger than they are in `dtype`."""
    torch.manual_seed(0)
    with default_dtype(dtype), torch.device(device):
        return nn.Module.to(case.kind(**case.config), dtype).eval()


def sized(case: Case, denoiser: Any, side: int, dtype: torch.dtype, device: str) -> Made:
    """The model as `benchmarks.steps.ways` calls it, for latents of `side` x `side`."""
    size, backbone = Size(1, side, side, case.text, dtype), FAMILIES[case.family]
    if backbone.grid is not None and case.family == "flux":  # it reads the grid from the values of `img_ids`, which are made up here
        backbone = replace(backbone, grid=lambda _model: lambda _sample, _kwargs: size.packed())
    return Made(denoiser, backbone, backbone.config(denoiser), size, case.together, joint(case, side), device)


def joint(case: Case, side: int) -> Mapping[str, Any]:
    """Where text and image are in joint attention: the published way has to be told."""
    grid, cells = (side // 2, side // 2), (side // 2) ** 2
    if case.family == "sd3":
        return {"text": slice(cells, None), "image": slice(0, cells), "grid": grid}
    if case.family == "flux":
        return {"text": slice(0, case.text), "image": slice(case.text, None), "grid": grid}
    return {}
