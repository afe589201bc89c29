"""Loads the pipeline that a user names onto a device, with clear errors."""

import inspect
import json
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
from infsplign.generation.file_names import local_path
from infsplign.generation.parts import Parts, check_offload, place
from infsplign.generation.whole import check_tokenizers, whole
from infsplign.shipped.loading import INSTALL, load, shipped
from infsplign.shipped.presets import PRESETS

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
WAIT = 3.0
"""Seconds for the hub to answer."""
_DEVICE = re.compile(r"[a-z_]+(:\d{1,3})?")
_WEIGHTS = re.compile(r"[^.]+(?:\.([^.]+?)(?:-\d+-of-\d+)?)?\.(?:safetensors|bin)")
_FROM_IMAGES = re.compile("Img2Img|Inpaint|Control|Pix2Pix|Upscale|Adapter|Edit|Fill")
_FROM_MORE = re.compile("GLIGEN|LDM3D")
"""Pipelines that need boxes, or make depths beside images."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Defaults:
    """Default options for sampling a model. None means the family's value for `config`, and the pipeline's value for others."""

    steps: int | None
    guidance_scale: float | None
    config: GuidanceConfig | None
    call: Mapping[str, Any] = field(default_factory=dict)


def load_pipeline(model: str, *, device: str = "auto", dtype: str = "auto", parts: Parts | None = None, offload: str | None = None) -> Any:
    """Loads a model and moves it to its device.

    Args:
        model: a shipped model's name, a local folder in diffusers' layout, or a hub id.
        device: a torch device, or "auto".
        dtype: "fp32", "fp16", "bf16" or "auto".
        parts: instead of the model's own.
        offload: "model" or "sequential": what is on the device at a time; None is everything.

    Raises:
        ValueError: the name, device or type does not exist, or a part does not fit.
        OSError: the folder does not exist, or the hub id cannot be found or downloaded.
    """
    check_model(model, device=device, dtype=dtype)
    target = choose_device(device)
    check_offload(offload, target.type)
    pipe = read_pipeline(model, device=device, dtype=dtype, parts=parts)
    with quiet():
        return place(pipe, target, offload)


def read_pipeline(model: str, *, device: str = "auto", dtype: str = "auto", parts: Parts | None = None) -> Any:
    """Loads a model into main memory; see `load_pipeline`. `device` decides the type with `dtype="auto"`."""
    if parts is not None:
        parts.check()
    folder = check_model(model, device=device, dtype=dtype)
    target = choose_device(device)
    import torch
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    from infsplign.adapters.versions import dtype_option

    if dtype == "auto":
        dtype = "fp16" if target.type == "cuda" else "fp32"
    torch_dtype = getattr(torch, DTYPES[dtype])
    with quiet(bars=folder is None and model not in shipped() and sys.stderr.isatty()):
        if model in shipped():
            pipe = load(model, dtype=torch_dtype)
        else:
            try:
                with whole():
                    pipe = DiffusionPipeline.from_pretrained(str(folder or model), **dtype_option(torch_dtype), **variant(folder))
                check_tokenizers(pipe)
            except Exception as error:  # diffusers, transformers, torch and the hub's client raise all sorts here
                where = "" if folder else " (it is no local folder, and was looked for on the Hugging Face hub)"
                raise OSError(f"the model {model!r} could not be loaded{where}: {error}") from error
        if parts is not None:
            parts.fit(pipe)
        return pipe


def variant(folder: Path | None) -> dict[str, str]:
    """Returns the option for a local folder that has the weights of a part in one variant alone, such as `model.fp16.safetensors`."""
    if folder is None:
        return {}
    only: set[str] = set()
    for part in json.loads((folder / "model_index.json").read_text("utf-8")):
        names = {found[1] or "" for file in folder.glob(f"{part}/*") if (found := _WEIGHTS.fullmatch(file.name))}
        only |= names if len(names) == 1 else set()
    only -= {""}
    return {"variant": only.pop()} if len(only) == 1 else {}


def check_model(model: str, *, device: str = "auto", dtype: str = "auto") -> Path | None:
    """Checks a model's name before torch and diffusers are imported, which takes seconds; see `load_pipeline`.

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
    """Raises an error for a hub id that is neither in the cache nor on the hub.

    Raises:
        OSError: it cannot be found.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if not isinstance(try_to_load_from_cache(model, "model_index.json"), str):
            HfApi().model_info(model, timeout=WAIT)
    except HFValidationError as error:
        raise ValueError(f"`--model` {model!r} is no hub id: {error}") from error
    except Exception as error:  # the hub's client raises all sorts here, those of its network library among them
        raise OSError(f"the model {model!r} is no local folder, and cannot be had from the Hugging Face hub: {_reason(error)}") from error


def check_device_name(name: str) -> None:
    """Checks that a name is one of a device that can make images.

    Raises:
        ValueError: it is not.
    """
    if not _DEVICE.fullmatch(name) or name.partition(":")[0] == "meta":
        raise ValueError(f"`--device` must be cpu, cuda, cuda:1, mps or auto, got {name!r}")


def model_folder(model: str) -> Path | None:
    """Returns the local folder that `model` names, None for a hub id.

    Raises:
        OSError: it looks like a path, but no pipeline is there.
        ValueError: it can be neither.
    """
    path = local_path(model)
    if model in PRESETS:  # and not installed; a folder of this name would be given its options
        named = f"; the folder of this name is './{model}'" if path.is_dir() else ", or name a local folder or a hub id"
        raise ValueError(f"`--model` {model!r} ships with infsplign and is not installed: {INSTALL}{named}")
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise FileNotFoundError(f"the model folder {model!r} holds no pipeline: it has no `model_index.json`")
        return path
    if path.exists():
        raise NotADirectoryError(f"the model {model!r} is a file; a folder in diffusers' layout is needed")
    if model.startswith((".", "~", os.sep)) or model.count("/") > 1:
        raise FileNotFoundError(f"there is no model folder {model!r}")
    if not _HUB_ID.fullmatch(model):
        names = f"{', '.join(shipped())} (shipped), " if shipped() else ""
        raise ValueError(f"`--model` must be {names}a local folder, or a hub id such as owner/name; got {model!r}")
    return None


def image_size(pipe: Any, height: int | None, width: int | None) -> dict[str, int]:
    """Returns height and width for a pipeline, which ignores one without the other; empty for its default size."""
    if height is None and width is None:
        return {}
    from infsplign.adapters import backbone_for

    denoiser = getattr(pipe, backbone_for(pipe).denoiser)
    side = denoiser.config.get("sample_size") or pipe.default_sample_size
    own = [int(n) * pipe.vae_scale_factor for n in ((side, side) if isinstance(side, int) else side)]
    return {"height": height or own[0], "width": width or own[1]}


def check_takes_text(pipe: Any) -> None:
    """Checks that a pipeline makes images from a prompt alone.

    Raises:
        ValueError: it needs something else too.
    """
    kind, taken = type(pipe).__name__, inspect.signature(pipe.__call__).parameters
    if _FROM_IMAGES.search(kind) and "image" in taken:
        raise ValueError(f"the model is a {kind}, which needs an image beside the prompt; name one that makes images from text alone")
    needed = [name for name, p in taken.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and name != "prompt"]
    if needed or _FROM_MORE.search(kind):
        what = f"{' and '.join(map(repr, needed))} beside the prompt" if needed else "more than a prompt, or makes more than images"
        raise ValueError(f"the model is a {kind}, which needs {what}; name one that makes images from text alone")


def takes_scale(pipe: Any) -> bool:
    """Whether a pipeline uses its `guidance_scale`: where there is a `true_cfg_scale` too, it is for the denoiser, which may take none."""
    from infsplign.adapters import backbone_for

    config = getattr(pipe, backbone_for(pipe).denoiser).config
    return "true_cfg_scale" not in inspect.signature(pipe.__call__).parameters or bool(config.get("guidance_embeds"))


def check_used(pipe: Any, negative_prompt: str | None, guidance_scale: float | None, *, asked: float | None = None) -> None:
    """Checks that a pipeline uses its negative prompt and guidance scale: many take them and leave them unused.

    Args:
        pipe: the pipeline.
        negative_prompt: of the call.
        guidance_scale: of the call, None for the pipeline's own.
        asked: the guidance scale, if it is asked for.

    Raises:
        ValueError: one of them would change nothing.
    """
    from infsplign.adapters import backbone_for

    kind, taken = type(pipe).__name__, inspect.signature(pipe.__call__).parameters
    config = getattr(pipe, backbone_for(pipe).denoiser).config
    true = taken["true_cfg_scale"].default if "true_cfg_scale" in taken else None
    if asked is not None and not takes_scale(pipe):
        raise ValueError(f"`--guidance-scale` changes nothing: this {kind} has a denoiser that takes none; leave it out")
    embedded = config.get("guidance_embeds") or config.get("time_cond_proj_dim") is not None
    if asked is not None and not embedded and true is None and (asked < 0 or 0 < asked < 1):
        raise ValueError(
            f"`--guidance-scale` must be above 1, or 1 for no classifier-free guidance, got {asked:g}: {kind} switches it off below 1"
        )
    if not (negative_prompt or "").strip():
        return
    scale = guidance_scale if true is None else true
    if "negative_prompt" not in taken or config.get("time_cond_proj_dim") is not None or true == 1:
        raise ValueError(f"`--negative-prompt` changes nothing: this {kind} samples without classifier-free guidance; leave it out")
    if scale is not None and scale <= 1:
        raise ValueError(f"`--negative-prompt` changes nothing with a guidance scale of {scale:g}; leave it out, or take a scale above 1")


def choose_device(name: str) -> Any:
    """Returns the torch device of a name; "auto" is cuda, then mps, then cpu.

    Raises:
        ValueError: this machine has no such device.
    """
    check_device_name(name)
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        place = torch.device(name)
        torch.zeros(1, device=place).cpu()  # "lazy" and the like make tensors without numbers
    except Exception as error:  # a module that is not installed, a driver that is not there, ...
        raise ValueError(f"`--device` {name!r} cannot be used here: {_reason(error)}") from error
    return place


def _reason(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def defaults_for(model: str) -> Defaults:
    """Returns steps, guidance scale and options: a shipped model's own, else None, and so those of the pipeline and its family."""
    if model in PRESETS:
        preset = PRESETS[model]
        return Defaults(preset.steps, preset.guidance_scale, preset.config, preset.call)
    return Defaults(None, None, None)


@contextmanager
def quiet(*, bars: bool = False) -> Iterator[None]:
    """Silences the libraries' messages; important ones are raised as errors. With `bars`, keeps progress bars, for long work."""
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
