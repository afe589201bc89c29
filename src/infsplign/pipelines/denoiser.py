"""The denoiser's side of a guided pipeline: wraps `forward`, and runs the conditional rows with a gradient where the step is guided."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from infsplign.adapters.rows import Rows, rows_of_call
from infsplign.core.attention import AttentionSource
from infsplign.engine.descent import descend
from infsplign.engine.guidance import Guidance, GuidedPass, frozen
from infsplign.engine.passes import Passes
from infsplign.engine.pytree import concatenate, first_tensor, rows_of
from infsplign.engine.shift import channels_of, latents_part, shift_of
from infsplign.engine.step_plan import StepPlan
from infsplign.pipelines.call import Call, Calls, Pending
from infsplign.pipelines.noise_schedule import coefficients


class GuidedDenoiser:
    """Stands in for a denoiser's `forward`. The first pass of each step is run as the step's plan says, all others as they are.

    Attributes:
        forward: what it stands in for; offloading exchanges it between calls.
    """

    def __init__(self, calls: Calls, denoiser: torch.nn.Module, source: AttentionSource) -> None:
        self.calls, self.denoiser, self.source = calls, denoiser, source
        self.forward: Callable[..., Any] = denoiser.forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = self.calls.current()
        name = None if args else next((n for n in ("sample", "hidden_states") if n in kwargs), None)
        sample: Tensor = args[0] if name is None else kwargs[name]
        first = call.plan is None
        if first:
            call.plan = call.planner.plan(len(call.trace), self.calls.steps)
        plan = call.plan if first and call.plan is not None else StepPlan("plain")
        if plan.action == "plain":
            _count(call, plan, len(sample))
            return self.forward(*args, **kwargs)
        args = args[1:]
        kwargs = {key: value for key, value in kwargs.items() if key != name}
        engine = self.calls.engine(self.forward, self.source, kwargs)
        if len(sample) not in call.rows:
            found = rows_of_call(self.calls.pipe, self.calls.backbone.conditional, sample, call.negative)
            call.rows[len(sample)] = found._replace(together=found.together or self.calls.config.plan == "batched")
        rows = call.rows[len(sample)]
        _count(call, plan, len(sample), rows, self._times())
        if plan.action == "watched":
            return self._watched(engine, rows, sample, args, kwargs)
        with frozen(self.denoiser):  # until the gradient is there: a checkpointed block is run again for it, and must save the same
            return self._guided(engine, rows, sample, args, kwargs)

    def _watched(self, engine: Guidance, rows: Rows, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        output, report = engine.watch(sample, args, kwargs, rows=rows.conditional)
        self._found(Pending(report, holds=engine.held))
        return output

    def _guided(self, engine: Guidance, rows: Rows, sample: Tensor, args: Any, kwargs: Any) -> Any:
        """The conditional rows with gradient, those before and after them without."""
        conditional, batch = rows.conditional, len(sample)
        self._warn_of_masks(conditional.stop - conditional.start)
        if rows.together:
            return self._differentiated(engine, sample, args, kwargs, rows=conditional).output
        pieces = []
        for part in (slice(0, conditional.start), conditional, slice(conditional.stop, batch)):
            if part.start == part.stop:
                continue
            taken = part.stop - part.start
            piece_args, piece_kwargs = (args, kwargs) if taken == batch else rows_of((args, kwargs), part, batch)
            if part is conditional:
                pieces.append(self._differentiated(engine, sample[part], piece_args, piece_kwargs).output)
            else:
                self.calls.call.passes.plain += taken
                pieces.append(self.forward(sample[part], *piece_args, **piece_kwargs))
        return concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def _differentiated(self, engine: Guidance, sample: Tensor, args: Any, kwargs: Any, rows: slice | None = None) -> GuidedPass:
        times, repeated = self._times(), ()
        found = engine.run(sample, args, kwargs, rows=rows)
        held = engine.held
        if times > 1:
            move = partial(self._moved, rows=rows)
            found, repeated = descend(engine, found, sample, args, kwargs, times=times, move=move, rows=rows)
        self._found(Pending(found.report, found.gradient, repeated, held))
        return found

    def _found(self, pending: Pending) -> None:
        call = self.calls.call
        call.planner.observe(pending.holds)
        call.pending = pending

    def _times(self) -> int:
        return self.calls.config.gradients(len(self.calls.call.trace), self.calls.steps)

    def _moved(self, gradient: Tensor, output: Any, rows: slice | None) -> Tensor:
        """`sigma N(G)`, what the latents lose."""
        config, scheduler = self.calls.config, self.calls.scheduler
        sigma = coefficients(scheduler, self.calls.timestep)[1].to(gradient.device, gradient.dtype, non_blocking=True)
        weight = config.weight(len(self.calls.call.trace), self.calls.steps)
        conditional = first_tensor(output)[rows] if rows else first_tensor(output)
        reference = latents_part(conditional, gradient)
        noise = sigma * shift_of(latents_part(gradient, reference), config, weight=weight).noise
        behind = gradient.shape[channels_of(gradient)] - noise.shape[channels_of(noise)]
        if behind == 0:
            return noise
        still = gradient.narrow(channels_of(gradient), noise.shape[channels_of(noise)], behind)
        return torch.cat((noise, torch.zeros_like(still)), dim=channels_of(gradient))

    def _warn_of_masks(self, rows: int) -> None:
        pipe, scenes = self.calls.pipe, self.calls.scenes
        if self.calls.backbone.image_major_masks and rows > len(scenes) > 1 and not self.calls.call.trace:
            warnings.warn(
                f"{type(pipe).__name__} gives the rows of several prompts with several images each other's attention masks (a fault "
                "of diffusers, whether guided or not); call it with one prompt at a time, or with one image a prompt",
                stacklevel=2,
            )


def _count(call: Call, plan: StepPlan, batch: int, rows: Rows | None = None, times: int = 1) -> None:
    """Adds a pass over `batch` rows to the rows' own needs, and to what has been run where the engine does not."""
    if rows is None:
        call.passes.plain += batch
        call.needed.plain += batch
        return
    conditional = rows.conditional.stop - rows.conditional.start
    needs = Passes(plain=batch - conditional)
    for row in range(conditional):
        action = plan.of_row(row)
        setattr(needs, action, getattr(needs, action) + (times if action == "guided" else 1))
    if rows.together and needs.guided:  # the other rows run along with the gradient
        each = (batch - conditional) // conditional
        needs = Passes(guided=needs.guided * (1 + each), watched=needs.watched, plain=needs.plain - each * (needs.guided // times))
    call.needed.add(needs)
