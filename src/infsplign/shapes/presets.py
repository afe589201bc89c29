"""How the shipped models are sampled and guided where nothing else is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infsplign.core.terms import excite
from infsplign.engine.config import PAPER, GuidanceConfig

T5_LENGTH = 32
"""Tokens of the T5 segment of the shipped MMDiT."""


@dataclass(frozen=True)
class Preset:
    """What a shipped model is called with.

    Attributes:
        folder: of its weights, in `infsplign/shapes/models`.
        steps: denoising steps, of its own scheduler.
        guidance_scale: of classifier-free guidance.
        config: spatial guidance, what did best on the tune split at no more than 1.10 of an unguided image, `docs/measured`.
        call: further arguments of its pipeline's call.
    """

    folder: str
    steps: int
    guidance_scale: float
    config: GuidanceConfig
    call: Mapping[str, Any] = field(default_factory=dict)


FIRST_READER = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
STRONG = PAPER.with_(scale=5000.0, max_shift=0.1, patience=2, margin_hold=0.1, stop=0.5)
"""A gradient that is nearly always bounded, by a tenth of the model's output, in the first part of the steps and while the scene does not
hold."""
PRESETS: Mapping[str, Preset] = {
    # the earliest block that reads where objects are: also the cheapest; `docs/measured/search-shapes.md`. A quarter of the steps does
    # what half of them does; `docs/measured/turned-shapes.md`
    "shapes": Preset("sd", 30, 5.0, STRONG.with_(terms=(excite(0.2),), stop=0.25, layers={"coarse": (FIRST_READER,)})),
    # an early block: guided by it alone a step costs half of what the pair with a late one does, and without pauses it doubles hardly
    # anything; `docs/measured/search-shapes-pixart.md`
    "shapes-pixart": Preset(
        "pixart",
        30,
        5.0,
        STRONG.with_(stop=1 / 3, patience=None, layers={"coarse": ("transformer_blocks.2.attn2",)}),
        {"clean_caption": False, "use_resolution_binning": False},
    ),
    # all blocks read where objects are, the last one best, `docs/measured/blocks-shapes-sd3.md`; guided for a fifth of the steps, for what
    # it costs. A tenth of a velocity moves less than a tenth of a noise prediction does at the first steps, so the bound is wider;
    # `docs/measured/search-shapes-sd3.md`
    "shapes-sd3": Preset(
        "sd3",
        30,
        5.0,
        STRONG.with_(max_shift=0.3, terms=(excite(0.4),), stop=0.2, layers={"coarse": ("transformer_blocks.4.attn",)}),
        {"max_sequence_length": T5_LENGTH},
    ),
}
CONFIG, STEPS, GUIDANCE_SCALE = PRESETS["shapes"].config, PRESETS["shapes"].steps, PRESETS["shapes"].guidance_scale
"""Those of the shipped Stable Diffusion."""
