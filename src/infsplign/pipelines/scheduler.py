"""The scheduler's side of a guided pipeline: wraps `step`, and adds the shift to the model's combined output."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infsplign.adapters.backbone import uncompiled
from infsplign.engine.host_copy import HostCopy
from infsplign.engine.shift import latents_part
from infsplign.errors import UnsupportedPipelineError
from infsplign.pipelines.call import Call, Calls
from infsplign.pipelines.noise_schedule import input_factor
from infsplign.pipelines.running import stepping_pipeline

CLOSE = 0.05
"""By what part of the largest latent the denoiser's input may differ from the latents: half types round, other noise differs by more."""


class Shifted(NamedTuple):
    """The latest step of a scheduler: its timestep and latents, and the model's output before the shift and after it."""

    timestep: Any
    latents: Tensor
    before: Tensor
    after: Tensor


class GuidedScheduler:
    """Stands in for a scheduler's `step`.

    Args:
        calls: the calls of the `with` block.
        scheduler: the owner of `step`.
        check: raises an error if the denoiser is no longer guided.
    """

    def __init__(self, calls: Calls, scheduler: Any, check: Callable[[], None]) -> None:
        self.calls, self.scheduler, self.check = calls, scheduler, check
        self.step: Callable[..., Any] = scheduler.step
        self.set_timesteps: Callable[..., Any] = scheduler.set_timesteps
        self.latest: Shifted | None = None

    def begin(self, *args: Any, **kwargs: Any) -> Any:
        """See the scheduler's own `set_timesteps`."""
        self.latest = None
        if (call := self.calls.current.get(id(self.scheduler))) is not None:
            call.ended = True
        return self.set_timesteps(*args, **kwargs)

    def __call__(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        """See the scheduler's own `step`.

        Raises:
            NonFiniteGradientError: the shifted output of an earlier step, or of the last one, is not finite.
            RuntimeError: the pipeline's denoiser was replaced inside the block, or its only pass was one with a gradient of the loop's own.
            UnsupportedPipelineError: the shape of the shift differs from that of the model's output.
        """
        self.check()
        call = self.calls.current.get(id(self.scheduler))
        if call is None or call.steps.plan is None:
            self._check_denoiser()
            self._check_own(timestep)
            return self.step(self._again(model_output, timestep, sample), timestep, sample, *args, **kwargs)
        found = call.steps.found
        if found is not None and found.gradient is not None and found.gradient.shape[0] != model_output.shape[0]:
            raise UnsupportedPipelineError(self._other_rows(found.gradient, model_output))
        self._check_latents(call, timestep, sample)
        raw = self.calls.config.wrt == "latents"
        factor = input_factor(self.scheduler, timestep, sample) if raw else None
        shifted = call.steps.shifted(model_output, latents=sample, input_factor=factor)
        self.latest = Shifted(timestep, sample, model_output, shifted)
        call.done += 1
        self.calls.taken += 1
        return self.step(shifted, timestep, sample, *args, **kwargs)

    def _check_latents(self, call: Call, timestep: Any, sample: Tensor) -> None:
        """Warns once if a guided pass was of other latents than those of its step, which get its shift."""
        if call.same is not None and not call.told and not call.same.read():
            call.told = True
            warnings.warn(
                "the first pass of the denoiser in a guided step was of other latents than the scheduler steps, such as those of a "
                "reference picture: guidance reads that pass. Run the pass of the sampled latents first",
                stacklevel=3,
            )
        seen, call.same, call.seen = call.seen, None, None
        if seen is None or call.steps.found is None or call.steps.found.gradient is None:
            return
        wanted = sample * input_factor(self.scheduler, timestep, sample)
        seen = latents_part(seen, wanted)
        if seen.shape == wanted.shape:
            call.same = HostCopy((seen - wanted).abs().amax() <= CLOSE * wanted.abs().amax())

    def _again(self, output: Tensor, timestep: Any, latents: Tensor) -> Tensor:
        """The output, shifted as before where the latest step is made once more: a loop may look at its `pred_original_sample` first.

        A step of other latents, as of another model in the same loop, is none of ours.
        """
        latest = self.latest
        if latest is None or latest.before.shape != output.shape or float(timestep) != float(latest.timestep):
            return output
        if latents is not latest.latents and not torch.equal(latents, latest.latents):
            return output
        return latest.after if output is latest.before else output + (latest.after - latest.before)

    def _check_denoiser(self) -> None:
        """Raises an error if the pipeline makes a step without a pass of the guided denoiser."""
        pipe, name = self.calls.pipe, self.calls.backbone.denoiser
        owner = stepping_pipeline(self.scheduler, name)
        if owner in (None, pipe) and uncompiled(getattr(pipe, name)) is not self.calls.denoiser:
            raise RuntimeError(f"`pipe.{name}` was replaced inside the `guide` block, so it is not guided; set it before the block")

    def _check_own(self, timestep: Any) -> None:
        """Raises an error if a step that would be guided follows only passes that take a gradient of the loop's own."""
        calls, call = self.calls, self.calls.current.get(id(self.scheduler))
        if not calls.own or calls.config.scale == 0:
            return
        calls.own = False
        if call is None or call.ended or calls.config.within(call.steps.timeline.at(timestep).progress):
            raise RuntimeError(
                f"the step at timestep {float(timestep):g} would not be guided: the latents of its pass have `requires_grad`, so that the "
                "gradient is one of your own. Call the denoiser once more under `torch.no_grad()`, and step with that output"
            )

    def _other_rows(self, gradient: Tensor, output: Tensor) -> str:
        return (
            f"the shift has shape {tuple(gradient.shape)}, the model's combined output {tuple(output.shape)}: the pipeline lays out rows "
            f"of its denoiser's batch in a way that family {self.calls.backbone.name!r} does not know, such as more than two conditions"
        )
