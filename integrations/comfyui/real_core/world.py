"""ComfyUI with a small random model, and shorthand for its nodes."""

import asyncio
import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from integrations.comfyui.real_core.models import models

PACK = Path(__file__).resolve().parents[1]
PROMPT = "a cat to the left of a dog"
EXTRA = ("custom_sampler", "freelunch", "hypertile", "tomesd", "pag", "primitive", "preview_any", "model_advanced")
"""ComfyUI's files of nodes that are used, `comfy_extras/nodes_NAME.py`."""


def nodes() -> Any:
    """ComfyUI's module `nodes`."""
    return importlib.import_module("nodes")


class World:
    """ComfyUI with a random model, and shorthand for its nodes."""

    def __init__(self, family: str, dtype: torch.dtype = torch.float32) -> None:
        self.nodes, self.family = nodes().NODE_CLASS_MAPPINGS, family
        self.model, self.clip = models(family, dtype)
        self.positive, self.negative = self.encode(PROMPT), self.encode("blurry")

    def encode(self, text: str) -> Any:
        return self.node("CLIPTextEncode", clip=self.clip, text=text)[0]

    def node(self, name: str, **inputs: Any) -> Any:
        """What a node returns."""
        kind = self.nodes[name]
        if hasattr(kind, "define_schema"):
            found = kind.execute(**inputs)
            return getattr(found, "result", found)
        return getattr(kind(), kind.FUNCTION)(**inputs)

    def guided(self, model: Any = None, **inputs: Any) -> Any:
        given = {"prompt": PROMPT, "relations": "", "strength": 0.1, "start": 0.0, "stop": 0.5} | inputs
        return self.node("InfsplignSpatialGuidance", model=model or self.model, clip=self.clip, **given)[0]

    def sample(self, model: Any, *, rows: int = 1, seed: int = 0, **inputs: Any) -> torch.Tensor:
        given = {"steps": 4, "cfg": 5.0, "sampler_name": "euler", "scheduler": "normal", "positive": self.positive}
        given |= {"negative": self.negative, "latent_image": {"samples": torch.zeros(rows, 4, 16, 16)}, "denoise": 1.0} | inputs
        return self.node("KSampler", model=model, seed=seed, **given)[0]["samples"]

    def trace(self, model: Any) -> Any:
        """The trace of the latest sampling of a MODEL."""
        return module("sampling").run_of(model).steps.trace


def module(name: str) -> Any:
    """A module of the pack, as ComfyUI has loaded it."""
    home = nodes().NODE_CLASS_MAPPINGS["InfsplignSpatialGuidance"].__module__.rpartition(".")[0]
    return sys.modules[f"{home}.{name}"]


def guided_passes(world: World, patcher: Any) -> str:
    """How many passes of the latest sampling of a MODEL were guided; there must be one."""
    guided = [step.guided for step in world.trace(patcher)]
    assert any(guided)
    return f"{sum(guided)} of {len(guided)} passes guided"


def load_pack(comfyui: str) -> str:
    """Links the pack into a folder of custom nodes and loads it as ComfyUI does."""
    for name in EXTRA:
        assert asyncio.run(nodes().load_custom_node(f"{comfyui}/comfy_extras/nodes_{name}.py", module_parent="comfy_extras")), name
    folder = Path(tempfile.mkdtemp())
    os.symlink(PACK, folder / "infsplign-nodes")
    assert asyncio.run(nodes().load_custom_node(str(folder / "infsplign-nodes")))
    return ", ".join(nodes().NODE_DISPLAY_NAME_MAPPINGS[name] for name in nodes().NODE_CLASS_MAPPINGS if name.startswith("Infsplign"))
