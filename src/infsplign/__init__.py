"""Training-free spatial guidance of text-to-image diffusion: what the prompt says is left is drawn left.

    with infsplign.guide(pipe, "a cat to the left of a dog") as guidance:
        image = pipe("a cat to the left of a dog").images[0]

The mathematics is in `infsplign.core`, which needs neither torch nor diffusers; the names below load them when first used.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infsplign.calibration import Calibration, calibrate
    from infsplign.core.relations import SceneRelation
    from infsplign.core.scenes import Scene
    from infsplign.cost.planner import MemoryPlan, plan_memory
    from infsplign.engine.config import (
        PAPER,
        PAPER_CLI,
        PAPER_SDXL,
        PUBLISHED,
        PUBLISHED_SDXL,
        RECOMMENDED,
        RECOMMENDED_JOINT,
        GuidanceConfig,
    )
    from infsplign.engine.guidance import Guidance, GuidedPass
    from infsplign.engine.noise_levels import timesteps_of
    from infsplign.engine.steps import Steps
    from infsplign.errors import AttentionError, NonFiniteGradientError, PromptError, UnsupportedPipelineError
    from infsplign.pipelines.description import Description, describe
    from infsplign.pipelines.guidance import PipelineGuidance
    from infsplign.pipelines.guide import guide
    from infsplign.prompts import parse_prompt

__version__ = "0.1.0"

logging.getLogger("infsplign").addHandler(logging.NullHandler())  # silent until the program asks for records

_HOMES = {
    "infsplign.calibration": ("Calibration", "calibrate"),
    "infsplign.engine.config": (
        *("PAPER", "PAPER_CLI", "PAPER_SDXL", "PUBLISHED", "PUBLISHED_SDXL"),
        *("RECOMMENDED", "RECOMMENDED_JOINT", "GuidanceConfig"),
    ),
    "infsplign.core.relations": ("SceneRelation",),
    "infsplign.core.scenes": ("Scene",),
    "infsplign.pipelines.description": ("Description", "describe"),
    "infsplign.errors": ("AttentionError", "NonFiniteGradientError", "PromptError", "UnsupportedPipelineError"),
    "infsplign.engine.guidance": ("Guidance", "GuidedPass"),
    "infsplign.engine.steps": ("Steps",),
    "infsplign.engine.noise_levels": ("timesteps_of",),
    "infsplign.pipelines.guidance": ("PipelineGuidance",),
    "infsplign.pipelines.guide": ("guide",),
    "infsplign.cost.planner": ("MemoryPlan", "plan_memory"),
    "infsplign.prompts": ("parse_prompt",),
}
_SUBMODULES = ("adapters", "core", "shapes", "shipped")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "PAPER",
    "PAPER_CLI",
    "PAPER_SDXL",
    "PUBLISHED",
    "PUBLISHED_SDXL",
    "RECOMMENDED",
    "RECOMMENDED_JOINT",
    "AttentionError",
    "Calibration",
    "Description",
    "Guidance",
    "GuidanceConfig",
    "GuidedPass",
    "MemoryPlan",
    "NonFiniteGradientError",
    "PipelineGuidance",
    "PromptError",
    "Scene",
    "SceneRelation",
    "Steps",
    "UnsupportedPipelineError",
    "__version__",
    "calibrate",
    "describe",
    "guide",
    "parse_prompt",
    "plan_memory",
    "timesteps_of",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"infsplign.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'infsplign' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
