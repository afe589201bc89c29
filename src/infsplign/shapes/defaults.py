"""How the shipped models are sampled and guided where nothing else is asked for."""

from infsplign.config import PAPER, GuidanceConfig

STEPS = 30
"""Denoising steps, of the shipped model's own scheduler (DDPM)."""
GUIDANCE_SCALE = 5.0
"""Classifier-free guidance."""
CONFIG: GuidanceConfig = PAPER.with_(scale=500.0, stop=0.5)
"""Spatial guidance: the paper's constants with half its scale and over the first half of the steps, the best of the candidates in
`docs/measured/tune.md`; at the paper's own scale this small model loses objects."""
