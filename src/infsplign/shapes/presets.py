"""Default options for sampling and guiding the shipped models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infsplign.engine.config import RECOMMENDED, GuidanceConfig

T5_LENGTH = 32
"""Tokens of the T5 segment of the shipped MMDiT."""


@dataclass(frozen=True)
class Preset:
    """Default options of a shipped model.

    Attributes:
        folder: of its weights, in `infsplign/shapes/models`.
        steps: denoising steps, of its own scheduler.
        guidance_scale: of classifier-free guidance.
        config: spatial guidance.
        call: further arguments of its pipeline's call.
    """

    folder: str
    steps: int
    guidance_scale: float
    config: GuidanceConfig
    call: Mapping[str, Any] = field(default_factory=dict)


FIRST_READER = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
PRESETS: Mapping[str, Preset] = {
    # on this model the layers of the family do not know positions; this is the earliest block that does, and so the cheapest:
    # `docs/measured/blocks-shapes.md`
    "shapes": Preset("sd", 30, 5.0, RECOMMENDED.with_(layers={"coarse": (FIRST_READER,)})),
    "shapes-pixart": Preset("pixart", 30, 5.0, RECOMMENDED, {"clean_caption": False, "use_resolution_binning": False}),
    "shapes-sd3": Preset("sd3", 30, 5.0, RECOMMENDED, {"max_sequence_length": T5_LENGTH}),
}
"""All use `RECOMMENDED`, as any other pipeline does; only the UNet has its own layers."""
CONFIG, STEPS, GUIDANCE_SCALE = PRESETS["shapes"].config, PRESETS["shapes"].steps, PRESETS["shapes"].guidance_scale
"""Those of the shipped Stable Diffusion."""
