"""How strongly and towards what the sampling is guided: one frozen set of options."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infsplign.core.losses import CompoundLoss, paper_loss
from infsplign.core.penalties import Penalty, gelu


@dataclass(frozen=True)
class GuidanceConfig:
    """Options of guidance. The defaults are those of the published sweep for Stable Diffusion (arXiv 2512.17851).

    Attributes:
        scale: eta, factor of the loss gradient that is added to the noise prediction; 0 leaves the pipeline alone.
        alpha: slope of the spatial loss.
        margin: gap between centroids that is asked for, in widths (heights) of the picture.
        spatial, presence, balance: weights of the loss terms.
        penalty: cost of a violated margin, a function of `infsplign.core.penalties`.
        loss: a loss of your own in place of the paper's; the six fields above it are then unused.
        start, stop: guided part of the sampling, as fractions of its steps: step i of n is guided when
            `start <= i / n < stop`.
        update: "epsilon" gives every parametrisation the same shift of the noise; "direct" adds the gradient to whatever the
            model predicts, as the published code does.
        max_gain: cap on the factor that turns a shift of the noise into one of v, x_0 or velocity.
        layers: level ("coarse", "middle") to the exact names of the attention modules that are read; the family's when None.

    Raises:
        ValueError: a value out of range.
    """

    scale: float = 1000.0
    alpha: float = 1.5
    margin: float = 0.25
    spatial: float = 0.5
    presence: float = 1.0
    balance: float = 1.0
    penalty: Penalty = gelu
    loss: CompoundLoss | None = None
    start: float = 0.0
    stop: float = 1.0
    update: str = "epsilon"
    max_gain: float = 20.0
    layers: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        for name in ("scale", "alpha", "spatial", "presence", "balance"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"`{name}` must be a finite number >= 0, got {value!r}")
        if not 0 <= self.start <= self.stop <= 1:
            raise ValueError(f"`start` and `stop` must satisfy 0 <= start <= stop <= 1, got {self.start!r} and {self.stop!r}")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"`margin` must lie in [0, 1], a part of the picture, got {self.margin!r}")
        if self.update not in ("epsilon", "direct"):
            raise ValueError(f'`update` must be "epsilon" or "direct", got {self.update!r}')
        if not self.max_gain > 0:
            raise ValueError(f"`max_gain` must be > 0, got {self.max_gain!r}")

    def with_(self, **changes: object) -> "GuidanceConfig":
        """Returns a copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def compound(self) -> CompoundLoss:
        """The loss that these options describe."""
        return self.loss or paper_loss(
            alpha=self.alpha, margin=self.margin, spatial=self.spatial, presence=self.presence, balance=self.balance, penalty=self.penalty
        )

    def guides(self, step: int, steps: int) -> bool:
        """Tells whether step `step` of `steps` is guided."""
        return self.scale != 0 and self.start <= step / max(1, steps) < self.stop


PAPER = GuidanceConfig()
"""The published sweep for SD1.4 and SD2.1."""
PAPER_SDXL = GuidanceConfig(margin=0.5)
"""The published sweep for SDXL."""
PAPER_CLI = GuidanceConfig(alpha=0.75, spatial=1.0)
"""What the published command line does when nothing is set."""
