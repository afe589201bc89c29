"""Which steps are guided, and which rows of them: decided from the options and from whether the scene already holds."""

from typing import NamedTuple

import torch
from torch import Tensor

from infsplign.core.object_attention import Layers
from infsplign.core.spatial import gaps, seen
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.host_copy import HostCopy


class StepPlan(NamedTuple):
    """What is done in one step.

    Attributes:
        action: "plain" (the denoiser as it is), "watched" (its attention is read) or "guided" (and differentiated): what the row that
            needs most asks for.
        rows: the action of each row; None where all rows have the same.
        reuses: the step is shifted by the last gradient, there being one.
    """

    action: str
    rows: tuple[str, ...] | None = None
    reuses: bool = False

    def of_row(self, row: int) -> str:
        return self.action if self.rows is None else self.rows[row]

    @property
    def shifted(self) -> tuple[bool, ...] | None:
        """Which rows are shifted; None where all are alike."""
        return None if self.rows is None else tuple(action == "guided" for action in self.rows)


class _Row:
    """How a row is going: looks in which it has held, one after the other, and guidable steps since it paused."""

    def __init__(self) -> None:
        self.held = self.idle = 0


class StepPlanner:
    """Plans the steps of one sampling.

    A row is guided until it has held in `patience` looks in a row. It is then left alone, and looked at in each `watch_every`-th step
    that would be guided; when a look finds it broken it is guided again from the next step on. A look takes effect in the step after
    it, so that a row goes the same way whatever the other rows of its batch do, and so that its result is asked of the device late.

        planner = StepPlanner(config)
        for progress in ...:
            plan = planner.plan(progress)
            ...                                       # run the denoiser as `plan.action` says
            planner.observe(guidance.held)            # unless it was "plain"

    `infsplign.Steps` does this and the rest of a step.

    Attributes:
        inside: steps of the guided part so far.
    """

    def __init__(self, config: GuidanceConfig) -> None:
        self.config = config
        self.inside = 0
        self._rows: list[_Row] | None = None
        self._looked: tuple[bool, ...] = ()
        self._seen: HostCopy | None = None

    def plan(self, progress: float) -> StepPlan:
        """The plan of the next step, which lies at `progress`; to be asked once a step, in order."""
        if not self.config.within(progress):
            return StepPlan("plain")
        number, self.inside = self.inside, self.inside + 1
        if number % self.config.every:
            return StepPlan("plain", reuses=self.config.reuse)
        self._learn()
        if self.config.patience is None or self._rows is None:
            return StepPlan("guided")
        actions = tuple(self._action(row) for row in self._rows)
        self._looked = tuple(action != "plain" for action in actions)
        most = next(action for action in ("guided", "watched", "plain") if action in actions)
        return StepPlan(most, None if len(set(actions)) == 1 else actions)

    def observe(self, holds: Tensor | None) -> None:
        """Takes down what a look found: (B,), whether the scene of each row holds, as `Guidance.held` has it."""
        if self.config.patience is not None and holds is not None:
            self._seen = HostCopy(holds)

    def _learn(self) -> None:
        if self._seen is None or self.config.patience is None:
            return
        found, self._seen = self._seen.read(), None
        if self._rows is None or len(self._rows) != len(found):
            self._rows, self._looked = [_Row() for _ in found], (True,) * len(found)
        for row, holds, looked in zip(self._rows, found, self._looked, strict=True):
            if looked and holds:
                row.held = min(row.held + 1, self.config.patience)
            elif looked:
                row.held = row.idle = 0

    def _action(self, row: _Row) -> str:
        if row.held < (self.config.patience or 0):
            return "guided"
        row.idle += 1
        return "watched" if row.idle % self.config.watch_every == 0 else "plain"


def scene_holds(layers: Layers, *, slack: float) -> Tensor:
    """Whether every relation of each row has a gap of at least its part of `slack`, averaged over layers: (B,).

    A row without relations never holds, nor does a relation of an object whose map is empty in all layers: there is nothing to tell it by.

    Args:
        layers: the recorded layers of each row.
        slack: gap that is asked for, in widths of the picture; like the loss's margin, times `scene.margin` for each relation.
    """
    asked = layers.scene.relation_weight > 0
    each = layers.mean(lambda group: gaps(group.objects, group.scene))  # (B, R)
    told = layers.mean(lambda group: seen(group.objects, group.scene).to(each.dtype)) > 0
    return (((each >= slack * layers.scene.margin) & told) | ~asked).all(-1) & asked.any(-1)


def rows_mask(rows: tuple[bool, ...], like: Tensor) -> Tensor:
    """(B,) on the device of `like`, without waiting for it."""
    return torch.tensor(rows).to(like.device, non_blocking=True)
