"""Small random models of ComfyUI's own classes, for `check_real_core.py`: laid out as Stable Diffusion 1.5 and XL, a tenth as wide."""

import importlib
import sys
import types
from importlib.machinery import ModuleSpec
from typing import Any
from unittest.mock import MagicMock

import torch

SHAPE = {
    "use_checkpoint": False, "image_size": 32, "out_channels": 4, "use_spatial_transformer": True, "legacy": False, "in_channels": 4,
    "model_channels": 32, "use_temporal_attention": False, "use_temporal_resblock": False,
}  # fmt: skip
SD15 = SHAPE | {
    "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4], "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1,
    "transformer_depth_output": [1] * 9 + [0] * 3, "use_linear_in_transformer": False, "adm_in_channels": None, "context_dim": 64,
}  # fmt: skip
SDXL = SHAPE | {
    "num_res_blocks": [2] * 3, "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10,
    "transformer_depth_output": [0] * 3 + [2] * 3 + [10] * 3, "use_linear_in_transformer": True, "num_classes": "sequential",
    "adm_in_channels": 64 + 6 * 256, "context_dim": 128,
}  # fmt: skip
LAYOUTS = {"sd15": SD15, "sdxl": SDXL}
TEXT = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 3, "projection_dim": 64}


class _Empty(types.ModuleType):
    """A module in whose place nothing is computed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__, self.__spec__ = [], ModuleSpec(name, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


def start_comfyui(path: str, *options: str) -> None:
    """Makes ComfyUI importable, as its `main.py` does, on the CPU.

    torchvision and torchaudio are replaced by empty modules where they cannot be imported, as where torch is a CPU build and they are not.
    No node that is checked uses them.
    """
    sys.path.insert(0, path)
    sys.argv = [sys.argv[0], "--cpu", *options]
    for name in ("torchvision", "torchaudio"):
        try:
            importlib.import_module(name)
        except (ImportError, OSError, RuntimeError):
            sys.modules |= {part: _Empty(part) for part in (name, f"{name}.transforms")}
    import comfy.options  # pyright: ignore[reportMissingImports]

    comfy.options.enable_args_parsing()


def models(family: str, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """Makes a MODEL and a CLIP, with random weights made under inference mode, as ComfyUI's loaders do.

    Args:
        family: "sd15" or "sdxl".
        dtype: of the U-Net.
    """
    import comfy.model_management  # pyright: ignore[reportMissingImports]
    import comfy.model_patcher  # pyright: ignore[reportMissingImports]
    import comfy.sd  # pyright: ignore[reportMissingImports]
    import comfy.supported_models as supported  # pyright: ignore[reportMissingImports]

    kind = {"sd15": supported.SD15, "sdxl": supported.SDXL}[family]
    with torch.inference_mode():
        torch.manual_seed(0)
        small = type(kind.__name__, (kind,), {"unet_extra_config": {"num_heads": 4, "num_head_channels": -1}})
        config = small(LAYOUTS[family] | {"dtype": dtype})
        model = filled(config.get_model({}, "", device="cpu").eval())
        cpu = torch.device("cpu")
        patcher = comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)
        options = {"clip_l_model_config": TEXT, "clip_g_model_config": TEXT}
        clip = comfy.sd.CLIP(config.clip_target({}), model_options=options)
        filled(clip.cond_stage_model)
    return patcher, clip


def filled(module: torch.nn.Module) -> Any:
    """Fills weights with random numbers: ComfyUI's layers leave them as the memory was."""
    for name, parameter in module.named_parameters():
        norm = "norm" in name or ".in_layers.0." in name or ".out_layers.0." in name or "out.0." in name
        if parameter.ndim < 2:
            parameter.fill_(1.0 if norm and name.endswith("weight") else 0.0)
        else:
            parameter.copy_(torch.randn(parameter.shape) * (2.0 / parameter[0].numel()) ** 0.5)
    return module
