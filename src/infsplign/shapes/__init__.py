"""A small synthetic world: its renderer, its detector, and the models that were trained on it and ship with the package."""

from infsplign.shapes.defaults import CONFIG, GUIDANCE_SCALE, STEPS
from infsplign.shapes.loading import SHIPPED, load

__all__ = ["CONFIG", "GUIDANCE_SCALE", "SHIPPED", "STEPS", "load"]
