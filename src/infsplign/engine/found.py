"""The result of the denoiser's pass in a step."""

from typing import Any, NamedTuple

from torch import Tensor

from infsplign.core.losses import LossReport
from infsplign.engine.config import PLANS, GuidanceConfig


class Found(NamedTuple):
    """What a guided or watched pass found.

    Attributes:
        report: loss, terms and centroids of each row.
        gradient: of the loss, (B, ...); None if the pass was only watched.
        repeated: losses of the further gradients of the step.
        holds: (B,), whether each row's scene held; None without `patience`.
    """

    report: LossReport
    gradient: Tensor | None = None
    repeated: tuple[Tensor, ...] = ()
    holds: Tensor | None = None

    def traced(self, config: GuidanceConfig, *, keep_maps: bool) -> dict[str, Any]:
        """The fields of `StepTrace` that come from the pass."""
        return {
            "loss": self.report.total,
            "terms": self.report.terms,
            "centroid": self.report.centroid,
            "variance": self.report.variance,
            "repeated": self.repeated,
            "holds": self.holds,
            "plan": (config.plan if config.plan in PLANS else "split") if self.gradient is not None else None,
            "maps": self.report.maps if keep_maps else (),
        }
