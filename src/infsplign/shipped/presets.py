"""Default options for sampling and guiding the shipped models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infsplign.engine.config import RECOMMENDED, RECOMMENDED_JOINT, GuidanceConfig

T5_LENGTH = 32
"""Tokens of the T5 segment of the shipped MMDiT."""


@dataclass(frozen=True)
class Preset:
    """Default options of a shipped model.

    Attributes:
        folder: of its weights, in the folder of all weights.
        steps: denoising steps, of its own scheduler.
        guidance_scale: of classifier-free guidance.
        config: spatial guidance.
        call: further arguments of its pipeline's call.
        world: what it draws, a key of `infsplign.shipped.WORLDS`.
        shared: component to its folder, where models share it.
        family: of its backbone, a key of `infsplign.adapters.FAMILIES`.
    """

    folder: str
    steps: int
    guidance_scale: float
    config: GuidanceConfig
    call: Mapping[str, Any] = field(default_factory=dict)
    world: str = "shapes"
    shared: Mapping[str, str] = field(default_factory=dict)
    family: str = "sd"


FIRST_READER = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
XL_COARSE = tuple(f"up_blocks.0.attentions.{i}.transformer_blocks.0.attn2" for i in range(2))
_PICTURES = {"vae": "vae", "tokenizer": "tokenizer"}
_GROWN = _PICTURES | {"text_encoder": "pictures/text_encoder"}
_VAE = {"vae": "shapes/vae"}
_T5, _CLIP = "shapes/pixart/tokenizer", "shapes/sd3/tokenizer"
_SD3 = _VAE | {"tokenizer": _CLIP, "tokenizer_2": _CLIP, "tokenizer_3": _T5}
PRESETS: Mapping[str, Preset] = {
    "pictures": Preset("pictures", 20, 5.0, RECOMMENDED, world="pictures", shared=_PICTURES),
    "pictures-v": Preset("pictures-v", 20, 5.0, RECOMMENDED, world="pictures", shared=_GROWN),
    "pictures-xl": Preset(
        "pictures-xl",
        20,
        5.0,
        RECOMMENDED.with_(layers={"coarse": XL_COARSE}),
        world="pictures",
        shared=_GROWN | {"tokenizer_2": "tokenizer"},
        family="sdxl",
    ),
    # on this model the layers of the family do not know positions; this is the earliest block that does, and so the cheapest:
    # `docs/measured/blocks-shapes.md`
    "shapes": Preset("shapes/sd", 30, 5.0, RECOMMENDED.with_(layers={"coarse": (FIRST_READER,)}), shared=_VAE),
    "shapes-pixart": Preset(
        "shapes/pixart",
        30,
        5.0,
        RECOMMENDED,
        {"clean_caption": False, "use_resolution_binning": False},
        shared=_VAE,
        family="pixart",
    ),
    # this MMDiT has five blocks, of which the family's rule reads the second and third; on the tune split the last one was better
    "shapes-sd3": Preset(
        "shapes/sd3",
        30,
        5.0,
        RECOMMENDED_JOINT.with_(layers={"coarse": ("transformer_blocks.4.attn",)}),
        {"max_sequence_length": T5_LENGTH},
        shared=_SD3,
        family="sd3",
    ),
}
"""All use the default of their family, as any other pipeline does; some name their own layers."""
DEFAULT = "pictures"
"""The model of the commands and of `load` where none is named."""
