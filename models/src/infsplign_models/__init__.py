"""Trained text-to-image models of a small world of pictures, for infsplign: weights, the world's scenes, and its detector."""

from pathlib import Path

__version__ = "0.1.0"

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weights, one folder a model."""
