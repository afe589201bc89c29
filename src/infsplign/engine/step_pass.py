"""One guided or watched pass of the denoiser: conditional rows with a gradient or watched, other rows unchanged."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from infsplign.core.losses import LossReport
from infsplign.engine.descent import descend
from infsplign.engine.guidance import Guidance, GuidedPass
from infsplign.engine.passes import Passes
from infsplign.engine.pytree import concatenate, first_tensor, rows_of
from infsplign.engine.rows import Rows
from infsplign.engine.shift import channels_of, latents_part
from infsplign.engine.step_plan import StepPlan

Guided = tuple[Any, GuidedPass, tuple[Tensor, ...], Tensor | None]
"""The denoiser's output for all rows, the guided pass, the losses of further gradients, and whether each row held."""


class StepPass:
    """One pass over a batch.

    Args:
        guidance: runs the denoiser.
        rows: which rows are conditional.
        sample, args, kwargs: arguments of the denoiser.
    """

    def __init__(self, guidance: Guidance, rows: Rows, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.guidance, self.rows, self.sample, self.args, self.kwargs = guidance, rows, sample, args, kwargs

    def watched(self) -> tuple[Any, LossReport]:
        """Returns the denoiser's output, and the report of the conditional rows' attention."""
        found = self.guidance.watch(self.sample, self.args, self.kwargs, rows=self.rows.conditional)
        return found.output, found.report

    def guided(self, *, times: int, move: Callable[[Tensor], Tensor]) -> Guided:
        """Runs the conditional rows with gradient, and the rows before and after them without.

        Args:
            times: number of gradients at the step.
            move: function from the sum of gradients so far to what is subtracted from the latents.
        """
        with self.guidance.weights.frozen():  # up to the gradient: a checkpointed block is run again for it, and must save the same
            conditional, batch = self.rows.conditional, len(self.sample)
            if self.rows.together:
                found, repeated, held = self._gradients(self.sample, self.args, self.kwargs, conditional, times, move)
                return found.output, found, repeated, held
            pieces, result = [], None
            for part in (slice(0, conditional.start), conditional, slice(conditional.stop, batch)):
                taken = part.stop - part.start
                if not taken:
                    continue
                args, kwargs = (self.args, self.kwargs) if taken == batch else rows_of((self.args, self.kwargs), part, batch)
                if part is conditional:
                    result = self._gradients(self.sample[part], args, kwargs, None, times, move)
                    pieces.append(result[0].output)
                else:
                    self.guidance.passes.plain += taken
                    pieces.append(self.guidance.denoiser(self.sample[part], *args, **kwargs))
            assert result is not None
            return (concatenate(pieces) if len(pieces) > 1 else pieces[0]), *result

    def _gradients(self, sample: Tensor, args: Any, kwargs: Any, rows: slice | None, times: int, move: Callable[[Tensor], Tensor]) -> Any:
        found, repeated = self.guidance.run(sample, args, kwargs, rows=rows), ()
        held, zero = self.guidance.held, self.guidance.zero
        if times > 1:
            place = Still(move, rows)
            found, repeated = descend(self.guidance, found, sample, args, kwargs, times=times, move=place, rows=rows)
            self.guidance.zero = zero
        return found, repeated, held


class Still:
    """Moves only the latents, for a denoiser whose input has further channels after them, such as a mask and an image."""

    def __init__(self, move: Callable[[Tensor], Tensor], rows: slice | None) -> None:
        self.move, self.rows = move, rows

    def __call__(self, gradient: Tensor, output: Any) -> Tensor:
        conditional = first_tensor(output)[self.rows] if self.rows else first_tensor(output)
        axis = channels_of(gradient)
        noise = self.move(latents_part(gradient, latents_part(conditional, gradient)))
        behind = gradient.shape[axis] - noise.shape[axis]
        if behind == 0:
            return noise
        still = gradient.narrow(axis, noise.shape[axis], behind)
        return torch.cat((noise, torch.zeros_like(still)), dim=axis)


def needs(plan: StepPlan, batch: int, rows: Rows, times: int) -> Passes:
    """Counts what the rows of a pass would need if each were sampled alone.

    Args:
        plan: of the pass.
        batch: rows of the denoiser's batch.
        rows: which of them are conditional.
        times: number of gradients at the step.
    """
    if plan.action == "plain":
        return Passes(plain=batch)
    found = Passes(plain=batch - rows.size)
    for row in range(rows.size):
        action = plan.of_row(row)
        setattr(found, action, getattr(found, action) + (times if action == "guided" else 1))
    if rows.together and found.guided:  # the other rows run along with the gradient
        each = (batch - rows.size) // rows.size
        found = Passes(guided=found.guided * (1 + each), watched=found.watched, plain=found.plain - each * (found.guided // times))
    return found
