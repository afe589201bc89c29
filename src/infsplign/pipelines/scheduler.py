"""The scheduler's side of a guided pipeline: wraps `step`, and adds the shift to the model's combined output."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infsplign.core.update import gain
from infsplign.engine.host_copy import HostCopy
from infsplign.engine.shift import Shift, latents_part, shift_of
from infsplign.engine.step_plan import StepPlan, rows_mask
from infsplign.engine.trace import StepTrace, row_norm
from infsplign.errors import NonFiniteGradientError, UnsupportedPipelineError
from infsplign.pipelines.call import Call, Calls, Pending
from infsplign.pipelines.noise_schedule import parametrisation


class _Shifted(NamedTuple):
    """A shifted step of which it is not known yet whether it is finite, and what an error about it tells."""

    step: int
    timestep: Any
    finite: HostCopy
    output: Tensor
    gradient: Tensor
    latents: Tensor


class GuidedScheduler:
    """Stands in for a scheduler's `step`.

    Whether a shifted output is finite is looked up a step later, when the device has long computed it, or at the last step.

    Args:
        calls: of the pipeline.
        step: what it stands in for.
        keep_maps: keep the object maps in the trace.
    """

    def __init__(self, calls: Calls, step: Callable[..., Any], *, keep_maps: bool) -> None:
        self.calls, self.step, self.keep_maps = calls, step, keep_maps
        self._unchecked: _Shifted | None = None

    def __call__(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        """See the scheduler's own `step`.

        Raises:
            NonFiniteGradientError: an earlier step, or the last one, was shifted to something that is not finite.
            UnsupportedPipelineError: the shift has another shape than the model's output.
        """
        call = self.calls.current()
        self.check()
        plan, pending = call.plan or StepPlan("plain"), call.pending
        call.plan = call.pending = None
        number = len(call.trace)
        found = self._gradient(call, plan, pending)
        if found is None:
            call.trace.append(StepTrace(number, timestep, guided=False, watched=pending is not None, **self._seen(plan, pending)))
            return self.step(model_output, timestep, sample, *args, **kwargs)
        gradient, under = found
        weight = self.calls.config.weight(number, self.calls.steps)
        shift = self._shift(gradient, model_output, timestep, under, weight)
        shifted = model_output + shift.output.to(model_output.dtype)
        self._unchecked = _Shifted(number, timestep, HostCopy(torch.isfinite(shifted).all()), model_output, gradient, sample)
        if number + 1 >= self.calls.steps:
            self.check()
        call.trace.append(self._traced(StepTrace(number, timestep, guided=pending is not None, weight=weight), shift, plan, pending))
        return self.step(shifted, timestep, sample, *args, **kwargs)

    def check(self) -> None:
        """Raises `NonFiniteGradientError` where the latest shifted step was not finite."""
        shifted, self._unchecked = self._unchecked, None
        if shifted is not None and not shifted.finite.read():
            message = self._not_finite(shifted)
            raise NonFiniteGradientError(message, step=shifted.step, latents=shifted.latents)

    def _not_finite(self, shifted: _Shifted) -> str:
        if not bool(torch.isfinite(shifted.output).all()):
            what, remedy = "the model's own output", "Run the denoiser in float32 or bfloat16"
        elif not bool(torch.isfinite(shifted.gradient).all()):
            what, remedy = "the gradient of the loss", "Run the denoiser in float32 or bfloat16, or guide fewer steps"
        else:
            what, remedy = f"the output shifted by scale {self.calls.config.scale:g}", "Lower `scale`"
        return (
            f"{what} is not finite at step {shifted.step} (timestep {float(shifted.timestep):g}); the latents before it are in "
            f"`error.latents`. {remedy}"
        )

    def _shift(self, gradient: Tensor, output: Tensor, timestep: Any, plan: StepPlan, weight: float) -> Shift:
        config, factor = self.calls.config, 1.0
        if config.update != "direct":
            prediction, alpha, sigma = parametrisation(self.calls.scheduler, timestep)
            factor = gain(prediction, alpha=alpha, sigma=sigma, max_gain=config.max_gain)
        gradient = latents_part(gradient, output)
        if gradient.shape != output.shape:
            raise UnsupportedPipelineError(
                f"the shift has shape {tuple(gradient.shape)}, the model's combined output {tuple(output.shape)}: the denoiser of "
                f"{type(self.calls.pipe).__name__} lays out rows or channels in a way that family {self.calls.backbone.name!r} does not "
                "know"
            )
        shift = shift_of(gradient, config, weight=weight, gain=factor)
        if plan.shifted is None:
            return shift
        mask = rows_mask(plan.shifted, gradient).reshape((-1,) + (1,) * (gradient.ndim - 1))
        return shift._replace(output=torch.where(mask, shift.output, 0.0))

    def _gradient(self, call: Call, plan: StepPlan, pending: Pending | None) -> tuple[Tensor, StepPlan] | None:
        """What the step is shifted by, and the plan that it was computed under: its own, or the last one where that is used again."""
        if not self.calls.config.reuses(len(call.trace), self.calls.steps):
            call.last = None if pending is None or pending.gradient is None else (pending.gradient, plan)
        return call.last

    # --- the trace -----------------------------------------------------------------------------------------------------

    def _traced(self, step: StepTrace, shift: Shift, plan: StepPlan, pending: Pending | None) -> StepTrace:
        own = {} if pending is None or pending.gradient is None else {"gradient_norm": row_norm(pending.gradient)}
        shifted = {"shift": row_norm(shift.output, mean=True), "bounded": shift.bounded, "reused": not own}
        return replace(step, **own, **shifted, **self._seen(plan, pending))

    def _seen(self, plan: StepPlan, pending: Pending | None) -> dict[str, Any]:
        if pending is None:
            return {}
        report = pending.report
        return {
            "loss": report.total,
            "terms": report.terms,
            "centroid": report.centroid,
            "variance": report.variance,
            "repeated": pending.repeated,
            "holds": pending.holds,
            "actions": plan.rows,
            "maps": report.maps if self.keep_maps else (),
        }
