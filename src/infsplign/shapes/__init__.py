"""A small synthetic world: its renderer, its detector, and the models that were trained on it and ship with the package."""

from infsplign.shapes.loading import load, shipped
from infsplign.shapes.presets import CONFIG, GUIDANCE_SCALE, PRESETS, STEPS, Preset

__all__ = ["CONFIG", "GUIDANCE_SCALE", "PRESETS", "STEPS", "Preset", "load", "shipped"]
