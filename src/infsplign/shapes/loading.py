"""Loads the models that ship with the package, offline, as stock diffusers pipelines."""

from pathlib import Path
from typing import Any

MODELS = Path(__file__).parent / "models"
SHIPPED = {"shapes": "sd"}
"""Name of a shipped model to its folder."""


def load(name: str = "shapes", *, dtype: Any = None) -> Any:
    """Loads a shipped model as a stock pipeline; nothing is downloaded.

    Args:
        name: one of `SHIPPED`.
        dtype: of the weights; float32 when None.

    Raises:
        ValueError: no such model.
    """
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline

    if name not in SHIPPED:
        raise ValueError(f"`name` must be one of {', '.join(SHIPPED)}, got {name!r}")
    dtype = dtype or torch.float32
    vae = AutoencoderKL.from_pretrained(MODELS / "vae", dtype=dtype, local_files_only=True)
    return StableDiffusionPipeline.from_pretrained(
        MODELS / SHIPPED[name], vae=vae, dtype=dtype, local_files_only=True, safety_checker=None, requires_safety_checker=False
    )
