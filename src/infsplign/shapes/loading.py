"""Loads the models that ship with the package, offline, as stock diffusers pipelines."""

from pathlib import Path
from typing import Any

from infsplign.shapes.presets import PRESETS

MODELS = Path(__file__).parent / "models"


def shipped() -> tuple[str, ...]:
    """Returns the names of the models whose weights are installed."""
    return tuple(name for name, preset in PRESETS.items() if (MODELS / preset.folder / "model_index.json").is_file())


def load_vae(dtype: Any, *, flow: bool = False) -> Any:
    """Loads the autoencoder that all shipped models share; `flow` pipelines need a shift of the latents, here 0."""
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(MODELS / "vae", dtype=dtype, local_files_only=True)
    if flow:
        vae.register_to_config(shift_factor=0.0)
    return vae


def load(name: str = "shapes", *, dtype: Any = None) -> Any:
    """Loads a shipped model as a stock pipeline; nothing is downloaded.

    Args:
        name: "shapes" (Stable Diffusion), "shapes-pixart" or "shapes-sd3".
        dtype: of the weights; float32 when None.

    Raises:
        ValueError: no such model.
    """
    import torch
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    if name not in shipped():
        raise ValueError(f"`name` must be one of {', '.join(shipped())}, got {name!r}")
    folder, dtype = MODELS / PRESETS[name].folder, dtype or torch.float32
    parts: dict[str, Any] = {"vae": load_vae(dtype, flow=name == "shapes-sd3")}
    if name == "shapes":
        parts |= {"safety_checker": None, "requires_safety_checker": False}
    if name == "shapes-sd3":
        parts |= _tokenizers(folder)
    return DiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True, **parts)


def _tokenizers(folder: Path) -> dict[str, Any]:
    """Loads the tokenizers. Both CLIPs of the MMDiT share one, and its T5 shares PixArt's, so each is stored once."""
    from transformers import CLIPTokenizer, T5Tokenizer

    clip = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    t5 = T5Tokenizer.from_pretrained(MODELS / "pixart" / "tokenizer", local_files_only=True)
    return {"tokenizer": clip, "tokenizer_2": clip, "tokenizer_3": t5}
