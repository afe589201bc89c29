"""Decides which steps and rows are guided, from the options and from whether the scene already holds."""

from typing import NamedTuple

import torch
from torch import Tensor

from infsplign.core.object_attention import Layers
from infsplign.core.spatial import gaps, seen
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.host_copy import HostCopy


class StepPlan(NamedTuple):
    """The action of one step.

    Attributes:
        action: "plain" (the denoiser runs unchanged), "watched" (its attention is read) or "guided" (its attention is read and
            differentiated). It is the most costly action among the rows.
        rows: the action of each row; None if all rows have the same action.
        reuses: whether the step is shifted by the last gradient, if there is one.
    """

    action: str
    rows: tuple[str, ...] | None = None
    reuses: bool = False

    def of_row(self, row: int) -> str:
        """Returns the action of one row."""
        return self.action if self.rows is None else self.rows[row]

    @property
    def shifted(self) -> tuple[bool, ...] | None:
        """Which rows are shifted; None if all rows have the same action."""
        return None if self.rows is None else tuple(action == "guided" for action in self.rows)


class _Row:
    """State of a row: number of consecutive looks in which it held, and of guidable steps since it paused."""

    def __init__(self) -> None:
        self.held = self.idle = 0


class StepPlanner:
    """Plans the steps of one sampling.

    A row is guided until its scene has held in `patience` consecutive looks. Then it pauses, and every `watch_every`-th step that would
    be guided looks at it. If a look finds that the scene no longer holds, the row is guided again from the next step on. A look takes
    effect one step later. So a row does not depend on the other rows of its batch, and the host need not wait for the device.

        planner = StepPlanner(config)
        for progress in ...:
            plan = planner.plan(progress)
            ...                                       # run the denoiser by `plan.action`
            planner.observe(guidance.held)            # unless it was "plain"

    `infsplign.Steps` does this and everything else in a step.
    """

    def __init__(self, config: GuidanceConfig) -> None:
        self.config = config
        self._inside = 0  # steps in the guided part so far
        self._rows: list[_Row] | None = None
        self._looked: tuple[bool, ...] = ()
        self._seen: HostCopy | None = None

    def plan(self, progress: float, rows: int | None = None) -> StepPlan:
        """Returns the plan of the next step, at `progress`. Call it once for each step, in order.

        Args:
            progress: of the step.
            rows: of the step, where it is known: other rows than before are guided, since nothing was seen of them.
        """
        if not self.config.within(progress):
            return StepPlan("plain")
        number, self._inside = self._inside, self._inside + 1
        if number % self.config.every:
            return StepPlan("plain", reuses=self.config.reuse)
        self._learn()
        if rows is not None and self._rows is not None and len(self._rows) != rows:
            self._rows = None
        if self.config.patience is None or self._rows is None:
            return StepPlan("guided")
        actions = tuple(self._action(row) for row in self._rows)
        self._looked = tuple(action != "plain" for action in actions)
        most = next(action for action in ("guided", "watched", "plain") if action in actions)
        return StepPlan(most, None if len(set(actions)) == 1 else actions)

    def observe(self, holds: Tensor | None) -> None:
        """Stores the result of a look: (B,), whether the scene of each row holds, from `Guidance.held`."""
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
    """Tells whether every relation of each row has at least the required gap, averaged over layers: (B,).

    A row without relations never holds. A relation never holds if one of its objects has an empty map in all layers.

    Args:
        layers: the recorded layers of each row.
        slack: required gap in widths of the image; like the loss's margin, multiplied by `scene.margin` for each relation.
    """
    asked = layers.scene.relation_weight > 0
    each = layers.mean(lambda group: gaps(group.objects, group.scene))  # (B, R)
    told = layers.mean(lambda group: seen(group.objects, group.scene).to(each.dtype)) > 0
    return (((each >= slack * layers.scene.margin) & told) | ~asked).all(-1) & asked.any(-1)


def rows_mask(rows: tuple[bool, ...], like: Tensor) -> Tensor:
    """Makes a mask (B,) on the device of `like` without waiting for the device."""
    return torch.tensor(rows).to(like.device, non_blocking=True)
