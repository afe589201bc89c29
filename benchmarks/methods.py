"""The methods that are compared on a shipped model, each with its constants; None is the stock pipeline.

Constants come from the tune split (`python -m benchmarks.search`, tables in `docs/measured/search-*.md`). Methods other than ours read
the same layers of the model and differ in their loss; "layout" gets the boxes that the relation implies.
"""

from collections.abc import Mapping

from infsplign.config import PAPER, GuidanceConfig
from infsplign.core import LOSSES
from infsplign.shapes import PRESETS


def methods(model: str) -> Mapping[str, GuidanceConfig | None]:
    """By name, for `infsplign.shapes.PRESETS[model]`."""
    own = PRESETS[model].config
    rivals = {name: own.with_(loss=LOSSES[name](), terms=()) for name in ("attend-and-excite", "psg", "layout")}
    return {
        "unguided": None,
        "paper": PAPER,
        "paper-best": PAPER.with_(scale=500.0, stop=0.5),
        "infsplign": own,
        "infsplign-all-steps": own.with_(start=0.0, stop=1.0, patience=None),
        "infsplign-every-2": own.with_(every=2),
        "infsplign-short": own.with_(stop=own.stop / 2),
        **rivals,
    }
