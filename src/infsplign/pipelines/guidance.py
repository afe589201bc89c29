"""The context manager that `guide` returns: it attaches guidance to a stock pipeline and detaches it again.

It wraps two methods while it is open: the denoiser's `forward` (`denoiser.py`), which runs the conditional rows with a gradient, and the
scheduler's `step` (`scheduler.py`), which adds the shift to the model's combined output. Hooks on the text encoders check that the
pipeline gets the prompt that `guide` was given.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from infsplign.adapters import Backbone
from infsplign.adapters.backbone import uncompiled
from infsplign.adapters.text import ExpectedPrompt, Positions
from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.passes import Passes
from infsplign.engine.patching import marked, replaced_attribute
from infsplign.engine.trace import StepTrace
from infsplign.pipelines.call import Calls
from infsplign.pipelines.denoiser import GuidedDenoiser
from infsplign.pipelines.denoiser_check import check_denoiser
from infsplign.pipelines.noise_schedule import check_scheduler
from infsplign.pipelines.scheduler import GuidedScheduler


class PipelineGuidance:
    """The guidance of one pipeline: a context manager. Build it with `guide`.

    Attributes:
        scenes: objects and relations, one scene a prompt.
        config: the options in force.
    """

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
        self.pipe, self.backbone = pipe, backbone
        self.denoiser = uncompiled(getattr(pipe, backbone.denoiser))
        self.scenes = list(scenes)
        self.config = config or backbone.config(self.denoiser)
        self.source = backbone.source(self.denoiser, self.config.layers)
        self.keep_maps = keep_maps
        self._calls = Calls(pipe, backbone, scenes, tokens, self.config)
        self._guided_denoiser = GuidedDenoiser(self._calls, self.denoiser, self.source)
        self._attached: ExitStack | None = None

    @property
    def trace(self) -> list[StepTrace]:
        """One `StepTrace` a step of the latest call of the pipeline."""
        steps = self._calls.call.trace
        steps[:] = [step.read() for step in steps]
        return steps

    @property
    def token_indices(self) -> list[Positions]:
        """For each prompt and object, positions on the text axis.

        Those of the latest call where they are found from the prompt, and empty before it: they depend on how the pipeline is called.
        """
        return self._calls.token_indices

    @property
    def passes(self) -> Passes:
        """Rows that the denoiser ran over in the latest call, by kind."""
        return self._calls.call.passes

    @property
    def needed(self) -> Passes:
        """As `passes`, had each image been sampled alone: a row that is paused costs no gradient because its neighbours need one."""
        return self._calls.call.needed

    def __enter__(self) -> "PipelineGuidance":
        if self._attached is not None or getattr(self.denoiser.__dict__.get("forward"), "infsplign", False):
            raise RuntimeError("the pipeline is guided already: leave the other `guide` block first")
        scheduler = self.pipe.scheduler
        check_scheduler(scheduler)
        check_denoiser(self.denoiser)
        self._calls.reset()
        with ExitStack() as stack:
            self._uncompile(stack)
            self._denoiser_attached = stack.enter_context(ExitStack())
            self._attach_denoiser()
            self._guided_scheduler = GuidedScheduler(self._calls, scheduler.step, keep_maps=self.keep_maps)
            stack.enter_context(replaced_attribute(scheduler, "step", marked(scheduler.step, self._step)))
            if hasattr(self.pipe, "maybe_free_model_hooks"):
                self._free_hooks = self.pipe.maybe_free_model_hooks
                stack.enter_context(replaced_attribute(self.pipe, "maybe_free_model_hooks", self._freed_hooks))
            if self._calls.check is not None:
                stack.callback(self._calls.check.attach())
            self._attached = stack.pop_all()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._attached is None:
            return
        attached, self._attached = self._attached, None
        attached.close()
        if kind is None:
            self._guided_scheduler.check()  # of a call that ended before its last step

    def _attach_denoiser(self) -> None:
        self._guided_denoiser.forward = self.denoiser.forward
        self._wrapper = marked(self.denoiser.forward, self._guided_denoiser)
        self._denoiser_attached.enter_context(replaced_attribute(self.denoiser, "forward", self._wrapper))

    def _uncompile(self, stack: ExitStack) -> None:
        """Compiled graphs do not call the functions that are watched: in the block, the denoiser runs as it is written."""
        if getattr(self.pipe, self.backbone.denoiser) is not self.denoiser:
            stack.enter_context(replaced_attribute(self.pipe, self.backbone.denoiser, self.denoiser))
        for module in self.denoiser.modules():
            if module._compiled_call_impl is not None:
                stack.enter_context(replaced_attribute(module, "_compiled_call_impl", None))

    def _freed_hooks(self) -> None:
        """`enable_model_cpu_offload` takes every `forward` off and sets it anew after each call: ours must be off meanwhile."""
        self._denoiser_attached.close()
        try:
            self._free_hooks()
        finally:
            self._attach_denoiser()

    def _step(self, *args: Any, **kwargs: Any) -> Any:
        if vars(self.denoiser).get("forward") is not self._wrapper:
            raise RuntimeError(
                f"`forward` of {type(self.denoiser).__name__} was replaced inside the `guide` block, by offloading or another wrapper: "
                "the calls were not guided. Enable it before the block"
            )
        return self._guided_scheduler(*args, **kwargs)
