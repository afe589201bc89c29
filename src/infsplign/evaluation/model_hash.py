"""One hash for all weights of a pipeline, its modules' configurations, and what is switched on in them."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import torch

from infsplign.adapters.rows import WRAPPED
from infsplign.evaluation.fingerprint import described

FREEU = ("s1", "s2", "b1", "b2")
"""Attributes that `enable_freeu` sets on blocks of a U-Net."""
ELSEWHERE = ("transformers_version", "dtype", "torch_dtype", "name_or_path")
"""What else is in a configuration of transformers: versions and types of numbers are told with a run, places do not matter."""


def model_hash(pipe: Any) -> str:
    """SHA-256 over the weights and configurations of a pipeline's modules, by name, its own configuration, the vocabularies of its
    tokenizers and how they pad, what its image processors do, the scales of LoRA and IP-Adapter layers and of FreeU, hooks, and the tiling
    of its VAE, where there are any."""
    digest = hashlib.sha256(_configured(pipe, pipe.components))
    for name, component in sorted(pipe.components.items()):
        if isinstance(component, torch.nn.Module):
            digest.update(_configured(component))
            for key, tensor in sorted(component.state_dict().items()):
                digest.update(f"{name}.{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
            for key, switches in _switched(component):
                digest.update(f"{name}.{key} {switches}".encode())
        elif hasattr(component, "get_vocab"):
            digest.update(json.dumps(sorted(component.get_vocab().items())).encode())
            if told := _unusual(component):
                digest.update(json.dumps(told).encode())
        elif hasattr(component, "image_mean"):  # an image processor
            digest.update(_configured(SimpleNamespace(config=component)))
    if layers := getattr(pipe, "pag_applied_layers", None):  # of perturbed-attention guidance
        digest.update(f"pag {layers}".encode())
    return digest.hexdigest()


PADDING = {"padding_side": ("right",), "truncation_side": ("right",), "pad_token": ("<|endoftext|>", "<pad>")}
"""Where and how the tokenizers of CLIP and T5 pad; others, such as OpenCLIP's "!", are told apart by it."""
TILING = ("use_tiling", "use_slicing", "tile_sample_min_size", "tile_overlap_factor")
"""Attributes of a VAE that decodes a picture in parts, which shows at their borders."""


def _unusual(tokenizer: Any) -> dict[str, Any]:
    """How a tokenizer pads and cuts, where it is not as in CLIP, and its length, where that was set by hand."""
    told = {name: getattr(tokenizer, name, usual[0]) for name, usual in PADDING.items()}
    found = {name: str(value) for name, value in told.items() if value not in PADDING[name]}
    longest = getattr(tokenizer, "model_max_length", None)
    loaded = getattr(tokenizer, "init_kwargs", {}).get("model_max_length", longest)
    return found | ({"model_max_length": longest} if longest != loaded else {})


def _configured(part: Any, without: Collection[str] = ()) -> bytes:
    """The options of a configuration: no weight tells heads, sizes and factors. Where it was loaded from does not matter."""
    config: Any = getattr(part, "config", None)
    options = config.to_dict() if hasattr(config, "to_dict") else dict(config) if isinstance(config, Mapping) else {}
    told = {key: value for key, value in options.items() if not key.startswith("_") and key not in {*ELSEWHERE, *without}}
    return json.dumps(told, sort_keys=True, default=str).encode()


def _switched(component: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """Yields for each module what changes its output and is no weight."""
    if getattr(component, "use_tiling", False):
        yield "tiling", [getattr(component, name, None) for name in TILING]
    for key, module in component.named_modules():
        hooks = [*getattr(module, "_forward_hooks", {}).values(), *getattr(module, "_forward_pre_hooks", {}).values()]
        if hooks:
            yield key, [described(hook) for hook in hooks]
        if "forward" in vars(module) and not any(hasattr(module, name) for name in WRAPPED):  # as prompt-to-prompt and others do
            yield key, described(module.forward)
        if getattr(module, "padding_mode", "zeros") != "zeros":  # pictures without a seam
            yield key, module.padding_mode
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict):  # a LoRA layer of peft
            active: Any = module.active_adapters
            yield key, [sorted(scaling.items()), list(active), module.disable_adapters]
        if any(factors := [getattr(module, name, None) for name in FREEU]):
            yield key, factors
        scale = getattr(getattr(module, "processor", None), "scale", None)
        if scale is not None:
            yield key, scale
        kind = type(getattr(module, "processor", None))
        if kind is not type(None) and not kind.__module__.startswith("diffusers."):  # of one's own
            yield key, described(module.processor)
