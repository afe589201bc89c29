"""The context manager that `guide` returns: it attaches guidance to a stock pipeline and detaches it again.

It wraps two methods while it is open: the denoiser's `forward` (`denoiser.py`), which runs the conditional rows with a gradient, and the
scheduler's `step` (`scheduler.py`), which adds the shift to the model's combined output. Hooks on the text encoders check that the
pipeline gets the same prompt as `guide`.
"""

import logging
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from infsplign.adapters import Backbone
from infsplign.adapters.backbone import uncompiled
from infsplign.adapters.text import ExpectedPrompt, Positions
from infsplign.core.scenes import Scene
from infsplign.cost.choice import PlanChoice
from infsplign.engine.config import GuidanceConfig, check_config
from infsplign.engine.interrupts import uninterrupted
from infsplign.engine.passes import Passes
from infsplign.engine.patching import marked, replaced_attribute
from infsplign.engine.trace import StepTrace
from infsplign.pipelines.call import Calls
from infsplign.pipelines.denoiser import GuidedDenoiser
from infsplign.pipelines.denoiser_check import check_denoiser
from infsplign.pipelines.noise_schedule import check_scheduler
from infsplign.pipelines.scheduler import GuidedScheduler

log = logging.getLogger(__name__)
UNUSED = "the result of `guide` was never entered, so no image was guided by it: write `with infsplign.guide(pipe, prompt): ...`"


class PipelineGuidance:
    """The guidance of one pipeline: a context manager. Build it with `guide`.

    Attributes:
        scenes: objects and relations, one scene for each prompt.
        calls_type: class of the state of its calls.
    """

    calls_type: type[Calls] = Calls

    def __init__(
        self,
        pipe: Any,
        backbone: Backbone,
        scenes: Sequence[Scene],
        tokens: Sequence[ExpectedPrompt] | Sequence[Positions],
        *,
        config: GuidanceConfig | None = None,
        keep_maps: bool = False,
    ) -> None:
        check_config(config)
        self.pipe, self.backbone = pipe, backbone
        self.denoiser = uncompiled(getattr(pipe, backbone.denoiser))
        self.scenes = list(scenes)
        self._config = config or backbone.config(self.denoiser)
        self.source = backbone.source(self.denoiser, self.config.layers)
        self._calls = self.calls_type(pipe, backbone, self.denoiser, self.source, scenes, tokens, self.config, keep_maps=keep_maps)
        self._guided_denoiser = GuidedDenoiser(self._calls, self._watch)
        self._attached: ExitStack | None = None
        self._watched: list[Any] = []
        self._unused = weakref.finalize(self, warnings.warn, UNUSED)  # when it is collected, or at the end of the program

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self.pipe).__name__}: {' | '.join(map(str, self.scenes))}>"

    @property
    def config(self) -> GuidanceConfig:
        """The options. For others call `guide` again: the loss, the layers and the plan belong to them."""
        return self._config

    @property
    def trace(self) -> list[StepTrace]:
        """One `StepTrace` for each step of the latest call of the pipeline."""
        return [] if self._calls.call is None else self._calls.call.steps.trace

    @property
    def token_indices(self) -> list[Positions]:
        """For each prompt and object, positions on the text axis.

        If they are found from the prompt, they are those of the latest call, and empty before it: they depend on the call's arguments.
        """
        return self._calls.token_indices

    @property
    def plan(self) -> PlanChoice | None:
        """The plan of the latest call and the reason, if `config.plan` is "auto"; else, and before the first call, None."""
        return self._calls.choice

    @property
    def passes(self) -> Passes:
        """Number of rows that the denoiser ran in the latest call, by kind."""
        return Passes() if self._calls.call is None else self._calls.call.steps.passes

    @property
    def needed(self) -> Passes:
        """Like `passes`, if each image had been sampled alone: a paused row then costs no gradient because other rows need one."""
        return Passes() if self._calls.call is None else self._calls.call.steps.needed

    def dismiss(self) -> None:
        """Leaves the guidance unused on purpose, so that no warning says that it was never entered."""
        self._unused.detach()

    def __enter__(self) -> "PipelineGuidance":
        self.dismiss()
        if self._attached is not None or getattr(self.denoiser.__dict__.get("forward"), "infsplign", False):
            raise RuntimeError("the pipeline is guided already: leave the other `guide` block first")
        name = self.backbone.denoiser
        if uncompiled(getattr(self.pipe, name)) is not self.denoiser:
            raise RuntimeError(f"`pipe.{name}` was replaced after `guide` was called: call `guide` again, for the one that is there now")
        check_scheduler(self.pipe.scheduler)
        check_denoiser(self.denoiser)
        self._calls.reset()
        log.info("layers: %s", dict(self.config.layers or self.backbone.layers(self.denoiser)))
        self._attached, self._watched = ExitStack(), []
        try:
            with uninterrupted():
                self._uncompile(self._attached)
                self._denoiser_attached = self._attached.enter_context(ExitStack())
                self._attach_denoiser()
                self._watch(self.pipe)
                if self._calls.check is not None:
                    self._attached.callback(self._calls.check.attach())
        except BaseException:
            self._detach()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._attached is None:
            return
        try:
            self._detach()
        except BaseException:  # an interrupt came before it was put off
            self._detach()
            raise
        try:
            if kind is None:
                self._finish()
        finally:
            self._calls.current.clear()

    def _detach(self) -> None:
        with uninterrupted():
            attached, self._attached = self._attached, None
            if attached is not None:
                attached.close()

    def _finish(self) -> None:
        """Checks the block at its end, for a call that ended before its last step and for guidance that did not take place."""
        calls, config = self._calls, self.config
        for call in calls.current.values():
            call.steps.check()
        if config.scale == 0 or config.start == config.stop or calls.failed:
            return
        kind = type(self.denoiser).__name__
        if not calls.passes:
            warnings.warn(
                f"nothing was guided in the `guide` block: {kind} of `pipe` was not run. Was another pipeline called, or one with no steps "
                "to take, such as image-to-image of a small `strength`?", stacklevel=3,
            )  # fmt: skip
            return
        if not calls.taken:
            raise RuntimeError(
                f"nothing was guided in the `guide` block: {kind} ran {calls.passes} times, but `step` of "
                f"{type(self.pipe.scheduler).__name__} was never called after it, where the shift is "
                "added. Call `pipe.scheduler.step` in your loop, or use `infsplign.Steps`"
            )
        for call in calls.current.values():
            calls.warn_of_waiting(call)
        if calls.call is not None and calls.call.steps.trace and not any(step.guided or step.watched for step in calls.call.steps.trace):
            warnings.warn(
                f"nothing was guided in the latest call: none of its {len(calls.call.steps.trace)} steps lies between `start` "
                f"{config.start:g} and `stop` {config.stop:g}", stacklevel=3,
            )  # fmt: skip

    def _watch(self, pipe: Any) -> None:
        """Wraps the scheduler of a pipeline that calls the denoiser, unless it is wrapped, and the method that removes its hooks."""
        if self._attached is None:
            return
        scheduler = pipe.scheduler
        if not any(scheduler is watched for watched in self._watched):
            check_scheduler(scheduler)
            guided = GuidedScheduler(self._calls, scheduler, self._check_forward)
            with uninterrupted():
                self._attached.enter_context(replaced_attribute(scheduler, "step", marked(scheduler.step, guided)))
                self._attached.enter_context(replaced_attribute(scheduler, "set_timesteps", marked(scheduler.set_timesteps, guided.begin)))
                self._watched.append(scheduler)
        if hasattr(pipe, "maybe_free_model_hooks") and not any(pipe is watched for watched in self._watched):
            freed = partial(self._freed_hooks, pipe.maybe_free_model_hooks)
            with uninterrupted():
                self._attached.enter_context(replaced_attribute(pipe, "maybe_free_model_hooks", freed))
                self._watched.append(pipe)

    def _attach_denoiser(self) -> None:
        self._guided_denoiser.forward = self.denoiser.forward
        self._wrapper = marked(self.denoiser.forward, self._guided_denoiser)
        self._denoiser_attached.enter_context(replaced_attribute(self.denoiser, "forward", self._wrapper))

    def _uncompile(self, stack: ExitStack) -> None:
        """Runs the denoiser uncompiled inside the block, because compiled graphs do not call the wrapped functions."""
        if getattr(self.pipe, self.backbone.denoiser) is not self.denoiser:
            stack.enter_context(replaced_attribute(self.pipe, self.backbone.denoiser, self.denoiser))
        for module in self.denoiser.modules():
            if module._compiled_call_impl is not None:
                stack.enter_context(replaced_attribute(module, "_compiled_call_impl", None))

    def _freed_hooks(self, free: Callable[[], None]) -> None:
        """Takes our wrapper off while `enable_model_cpu_offload` removes and resets every `forward`, after each call."""
        with uninterrupted():
            self._denoiser_attached.close()
        try:
            free()
        finally:
            with uninterrupted():
                self._attach_denoiser()

    def _check_forward(self) -> None:
        if vars(self.denoiser).get("forward") is not self._wrapper:
            raise RuntimeError(
                f"`forward` of {type(self.denoiser).__name__} was replaced inside the `guide` block, by offloading or another wrapper: "
                "the calls were not guided. Enable it before the block"
            )
