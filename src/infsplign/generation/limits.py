"""What can be asked for at most. Cheap to import."""

LARGEST_SIDE = 16384
"""Pixels of an image's side, from 8 on."""
MOST_STEPS = 1000
"""Denoising steps: no model is trained with more."""
