"""From what a user calls a model to a pipeline on a device, with clear errors."""

import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infsplign.engine.config import GuidanceConfig
from infsplign.shapes.loading import load, shipped
from infsplign.shapes.presets import PRESETS

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
WAIT = 3.0
"""Seconds for the hub to answer."""
_DEVICE = re.compile(r"[a-z_]+(:\d{1,3})?")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Defaults:
    """What a model is sampled with where nothing is asked for. `config` None is the family's, other None the pipeline's own."""

    steps: int | None
    guidance_scale: float | None
    config: GuidanceConfig | None
    call: Mapping[str, Any] = field(default_factory=dict)


def load_pipeline(model: str, *, device: str = "auto", dtype: str = "auto") -> Any:
    """Loads a model and moves it to its device.

    Args:
        model: a shipped model's name, a local folder in diffusers' layout, or a hub id.
        device: a torch device, or "auto".
        dtype: "fp32", "fp16", "bf16" or "auto".

    Raises:
        ValueError: a name, device or type that does not exist here.
        OSError: the folder is not there, or the hub id cannot be had.
    """
    folder = check_model(model, device=device, dtype=dtype)
    place = choose_device(device)
    import torch
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    if dtype == "auto":
        dtype = "fp16" if place.type == "cuda" else "fp32"
    torch_dtype = getattr(torch, DTYPES[dtype])
    with quiet(bars=folder is None and model not in shipped() and sys.stderr.isatty()):
        if model in shipped():
            return load(model, dtype=torch_dtype).to(place)
        try:
            return DiffusionPipeline.from_pretrained(str(folder or model), dtype=torch_dtype).to(place)
        except Exception as error:  # diffusers, transformers, the hub's client and torch raise all sorts here
            where = "" if folder else " (it is no local folder, and was looked for on the Hugging Face hub)"
            raise OSError(f"the model {model!r} could not be loaded{where}: {error}") from error


def check_model(model: str, *, device: str = "auto", dtype: str = "auto") -> Path | None:
    """Refuses what can be refused before torch and diffusers are imported, which takes seconds; see `load_pipeline`.

    Returns:
        The model's local folder, None for a shipped model or a hub id.
    """
    if dtype not in (*DTYPES, "auto"):
        raise ValueError(f"`--dtype` must be fp32, fp16, bf16 or auto, got {dtype!r}")
    check_device_name(device)
    if model in shipped():
        return None
    folder = model_folder(model)
    if folder is None:
        check_hub(model)
    return folder


def check_hub(model: str) -> None:
    """Refuses a hub id that is neither kept on this machine nor known to the hub.

    Raises:
        OSError: it cannot be had.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if not isinstance(try_to_load_from_cache(model, "model_index.json"), str):
            HfApi().model_info(model, timeout=WAIT)
    except HFValidationError as error:
        raise ValueError(f"`--model` {model!r} is no hub id: {error}") from error
    except Exception as error:  # the hub's client raises all sorts here, those of its network library among them
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OSError(f"the model {model!r} is no local folder, and cannot be had from the Hugging Face hub: {reason}") from error


def check_device_name(name: str) -> None:
    """Refuses what is no name of a device on which images can be made.

    Raises:
        ValueError: such a name.
    """
    if not _DEVICE.fullmatch(name) or name.partition(":")[0] == "meta":
        raise ValueError(f"`--device` must be cpu, cuda, cuda:1, mps or auto, got {name!r}")


def model_folder(model: str) -> Path | None:
    """The local folder that `model` means, None for a hub id.

    Raises:
        OSError: it reads as a path, but there is no such pipeline.
        ValueError: it can be neither.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise FileNotFoundError(f"the model folder {model!r} holds no pipeline: it has no `model_index.json`")
        return path
    if path.exists():
        raise NotADirectoryError(f"the model {model!r} is a file; a folder in diffusers' layout is needed")
    if model.startswith((".", "~", os.sep)) or model.count("/") > 1:
        raise FileNotFoundError(f"there is no model folder {model!r}")
    if not _HUB_ID.fullmatch(model):
        names = ", ".join(shipped())
        raise ValueError(f"`--model` must be {names} (shipped), a local folder, or a hub id such as owner/name; got {model!r}")
    return None


def choose_device(name: str) -> Any:
    """The torch device of a name; "auto" is cuda, then mps, then cpu.

    Raises:
        ValueError: no such device here.
    """
    check_device_name(name)
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        place = torch.device(name)
        torch.zeros(1, device=place).cpu()  # "lazy" and the like make tensors without numbers
    except Exception as error:  # a module that is not installed, a driver that is not there, ...
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"`--device` {name!r} cannot be used here: {reason}") from error
    return place


def defaults_for(model: str) -> Defaults:
    """Steps, guidance scale and options: a shipped model's own, else the pipeline's and `RECOMMENDED`."""
    if model in PRESETS:
        preset = PRESETS[model]
        return Defaults(preset.steps, preset.guidance_scale, preset.config, preset.call)
    return Defaults(None, None, None)


@contextmanager
def quiet(*, bars: bool = False) -> Iterator[None]:
    """Keeps the libraries' notes off the terminal: what matters of them comes back as an error. Bars are for what takes long."""
    import diffusers.utils.logging as diffusers_log
    import transformers.utils.logging as transformers_log

    logs = (diffusers_log, transformers_log)
    before = [log.get_verbosity() for log in logs]
    for log in logs:
        log.set_verbosity_error()
    transformers_log.disable_progress_bar()
    if not bars:
        diffusers_log.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            yield
        finally:
            for log, verbosity in zip(logs, before, strict=True):
                log.set_verbosity(verbosity)
            transformers_log.enable_progress_bar()
            diffusers_log.enable_progress_bar()
