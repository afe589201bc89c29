"""Parts that replace or extend those of a pipeline: scheduler, autoencoder, LoRA; and where it lies in memory. Cheap to import."""

import inspect
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from infsplign.generation.file_names import local_path
from infsplign.generation.whole import told_by, whole

SCHEDULERS: Mapping[str, str] = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "pndm": "PNDMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-a": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "lms": "LMSDiscreteScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "dpm++-singlestep": "DPMSolverSinglestepScheduler",
    "kdpm2": "KDPM2DiscreteScheduler",
    "kdpm2-a": "KDPM2AncestralDiscreteScheduler",
    "deis": "DEISMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "lcm": "LCMScheduler",
    "tcd": "TCDScheduler",
    "flow-euler": "FlowMatchEulerDiscreteScheduler",
    "flow-heun": "FlowMatchHeunDiscreteScheduler",
}
"""Short names of diffusers' schedulers."""
LORA_LOG = "diffusers.utils.peft_utils"
"""Here diffusers tells which weights of a LoRA the model has no place for; it loads the others."""
LORA_GUESS = "diffusers.loaders.lora_base"
"""Here diffusers tells which file of a folder it takes where there are several."""
OFFLOADS = ("model", "sequential")
TRAINED = ("beta_start", "beta_end", "beta_schedule", "trained_betas", "num_train_timesteps", "prediction_type", "rescale_betas_zero_snr")
"""Options of a scheduler that say how the model was trained."""
SAME_NOISE = 1e-4
"""Largest difference of `alphas_cumprod` that is only a rounding: Euler's last one is 2**-24 where DDIM's is 0."""
_CLASS = re.compile(r"[A-Z]\w*Scheduler")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Lora:
    """A LoRA: a local file or folder, or a hub id, and its weight."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True)
class Parts:
    """What a pipeline gets instead of its own, or in addition.

    Attributes:
        scheduler: a name of `SCHEDULERS`, or of a class of diffusers.
        vae: a local file or folder, or a hub id.
        loras: in the order in which they are loaded.
    """

    scheduler: str | None = None
    vae: str | None = None
    loras: tuple[Lora, ...] = ()

    def check(self) -> None:
        """Checks names and files, before anything large is imported.

        Raises:
            ValueError: a name that cannot exist.
            OSError: a file that is not there.
        """
        if self.scheduler is not None and self.scheduler not in SCHEDULERS and not _CLASS.fullmatch(self.scheduler):
            raise ValueError(f"`--scheduler` must be {', '.join(SCHEDULERS)}, or a class of diffusers; got {self.scheduler!r}")
        for option, name in (("--vae", self.vae), *(("--lora", lora.name) for lora in self.loras)):
            if name is not None and not local_path(name).exists() and not _HUB_ID.fullmatch(name):
                raise FileNotFoundError(f"`{option}` {name!r} is neither a file, nor a folder, nor a hub id such as owner/name")

    def fit(self, pipe: Any) -> None:
        """Gives a pipeline these parts.

        Raises:
            ValueError: a part that does not fit the pipeline.
            OSError: a part that cannot be loaded.
        """
        if self.vae is not None:
            _replace_vae(pipe, self.vae)
        if self.scheduler is not None:
            _replace_scheduler(pipe, self.scheduler)
        if self.loras:
            _add_loras(pipe, self.loras)


def parse_lora(text: str) -> Lora:
    """Parses `NAME` or `NAME=WEIGHT`; a file or folder that is there by the whole text, such as `runs/lr=0.001`, is a name.

    Raises:
        ValueError: an empty name.

    >>> parse_lora("style.safetensors=0.8")
    Lora(name='style.safetensors', weight=0.8)
    """
    name, sign, weight = text.rpartition("=")
    weighted = sign and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", weight) and not local_path(text).exists()
    lora = Lora(name, float(weight)) if weighted else Lora(text)
    if not lora.name.strip():
        raise ValueError(f"`--lora` must be a file, a folder or a hub id, with =WEIGHT if you like; got {text!r}")
    return lora


def place(pipe: Any, device: Any, offload: str | None = None) -> Any:
    """Moves a pipeline to a device; with `offload`, only the part that runs ("model") or the layer that runs ("sequential").

    Raises:
        ValueError: an unknown name, or a device that cannot be offloaded from.
    """
    check_offload(offload, device.type)
    if offload is None:
        return pipe.to(device)
    (pipe.enable_model_cpu_offload if offload == "model" else pipe.enable_sequential_cpu_offload)(device=device)
    return pipe


def check_offload(offload: str | None, device: str) -> None:
    """Checks a way to offload; `device` is the type of the device, or "auto".

    Raises:
        ValueError: it is unknown, or of no use on this device.
    """
    if offload is not None and offload not in OFFLOADS:
        raise ValueError(f"`--offload` must be {' or '.join(OFFLOADS)}, got {offload!r}")
    if offload is not None and device == "cpu":
        raise ValueError("`--offload` is of no use on the CPU, where all lies in main memory; leave it out, or name another `--device`")


def _replace_vae(pipe: Any, name: str) -> None:
    from diffusers import AutoModel

    from infsplign.adapters.versions import dtype_option

    path, options = local_path(name), dtype_option(pipe.dtype)
    try:
        if path.is_file():  # it says nothing of the scale of its latents, which are the model's
            with TemporaryDirectory() as folder:
                pipe.vae.save_config(folder)
                vae: Any = type(pipe.vae).from_single_file(str(path), config=folder, **options)
        else:
            with whole():
                vae = AutoModel.from_pretrained(str(path) if path.is_dir() else name, **options)
    except Exception as error:  # diffusers, safetensors, the hub's client and torch raise all sorts here
        raise OSError(f"`--vae` {name!r} could not be loaded: {_first_line(error)}") from error
    own, new = (getattr(part.config, "latent_channels", None) for part in (pipe.vae, vae))
    if new is None or own != new:
        raise ValueError(f"`--vae` {name!r} must be an autoencoder of {own} latent channels, as the model's own; it has {new}")
    own, new = map(_levels, (pipe.vae, vae))
    if own != new:
        raise ValueError(f"`--vae` {name!r} must halve the image as often as the model's own, {own - 1} times; it does {new - 1} times")
    pipe.register_modules(vae=vae)


def _levels(vae: Any) -> int:
    """How many resolutions an autoencoder has: each halves the image but the first."""
    found = getattr(vae.config, "block_out_channels", None) or getattr(vae.config, "encoder_block_out_channels", None)
    return len(found or ())


def _replace_scheduler(pipe: Any, name: str) -> None:
    import diffusers

    from infsplign.pipelines.noise_schedule import check_scheduler, prediction_type

    class_name = SCHEDULERS.get(name, name)
    kind: Any = getattr(diffusers, class_name, None)
    if kind is None:
        raise ValueError(f"`--scheduler` {name!r} is no class of diffusers {diffusers.__version__}")
    if "Inverse" in class_name:
        raise ValueError(f"`--scheduler` {name!r} goes from an image to noise; name one that samples, such as ddim")
    config = pipe.scheduler.config
    options = {key: config[key] for key in TRAINED if key in config}  # diffusers passes defaults of one class not on to another
    options |= {"clip_sample": config.get("clip_sample", False)}  # DDIM's and DDPM's default cuts latents to [-1, 1]
    flow = prediction_type(pipe.scheduler) == "flow"
    if flow and not class_name.startswith("FlowMatch"):
        options |= {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": config.get("shift", 1.0)}
    try:
        made = kind.from_config(config, **options)
    except Exception as error:  # a scheduler of another kind of model
        raise ValueError(f"`--scheduler` {name!r} cannot be made from the model's own: {_first_line(error)}") from error
    fits = not flow or class_name.startswith("FlowMatch") or made.config.get("use_flow_sigmas")
    if not fits or (prediction_type(made) == "flow") != flow:
        own = "a flow" if flow else "noise"
        raise ValueError(f"`--scheduler` {name!r} does not fit: the model predicts {own}, as {type(pipe.scheduler).__name__} takes it")
    check_scheduler(made)
    taken = list(inspect.signature(made.step).parameters.values())[3:]  # behind the output, the timestep and the latents
    if more := [p.name for p in taken if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]:
        raise ValueError(f"`--scheduler` {name!r} does not fit: its steps need {' and '.join(map(repr, more))} beside the latents")
    if not flow:
        _check_noise(name, pipe.scheduler, made)
    pipe.scheduler = made


def _check_noise(name: str, own: Any, made: Any) -> None:
    """Raises an error if a scheduler has other noise levels than the model's own: some classes cannot be given all of its options."""
    levels, new = getattr(own, "alphas_cumprod", None), made.alphas_cumprod
    if levels is None or (len(levels) == len(new) and float((levels.cpu() - new.cpu()).abs().max()) < SAME_NOISE):
        return
    why = "; it has no zero terminal signal-to-noise ratio" if own.config.get("rescale_betas_zero_snr") else ""
    raise ValueError(f"`--scheduler` {name!r} does not fit: its noise levels are not those that the model was trained with{why}")


def _add_loras(pipe: Any, loras: tuple[Lora, ...]) -> None:
    if not hasattr(pipe, "load_lora_weights"):
        raise ValueError(f"`--lora` is of no use: {type(pipe).__name__} cannot load any")
    names = [f"lora_{number}" for number in range(len(loras))]
    for name, lora in zip(names, loras, strict=True):
        path = local_path(lora.name)
        try:
            with told_by(LORA_LOG) as told, told_by(LORA_GUESS) as guessed:
                place = str(path) if path.exists() else lora.name
                pipe.load_lora_weights(place, adapter_name=name)
                told += _foreign(pipe, place)
        except Exception as error:  # diffusers, peft, safetensors and the hub's client raise all sorts here
            raise OSError(f"`--lora` {lora.name!r} could not be loaded: {_first_line(error)}") from error
        if several := [message for message in guessed if "more than one weights file" in message]:
            raise ValueError(f"`--lora` {lora.name!r} holds several files of weights; name one of the files. {several[0]:.200}")
        if not any(name in found for found in pipe.get_list_adapters().values()):
            raise ValueError(f"`--lora` {lora.name!r} has no weights for this model; was it made for another one?")
        if told:
            which = f"has weights that fit no layer of this model and are left out: {told[0]:.200}"
            warnings.warn(f"`--lora` {lora.name!r} {which}", stacklevel=2)
    pipe.set_adapters(names, [lora.weight for lora in loras])


def _foreign(pipe: Any, place: str) -> list[str]:
    """The names of weights of a LoRA for parts that the pipeline has not, or does not load any for: diffusers leaves them out silently."""
    parts = getattr(pipe, "_lora_loadable_modules", ())
    found = pipe.lora_state_dict(place, **({"unet_config": pipe.unet.config} if hasattr(pipe, "unet") else {}))
    names = list(found[0] if isinstance(found, tuple) else found)
    known = tuple(f"{part}." for part in parts if getattr(pipe, part, None) is not None)
    if not any(name.startswith(known) for name in names):  # older files, of one part, name none
        return []
    return [", ".join(others)] if (others := [name for name in names if not name.startswith(known)]) else []


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
