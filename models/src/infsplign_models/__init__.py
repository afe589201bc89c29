"""Trained text-to-image models of a small world of pictures, for infsplign: weights, the world's scenes, and its detector."""

__version__ = "0.1.0"
