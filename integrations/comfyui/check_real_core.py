"""Checks the nodes against ComfyUI itself, headless on a CPU, with small random models of its own classes.

    python integrations/comfyui/check_real_core.py PATH_OF_COMFYUI [sd15] [sdxl]

Run it with a Python in which ComfyUI's requirements and infsplign are installed. It writes nothing into ComfyUI's folder and needs no
network and no checkpoint. It prints one line for each check, and ends at the first error.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path[0] = str(Path(__file__).resolve().parents[2])  # not this folder: its `nodes` would hide ComfyUI's
from integrations.comfyui.real_core import models, other_checks, sampling_checks  # noqa: E402
from integrations.comfyui.real_core.world import World, load_pack  # noqa: E402

CHECKS: dict[str, Callable[[World], Any]] = {
    "sampling without guidance": sampling_checks.same_without_guidance,
    "the shift, against the engine": sampling_checks.same_as_the_engine,
    "rows of a batch": sampling_checks.rows_alone,
    "samplers": sampling_checks.samplers,
    "other ways to sample": sampling_checks.other_ways,
    "an interrupt": sampling_checks.interrupted,
    "half precision": sampling_checks.half,
    "other nodes on the model": other_checks.other_nodes,
    "conditionings": other_checks.conditionings,
    "prompts": other_checks.prompts,
    "the example workflow": other_checks.workflow,
    "ControlNet": other_checks.controlnet,
}


def main() -> None:
    """Runs all checks of the families that are named, or of both."""
    comfyui = str(Path(sys.argv[1]).resolve())
    families = sys.argv[2:] or ["sd15", "sdxl"]
    models.start_comfyui(comfyui)
    from comfyui_version import __version__  # pyright: ignore[reportMissingImports]

    print(f"ComfyUI {__version__}, torch {torch.__version__}, Python {sys.version.split()[0]}", flush=True)
    print(f"| | the pack is loaded from `custom_nodes` | {load_pack(comfyui)} |", flush=True)
    with torch.inference_mode():
        for family in families:
            world = World(family)
            for name, check in CHECKS.items():
                found = check(world)
                for part, outcome in [("", found)] if isinstance(found, str) else found:
                    print(f"| {family} | {name}{': ' if part else ''}{part} | {outcome} |", flush=True)


if __name__ == "__main__":
    main()
