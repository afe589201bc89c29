"""The methods that are compared on a shipped model, each with its constants; None is the stock pipeline.

Constants come from the tune split (`python -m benchmarks.search`, tables in `docs/measured/search-*.md`). Methods other than ours read
the same layers of the model, in the first half of the steps, and differ in their loss; "layout" gets the boxes that the relation implies.
"""

from collections.abc import Mapping

from infsplign.core import LOSSES
from infsplign.engine.config import PAPER, GuidanceConfig
from infsplign.shapes import PRESETS

BEST = {"shapes": (500.0, 0.5), "shapes-pixart": (200.0, 1.0), "shapes-sd3": (200.0, 1.0)}
"""Scale and `stop` with which the published method does best, by uncond and strict: docs/measured/search-rivals-*.md."""
RIVALS = ("attend-and-excite", "psg", "layout")


def methods(model: str) -> Mapping[str, GuidanceConfig | None]:
    """By name, for `infsplign.shapes.PRESETS[model]`; what varies our own preset's window on the UNet alone, and the
    weakest rival and the paper's spatial term alone not on the MMDiT, for the hour that `make bench` has."""
    own, (scale, stop) = PRESETS[model].config, BEST[model]
    found = {
        "unguided": None,
        "paper": PAPER,
        "paper-best": PAPER.with_(scale=scale, stop=stop),
        "infsplign": own,
        "infsplign-all-steps": own.with_(start=0.0, stop=1.0, patience=None),
    }
    if model == "shapes":
        found |= {"infsplign-every-2": own.with_(every=2), "infsplign-long": own.with_(stop=2 * own.stop)}
    rivals = RIVALS if model == "shapes-sd3" else (*RIVALS, "overlap")
    half = own.with_(stop=0.5, patience=2, terms=())
    found |= {name: half.with_(loss=LOSSES[name]()) for name in rivals}
    return found if model == "shapes-sd3" else found | {"spatial": half.with_(presence=0.0, balance=0.0)}
