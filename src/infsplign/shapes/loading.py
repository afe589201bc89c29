"""Loads the models that ship with the package, offline, as stock diffusers pipelines."""

from pathlib import Path
from typing import Any

MODELS = Path(__file__).parent / "models"
SHIPPED = {"shapes": "sd"}
"""Name of a shipped model to its folder."""


T5_LENGTH = 32
"""Tokens of the T5 segment of the shipped MMDiT; `max_sequence_length` of its pipeline."""


def load_vae(dtype: Any, *, flow: bool = False) -> Any:
    """The autoencoder that all shipped models share; `flow` pipelines want a shift of the latents, here 0."""
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(MODELS / "vae", dtype=dtype, local_files_only=True)
    if flow:
        vae.register_to_config(shift_factor=0.0)
    return vae


def load(name: str = "shapes", *, dtype: Any = None) -> Any:
    """Loads a shipped model as a stock pipeline; nothing is downloaded.

    Args:
        name: one of `SHIPPED`.
        dtype: of the weights; float32 when None.

    Raises:
        ValueError: no such model.
    """
    import torch
    from diffusers import StableDiffusionPipeline

    if name not in SHIPPED:
        raise ValueError(f"`name` must be one of {', '.join(SHIPPED)}, got {name!r}")
    dtype = dtype or torch.float32
    return StableDiffusionPipeline.from_pretrained(
        MODELS / SHIPPED[name], vae=load_vae(dtype), dtype=dtype, local_files_only=True, safety_checker=None, requires_safety_checker=False
    )
