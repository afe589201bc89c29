"""Loss terms of other methods, one in each file, and losses by name.

Each term is a function `term(objects, scene, *, options) -> (B,)` as in `core.losses`, and has a factory that returns it as a `LossTerm`:
`excite()`, `superiority()`, `boxes(...)`, `layout()`, `overlap()`, `unity()`.
"""

from collections.abc import Callable, Mapping
from functools import partial

from infsplign.core.losses import CompoundLoss, LossTerm, paper_loss
from infsplign.core.terms.excite import excite, excite_loss
from infsplign.core.terms.layout import boxes, boxes_loss, layout, layout_loss, relation_boxes
from infsplign.core.terms.overlap import overlap, overlap_loss
from infsplign.core.terms.superiority import superiority, superiority_loss
from infsplign.core.terms.unity import unity, unity_loss

TERMS: Mapping[str, Callable[..., LossTerm]] = {
    "excite": excite,
    "superiority": superiority,
    "layout": layout,
    "overlap": overlap,
    "unity": unity,
}
"""Names of terms to their factories, for terms that need no other argument. All take `weight=` and `levels=`."""


def alone(factory: Callable[[], LossTerm]) -> CompoundLoss:
    """Makes a loss of one term."""
    return CompoundLoss((factory(),))


LOSSES: Mapping[str, Callable[[], CompoundLoss]] = {
    "paper": partial(paper_loss, alpha=1.5, spatial=0.5),
    "attend-and-excite": partial(alone, excite),
    "psg": partial(alone, superiority),
    "layout": partial(alone, layout),
    "overlap": partial(alone, overlap),
}
"""Whole losses by name, for the command line and for saved configurations. "paper" has the values of the published sweep for Stable
Diffusion, which are the defaults of `GuidanceConfig`; each of the others is its method's loss alone."""

__all__ = [
    "LOSSES",
    "TERMS",
    "boxes",
    "boxes_loss",
    "excite",
    "excite_loss",
    "layout",
    "layout_loss",
    "overlap",
    "overlap_loss",
    "relation_boxes",
    "superiority",
    "superiority_loss",
    "unity",
    "unity_loss",
]
