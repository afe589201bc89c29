"""Loads the models that ship in the package `infsplign-models`, offline, as stock diffusers pipelines."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infsplign.shipped.presets import DEFAULT, PRESETS

PACKAGE = "infsplign_models"
INSTALL = "pip install infsplign[models]"


def weights() -> Path | None:
    """Returns the folder of all weights; None if the package `infsplign-models` is not installed."""
    found = find_spec(PACKAGE)
    return Path(found.origin).parent / "weights" if found and found.origin else None


def shipped() -> tuple[str, ...]:
    """Returns the names of the models whose weights are installed."""
    folder = weights()
    return tuple(name for name, preset in PRESETS.items() if folder and (folder / preset.folder / "model_index.json").is_file())


def load(name: str = DEFAULT, *, dtype: Any = None) -> Any:
    """Loads a shipped model as a stock pipeline; nothing is downloaded.

    Args:
        name: a key of `PRESETS`, such as "pictures" or "shapes-pixart".
        dtype: of the weights; float32 when None.

    Raises:
        ValueError: no such model, or the package with the weights is not installed.
    """
    import torch
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    found, known = weights(), shipped()
    if found is None or not known:
        raise ValueError(f"the shipped models' weights are not installed; install them: {INSTALL}")
    if name not in known:
        raise ValueError(f"`name` must be one of {', '.join(known)}, got {name!r}")
    preset, dtype = PRESETS[name], dtype or torch.float32
    folder = found / preset.folder
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    parts = {part: _component(index[part], found / place, dtype) for part, place in preset.shared.items()}
    if "requires_safety_checker" in index:
        parts |= {"safety_checker": None, "requires_safety_checker": False}
    pipe = DiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True, **parts)
    if "shift" in pipe.scheduler.config and pipe.vae.config.shift_factor is None:
        pipe.vae.register_to_config(shift_factor=0.0)  # flow pipelines subtract it from latents
    return pipe


def _component(kind: tuple[str, str], folder: Path, dtype: Any) -> Any:
    """Loads a component that models share; `kind` is its library and class, as in `model_index.json`."""
    import diffusers
    import transformers

    library, name = kind
    options = {"dtype": dtype} if library == "diffusers" or "Tokenizer" not in name else {}
    return getattr({"diffusers": diffusers, "transformers": transformers}[library], name).from_pretrained(
        folder, local_files_only=True, **options
    )
