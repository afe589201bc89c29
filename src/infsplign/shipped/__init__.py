"""The small trained models that ship in the package `infsplign-models`: their presets, how they are loaded, and the worlds they draw."""

from infsplign.shipped.loading import load, shipped
from infsplign.shipped.presets import DEFAULT, PRESETS, Preset
from infsplign.shipped.worlds import WORLDS, World, world

__all__ = ["DEFAULT", "PRESETS", "WORLDS", "Preset", "World", "load", "shipped", "world"]
