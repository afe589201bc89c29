"""Spatial guidance for ComfyUI. Link this folder into `custom_nodes`; `README.md` says how."""

try:
    import infsplign.engine.steps  # noqa: F401
except ImportError as error:
    import sys

    raise ImportError(
        f"the package `infsplign` must be installed in ComfyUI's Python ({error}): run `{sys.executable} -m pip install PATH`, where PATH "
        "is the folder of infsplign's repository"
    ) from error

from .nodes import SpatialGuidance, SpatialTrace

NODE_CLASS_MAPPINGS = {"InfsplignSpatialGuidance": SpatialGuidance, "InfsplignSpatialTrace": SpatialTrace}
NODE_DISPLAY_NAME_MAPPINGS = {"InfsplignSpatialGuidance": "Spatial guidance", "InfsplignSpatialTrace": "Spatial trace"}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
