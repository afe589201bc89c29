"""Loads the models that ship in the package `infsplign-models`, offline, as stock diffusers pipelines."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infsplign.shipped.presets import DEFAULT, PRESETS

PACKAGE = "infsplign_models"
INSTALL = "`pip install infsplign[models]`, or `pip install ./models` in a clone"


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
        TypeError: `dtype` is no type of torch.
    """
    import torch
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    from infsplign.adapters.versions import dtype_option, release

    found, known = weights(), shipped()
    if found is None or not known:
        raise ValueError(f"the shipped models' weights are not installed; install them: {INSTALL}")
    if name not in known:
        raise ValueError(f"`name` must be one of {', '.join(known)}, got {name!r}")
    if not isinstance(dtype, torch.dtype | None):  # the libraries would take float32
        raise TypeError(f"`dtype` must be a `torch.dtype`, such as torch.float16, or None; got {dtype!r}")
    preset, dtype = PRESETS[name], dtype or torch.float32
    folder = found / preset.folder
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    places = {part: folder / part for part in index if part.startswith("tokenizer")}
    places |= {part: found / place for part, place in preset.shared.items()}
    parts = {part: _component(index[part], place, dtype) for part, place in places.items()}
    if "requires_safety_checker" in index:
        parts |= {"safety_checker": None, "requires_safety_checker": False}
    late: dict[str, Any] = {}
    if release("transformers") < (5, 0):  # diffusers then asks for the slow tokenizers
        late = {part: parts[part] for part in places if part.startswith("tokenizer")}
    given = parts | dict.fromkeys(late)
    pipe = DiffusionPipeline.from_pretrained(folder, local_files_only=True, **dtype_option(dtype), **given)
    if late:
        options = {name: given[name] for name in ("requires_safety_checker",) if name in given}
        pipe = type(pipe)(**(pipe.components | late | options))
    if "shift" in pipe.scheduler.config and pipe.vae.config.shift_factor is None:
        pipe.vae.register_to_config(shift_factor=0.0)  # flow pipelines subtract it from latents
    return pipe


def _component(kind: tuple[str, str], folder: Path, dtype: Any) -> Any:
    """Loads a component; `kind` is its library and class, as in `model_index.json`. Tokenizers are the fast ones, whose files are there."""
    import diffusers
    import transformers

    from infsplign.adapters.versions import dtype_option, release

    library, name = kind
    if library == "diffusers":
        return getattr(diffusers, name).from_pretrained(folder, local_files_only=True, **dtype_option(dtype))
    if "Tokenizer" in name:
        fast = name if name.endswith("Fast") else f"{name}Fast"  # another class in transformers 4, the same one in 5
        # transformers 4 cannot read the list of further special tokens that 5 has written, and adds a hundred of its own to T5's
        older = {"extra_special_tokens": {}, "extra_ids": 0} if name.startswith("T5") and release("transformers") < (5, 0) else {}
        return getattr(transformers, fast, getattr(transformers, name)).from_pretrained(folder, local_files_only=True, **older)
    return getattr(transformers, name).from_pretrained(folder, local_files_only=True, dtype=dtype)
