"""`Steps`: the state of one sampling, for any sampler. `infsplign.guide` uses it inside diffusers pipelines."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from infsplign.core.update import gain
from infsplign.engine.checks import Shifted, check, check_tensor
from infsplign.engine.found import Found
from infsplign.engine.guidance import Guidance
from infsplign.engine.host_copy import HostCopy
from infsplign.engine.passes import Passes
from infsplign.engine.rows import Rows
from infsplign.engine.shift import Shift, latents_part, shift_of
from infsplign.engine.step_arguments import factor_of, takes_timestep_by_name, timeline_for
from infsplign.engine.step_order import check_order
from infsplign.engine.step_pass import StepPass, needs
from infsplign.engine.step_plan import StepPlan, StepPlanner, rows_mask
from infsplign.engine.timeline import Place
from infsplign.engine.trace import StepTrace, row_norm

log = logging.getLogger(__name__)


class Steps:
    """Guides one sampling, step by step: it applies window, pauses, bound, decay, repeats and parametrisation from the options.

        steps = infsplign.Steps(guidance, timesteps)
        for t in timesteps:
            output = steps(latents, t, encoder_hidden_states=embeddings)     # conditional rows
            noise_pred = steps.shifted(uncond + s * (output.sample - uncond))

    Each step is one call and one `shifted`. A second-order sampler makes several such pairs in one of its steps; each pair is a step here.

    Args:
        guidance: the denoiser, its attention, the scene and the options.
        timesteps: of the sampling, in order, as passed to the denoiser; or a `Timeline`.
        sigmas: noise level of each: the ratio of noise to signal, or for "flow" the sigma in [0, 1]. Needed if the model does not
            predict the noise, and for `repeats`. From the training schedule it is
            `((1 - alphas_cumprod[t]) / alphas_cumprod[t]) ** 0.5`.
        prediction: what the model predicts: "epsilon", "v_prediction", "sample" or "flow".
        keep_maps: keep the object maps of each step in the trace.

    Attributes:
        plan: of the current step; None between steps.
        trace: what each step did.
        passes: number of rows that the denoiser has run, by kind.
        needed: the same, if each row had been sampled alone, without other rows that still need guidance.

    Raises:
        ValueError: no timestep, an unknown `prediction`, not one sigma a timestep, sigmas out of range or rising, or none where they are
            needed; `sigmas` or `prediction` beside a `Timeline`.
    """

    def __init__(
        self, guidance: Guidance, timesteps: Any, *, sigmas: Any = None, prediction: str = "epsilon", keep_maps: bool = False
    ) -> None:
        self.guidance, self.config, self.keep_maps = guidance, guidance.config, keep_maps
        self.timeline = timeline_for(timesteps, sigmas, prediction, self.config)
        self.planner = StepPlanner(self.config)
        self.plan: StepPlan | None = None
        self.trace: list[StepTrace] = []
        self.passes = guidance.begin()
        self.needed = Passes()
        self.found: Found | None = None
        self._place = Place(0.0, 0.0)
        self._last: tuple[Tensor, StepPlan] | None = None
        self._unchecked: Shifted | None = None
        self._guided, self._told = 0, False
        self._told_of_size = self.config.max_shift is not None or self.config.normalise  # bounded, or told by the options
        self._by_name = takes_timestep_by_name(guidance.denoiser)

    def __call__(self, sample: Tensor, timestep: Any, *args: Any, **kwargs: Any) -> Any:
        """Runs the denoiser over conditional rows, by the step's plan, and returns the denoiser's own output.

        Args:
            sample: (rows, ...), the denoiser's input.
            timestep: of the step, as passed to the denoiser: as its second argument, or by name where it takes `timestep` further behind,
                as most transformers of diffusers do.
            *args, **kwargs: further arguments of the denoiser.

        Raises:
            RuntimeError: `shifted` has not ended the previous step; or the sampling has ended, and pauses or gradients of it would act on
                the next one.
            ValueError: the first pass is not at one of `timesteps`, or they are in the order opposite to that of the sampling.
            NonFiniteGradientError, ValueError: see `check`.
            TypeError: `sample` is no tensor of real numbers, or `timestep` no number.
        """
        check_tensor(sample, "sample")
        place = self.timeline.at(timestep)
        ended = self.plan is None
        check_order(self.timeline, self.config, place, self._place, steps=len(self.trace), ended=ended)
        if self._by_name:
            return self.run(sample, args, kwargs | {"timestep": timestep}, place=place)
        return self.run(sample, (timestep, *args), kwargs, place=place)

    def run(self, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any], *, place: Place, rows: Rows | None = None) -> Any:
        """Like a call, for a batch in which only `rows` are conditional, at a place of `timeline`.

        The plan applies to the first pass of a step. Further passes before `shifted` run unchanged.
        """
        first, rows = self.plan is None, rows or Rows(slice(0, len(sample)))
        self.guidance.passes = self.passes  # another `Steps` of the same guidance may have run in between
        if first:
            self.check()
            self._place, self.plan = place, self.planner.plan(place.progress, rows.size)
            if self.plan.reuses and self._last is not None and len(self._last[0]) != rows.size:
                self.plan = StepPlan("guided")  # other rows than before: there is no gradient of theirs
            log.debug("timestep %g: %s", place.timestep, self.plan.action if self.plan.rows is None else ", ".join(self.plan.rows))
        plan = self.plan if first and self.plan is not None else StepPlan("plain")
        times = self.config.gradients(place.progress)
        self.needed.add(needs(plan, len(sample), rows, times))
        if plan.action == "plain":
            self.passes.plain += len(sample)
            return self.guidance.denoiser(sample, *args, **kwargs)
        if sample.requires_grad and torch.is_grad_enabled() and not self._told:
            self._told = True
            warnings.warn(
                "`sample` requires a gradient, and the output of a guided step has none for its conditional rows; sample under "
                "`torch.no_grad()`, or do not train through guided steps", stacklevel=3,
            )  # fmt: skip
        step = StepPass(self.guidance, rows, sample, args, kwargs)
        if plan.action == "watched":
            output, report = step.watched()
            self.found = Found(report, holds=self.guidance.held)
        else:
            output, found, repeated, held = step.guided(times=times, move=self._moved)
            self.found = Found(found.report, found.gradient, repeated, held)
        self.planner.observe(self.found.holds)
        return output

    def shifted(self, output: Tensor, *, latents: Tensor | None = None, input_factor: Any = None) -> Tensor:
        """Ends a step: adds the shift to the model's combined output, after classifier-free guidance.

        Args:
            output: (B, ...), the output that the sampler continues with.
            latents: of the step; stored in errors.
            input_factor: factor from the latents to the denoiser's input, such as `1 / sqrt(sigma^2 + 1)`, one or (B,); with
                `wrt="latents"` the gradient is multiplied by it too. 1 when None.

        Returns:
            (B, ...) of the same type; `output` itself if the step is not shifted.

        Raises:
            RuntimeError: the step had no pass.
            ValueError: rows or shape differ from the gradient's.
            TypeError: `output` is no tensor, as where the denoiser's whole output was passed on.
            NonFiniteGradientError: at the last step, see `check`.
        """
        check_tensor(output, "output")
        if self.plan is None:
            raise RuntimeError("`shifted` must follow a pass of the denoiser: call `steps(latents, timestep, ...)` first")
        plan, found, place = self.plan, self.found, self._place
        number = len(self.trace)
        if not plan.reuses:
            self._last = None if found is None or found.gradient is None else (found.gradient, plan)
        step = StepTrace(number, place.timestep, guided=False)
        if found is not None:
            objects = tuple(map(len, self._objects(len(found.report.total))))
            step = replace(step, watched=True, actions=plan.rows, objects=objects, **found.traced(self.config, keep_maps=self.keep_maps))
        if self._last is None:
            self._end(step)
            return output
        gradient, under = self._last
        if self.config.wrt == "latents" and input_factor is not None:
            gradient = gradient * factor_of(input_factor, gradient)
        weight = self.config.weight(place.progress)
        shift = self._shift(gradient, output, under, weight)
        shifted = output + shift.output.to(output.dtype)
        self._guided += found is not None
        zero = looked_at = None
        if found is not None and self._guided == 1:
            zero = HostCopy(self.guidance.zero)
            looked_at = HostCopy(torch.stack([maps.sum((-2, -1)) > 0 for maps in found.report.maps]).any(0))
        finite = HostCopy(torch.isfinite(shifted).all())
        size = None if self._told_of_size else HostCopy(row_norm(shift.noise, mean=True).max())
        self._unchecked = Shifted(
            number, place.timestep, finite, zero, output, gradient, latents, found and found.report, self.config.scale, place.alpha,
            looked_at, self._objects(len(gradient)), size,
        )  # fmt: skip
        if place.last:
            self.check()
        norm = None if found is None or found.gradient is None else row_norm(found.gradient)
        self._end(step.with_shift(shift, reused=found is None, weight=weight, gradient_norm=norm))
        return shifted

    def check(self) -> None:
        """Checks the latest shifted step once. Each step calls it for the previous step, and the last step also for itself.

        Raises:
            NonFiniteGradientError: something in it was not finite.
            ValueError: the first gradient was exactly zero in every row: no term depends on the input.
        """
        step, self._unchecked = self._unchecked, None
        if step is not None and check(step):
            self._told_of_size = True

    def _objects(self, rows: int) -> tuple[tuple[str, ...], ...]:
        """Names of the objects of each row."""
        scenes = self.guidance.scenes
        return tuple(scene.objects for scene in scenes for _ in range(rows // len(scenes)))

    def _end(self, step: StepTrace) -> None:
        self.trace.append(step)
        self.plan = self.found = None

    def _shift(self, gradient: Tensor, output: Tensor, plan: StepPlan, weight: float) -> Shift:
        gradient = latents_part(gradient, output)
        if gradient.shape != output.shape:
            raise ValueError(
                f"`output` must have the shape of the gradient of the conditional rows, {tuple(gradient.shape)}, got {tuple(output.shape)}"
            )
        shift = shift_of(gradient, self.config, weight=weight, gain=self._gain())
        if plan.shifted is None:
            return shift
        mask = rows_mask(plan.shifted, gradient).reshape((-1,) + (1,) * (gradient.ndim - 1))
        return shift._replace(output=torch.where(mask, shift.output, 0.0), bounded=torch.where(mask.flatten(), shift.bounded, 1.0))

    def _gain(self) -> Any:
        """Returns the factor that converts a shift of the noise to one of the model's output."""
        if self.config.update == "direct":
            return 1.0
        return gain(self.timeline.prediction, alpha=self._place.alpha, sigma=self._place.sigma, max_gain=self.config.max_gain)

    def _moved(self, gradient: Tensor) -> Tensor:
        """Returns `sigma N(G)`, which is subtracted from the latents before the next of several gradients."""
        assert self._place.sigma is not None  # `__init__` asks for it
        return self._place.sigma * shift_of(gradient, self.config, weight=self.config.weight(self._place.progress)).noise
