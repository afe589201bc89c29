"""How the shipped models are sampled and guided where nothing else is asked for."""

from infsplign.config import PAPER, GuidanceConfig

STEPS = 30
"""Denoising steps, of the shipped model's own scheduler (DDPM)."""
GUIDANCE_SCALE = 5.0
"""Classifier-free guidance."""
CONFIG: GuidanceConfig = PAPER
"""Spatial guidance."""
