"""The size that a pipeline samples at, which may be another than that which is asked for."""

import sys
from collections.abc import Mapping
from typing import Any

from infsplign.adapters.text import signature_default


def sampled_size(pipe: Any, height: int, width: int, side: int, call: Mapping[str, Any] | None = None) -> tuple[int, int]:
    """Returns the (height, width) in pixels at which PixArt, Sana and HunyuanDiT sample: the nearest of a table, by the sides' ratio. The
    image is resized afterwards. Other pipelines sample at the size that is asked for.

    Args:
        pipe: the pipeline.
        height, width: that are asked for.
        side: of the model's own images.
        call: arguments of the pipeline's call, of which `use_resolution_binning=False` switches this off.
    """
    default = signature_default(pipe, "use_resolution_binning")
    if not (call or {}).get("use_resolution_binning", default):
        return height, width
    for kind in type(pipe).__mro__:
        module = sys.modules[kind.__module__]
        if table := getattr(module, f"ASPECT_RATIO_{side}_BIN", None):
            tall, wide = table[min(table, key=lambda ratio: abs(float(ratio) - height / width))]
            return int(tall), int(wide)
        if hasattr(module, "map_to_standard_shapes"):
            if (height, width) in module.SUPPORTED_SHAPE:
                return height, width
            wide, tall = module.map_to_standard_shapes(width, height)
            return int(tall), int(wide)
    return height, width
