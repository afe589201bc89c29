"""The methods that are compared on a shipped model, each with its constants; None is the stock pipeline.

Constants come from the tune split (`python -m benchmarks.search`, tables in `docs/measured/search-*.md`). Methods other
than ours and the paper's differ from ours in their loss alone; "layout" gets the boxes that the relation implies.
"""

from collections.abc import Mapping

from infsplign.core import LOSSES
from infsplign.core.terms import unity
from infsplign.engine.config import PAPER, GuidanceConfig
from infsplign.shipped import PRESETS

BEST = {
    "shapes": (500.0, 0.5),
    "shapes-pixart": (200.0, 1.0),
    "shapes-sd3": (200.0, 1.0),
    "pictures": (500.0, 0.5),
    "pictures-v": (500.0, 0.5),
    "pictures-xl": (500.0, 0.5),
}
"""Scale and `stop` with which the published method does best, by uncond and strict: docs/measured/search-rivals-*.md;
of the models of pictures, those of the other UNet."""
RIVALS = ("attend-and-excite", "psg", "layout")


def methods(model: str) -> Mapping[str, GuidanceConfig | None]:
    """By name, for `infsplign.shipped.PRESETS[model]`: the paper's method, ours, and what ours is made of.

    A rival's name is its loss alone under our recipe (layers, window, bound); with "+unity" behind it, that and `unity`. "spatial" is our
    spatial term alone. The weakest rival is left out on the MMDiT, for the hour that `make bench` has.
    """
    own, (scale, stop) = PRESETS[model].config, BEST[model]
    found = {
        "unguided": None,
        "paper": PAPER,
        "paper-best": PAPER.with_(scale=scale, stop=stop),
        "infsplign": own,
        "infsplign-all-steps": own.with_(start=0.0, stop=1.0),
        "infsplign-third": own.with_(stop=1 / 3),
        "infsplign-sixth": own.with_(stop=1 / 3, every=2, reuse=True),
        "infsplign-no-unity": own.with_(terms=tuple(term for term in own.terms if term.name != "unity")),
        "spatial": own.with_(terms=()),
        "spatial+unity": own.with_(terms=(unity(),)),
    }
    for name in RIVALS if model == "shapes-sd3" else (*RIVALS, "overlap"):
        found[name] = own.with_(loss=LOSSES[name](), terms=())
        found[f"{name}+unity"] = own.with_(loss=LOSSES[name](), terms=(unity(),))
    return found
