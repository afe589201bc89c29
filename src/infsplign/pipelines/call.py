"""The state of the current pipeline call, which the denoiser's and the scheduler's side share.

Timesteps, rows and prompts of a call are read from the arguments of the denoiser, the text encoders and the scheduler. So any of the
pipelines that share these may be called.
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from infsplign.adapters import Backbone
from infsplign.adapters.rows import Batch, rows_of_call, text_of
from infsplign.adapters.text import ExpectedPrompt, Positions
from infsplign.core.attention import AttentionSource
from infsplign.core.scenes import Scene
from infsplign.cost.choice import Pass, PlanChoice, choose_plan, free_memory
from infsplign.engine.config import AUTO, GuidanceConfig
from infsplign.engine.guidance import Guidance
from infsplign.engine.host_copy import HostCopy
from infsplign.engine.rows import Rows
from infsplign.engine.steps import Steps
from infsplign.engine.timeline import Place, Timeline
from infsplign.errors import UnsupportedPipelineError
from infsplign.pipelines.denoiser_check import check_caches
from infsplign.pipelines.noise_schedule import first_step, same_timesteps, timeline_of
from infsplign.pipelines.prompt_check import PromptCheck

log = logging.getLogger(__name__)
_MOST = 2
"""Timesteps at which the passes of one step may be: a reference picture may have its own."""


@dataclass
class Call:
    """One call of a pipeline.

    Attributes:
        scheduler: the scheduler that receives the denoiser's outputs.
        timesteps: the scheduler's, at the start of the call.
        steps: the state of the sampling.
        done: number of steps that the scheduler has taken.
        rows: for each batch size of the denoiser, which rows are conditional.
        text: the embeddings of the latest step's first pass.
        read: their conditional rows, in which the positions of the objects are known.
        seen: the latents of the conditional rows in the step's first pass.
        same: whether the latents of the latest guided pass were those of its step; read one step later.
        told: whether it has been told that they were not.
        ended: whether the scheduler has got new timesteps since.
        passed: the different timesteps of the passes in the step that is under way.
    """

    scheduler: Any
    timesteps: Any
    steps: Steps
    done: int = 0
    rows: dict[int, Rows] = field(default_factory=dict)
    text: Tensor | None = None
    read: Tensor | None = None
    seen: Tensor | None = None
    same: HostCopy | None = None
    told: bool = False
    ended: bool = False
    passed: set[float] = field(default_factory=set)

    @property
    def place(self) -> Place:
        """The place of the current step."""
        timeline = self.steps.timeline
        return timeline.of(min(self.done, len(timeline) - 1))

    @property
    def waits(self) -> bool:
        """Whether a guided pass waits for the step at which its shift is added."""
        found = self.steps.found
        return self.steps.plan is not None and found is not None and found.gradient is not None


class Calls:
    """Detects the start of a call, and reads its arguments.

    Attributes:
        call: the latest call; None before the first one.
        current: the latest call of each scheduler, by its `id`: a callback may run another pipeline, with a scheduler of its own, between
            two steps.
        token_indices: the call's positions of each prompt's objects on the text axis.
        choice: the plan of the latest call and the reason, with `plan="auto"`; None before the first call.
        passes: number of calls of the denoiser in the block.
        taken: number of scheduler steps that followed.
        failed: whether an exception has left the denoiser.
        own: whether the latest pass took a gradient of the pipeline's own, so that it was not guided.
    """

    def __init__(
        self,
        pipe: Any,
        backbone: Backbone,
        denoiser: nn.Module,
        source: AttentionSource,
        scenes: Sequence[Scene],
        tokens: Sequence[ExpectedPrompt] | Sequence[Positions],
        config: GuidanceConfig,
        *,
        keep_maps: bool = False,
    ) -> None:
        self.pipe, self.backbone, self.denoiser, self.source = pipe, backbone, denoiser, source
        self.scenes, self.config, self.keep_maps = list(scenes), config, keep_maps
        self.token_indices: list[Positions] = []
        self.check: PromptCheck | None = None
        if isinstance(tokens[0], ExpectedPrompt):
            self.check = PromptCheck(pipe, tokens, whole=backbone.dropped is None)  # type: ignore[arg-type]
        else:
            self.token_indices = list(tokens)  # type: ignore[arg-type]
        self.call: Call | None = None
        self.choice: PlanChoice | None = None
        self.reset()

    def reset(self) -> None:
        """Resets the state. The trace is kept until the next call begins."""
        self.current: dict[int, Call] = {}
        self.failed, self.own = False, False
        self.passes = self.taken = 0
        if self.check is not None:
            self.check.reset()

    def of_pass(self, forward: Callable[..., Any], scheduler: Any, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        """Returns the call to which a pass of the denoiser belongs; the first pass of a call creates it.

        Args:
            forward: the denoiser's own `forward`.
            scheduler: of the pipeline that calls it.
            sample, args, kwargs: arguments of the pass.

        Raises:
            PromptError: the call has another prompt.
            RuntimeError: no step of its scheduler followed the previous pass.
            UnsupportedPipelineError: the pipeline samples several views of one image, each with its own steps.
        """
        self.passes, self.own = self.passes + 1, False
        timestep = kwargs.get("timestep", args[0] if args else None)
        self.call = self.current.get(id(scheduler))
        if self.call is None or self._begins(self.call, timestep):
            self.call = self._new(forward, scheduler, timestep, sample, args, kwargs)
            self.current[id(scheduler)] = self.call
        if self.call.steps.plan is None:
            self.call.passed = set()
            if self.config.scale != 0:
                self._check_text(self.call, sample, kwargs)
        if timestep is not None and (value := self.call.steps.timeline.value(timestep)) is not None:
            self.call.passed.add(value)
        return self.call

    def warn_of_waiting(self, call: Call | None) -> None:
        """Warns of a call that ended before the step that its guided pass waits for."""
        if call is not None and call.waits and not self.failed:
            warnings.warn(
                f"a guided pass at timestep {call.place.timestep:g} was not followed by `step` of the pipeline's "
                f"{type(call.scheduler).__name__}, where the shift is added: its step was not guided. In a loop of your own step with "
                "`pipe.scheduler`, or use `infsplign.Steps`", stacklevel=2,
            )  # fmt: skip

    def _check_text(self, call: Call, sample: Tensor, kwargs: Mapping[str, Any]) -> None:
        """Warns if the embeddings change during a call, as callbacks can do: the objects may then be elsewhere in the text.

        Pipelines pass the same tensor at every step, so that values are compared only after a change."""
        text = text_of(kwargs, len(sample))
        if text is None or text is call.text:
            return
        before, call.text, call.read = call.read, text, text[self.rows_of(sample, kwargs).conditional]
        if before is not None and not (before.shape == call.read.shape and torch.equal(before, call.read)):
            warnings.warn(
                f"the embeddings of the prompt changed before step {call.done} of a call, for instance in a callback; guidance still reads "
                f"the positions {self.token_indices} of the call's first prompt",
                stacklevel=2,
            )

    def rows_of(self, sample: Tensor, kwargs: Mapping[str, Any]) -> Rows:
        """Returns the conditional rows of a pass of the latest call, from the first pass with the same number of rows."""
        known = {} if self.call is None else self.call.rows
        if len(sample) not in known:
            prompts = self.scenes if self.check is None else [expected.prompt for expected in self.check.prompts]
            negative = None if self.check is None else self.check.negative
            text, distinct = text_of(kwargs, len(sample)), len(set(prompts)) == len(prompts)
            batch = Batch(sample, text, prompts=len(prompts), distinct=distinct, negative=negative)
            found = rows_of_call(self.denoiser, self.backbone.conditional, batch)
            known[len(sample)] = found._replace(together=found.together or self.chosen_config().plan == "batched")
        return known[len(sample)]

    def _begins(self, call: Call, timestep: Any) -> bool:
        if call.ended or not same_timesteps(call.scheduler.timesteps, call.timesteps):
            return True
        timeline = call.steps.timeline
        known, value = timeline.timesteps, None if timestep is None else timeline.value(timestep)
        if call.steps.plan is not None:  # a further pass of the step that is under way
            elsewhere = (value in known and value != call.place.timestep) or len(call.passed) > _MOST
            if value is not None and elsewhere and value not in call.passed and call.steps.found is not None:
                raise RuntimeError(_not_stepped(call, value))
            return False
        if value not in known:  # the pipeline passes other units than the scheduler's
            return call.done >= len(known)
        if call.done < len(known) and value == known[call.done]:  # the next step, also where a list does not fall throughout
            return False
        before = known[call.done - 1] if call.done else None
        if value == before and (call.done >= len(known) or known[call.done] != value):
            raise UnsupportedPipelineError(
                f"timestep {value:g} was stepped twice: the pipeline samples several views of one picture, each with its own steps. Where "
                "an object lies in a view does not tell where it lies in the picture, so this is not guided; sample a picture of one view"
            )
        index = known.index(value)
        if before is not None and value > before:
            if index == 0 or call.done >= len(known):
                return True
            call.done = index  # back to a noisier step of the same sampling, as loops with time travel go
        call.done = max(call.done, index)  # a loop may leave out timesteps
        return False

    def chosen_config(self) -> GuidanceConfig:
        """The options, with the chosen plan of the latest call for `plan="auto"`."""
        return self.config if self.choice is None else self.config.with_(plan=self.choice.plan)

    def steps_of(self, forward: Callable[..., Any], indices: Sequence[Any], timeline: Timeline) -> Steps:
        """Makes the state of a call's sampling.

        Args:
            forward: the denoiser's own `forward`.
            indices: for each prompt and object, positions on the text axis.
            timeline: the call's steps.
        """
        return Steps(Guidance(forward, self.source, self.scenes, indices, self.chosen_config()), timeline, keep_maps=self.keep_maps)

    def _new(
        self, forward: Callable[..., Any], scheduler: Any, timestep: Any, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Call:
        """Reads rows, prompts and steps of a call from its first pass, and chooses its plan."""
        self.warn_of_waiting(self.current.get(id(scheduler)))
        self.call = self.choice = None
        _check_one_timestep(timestep)
        check_caches(self.denoiser)
        rows = self.rows_of(sample, kwargs)
        if self.config.plan == AUTO and self.config.scale != 0:
            first = Pass(sample, args, kwargs, rows)
            self.choice = choose_plan(self.denoiser, self.backbone, self.config, first, free=free_memory(sample.device))
            rows = rows._replace(together=rows.together or self.choice.plan == "batched")
        if self.config.scale != 0 and self.check is not None:
            text = text_of(kwargs, len(sample))
            self.token_indices = self.check.positions(None if text is None else text[rows.conditional])
            if self.backbone.dropped is not None:
                dropped = self.backbone.dropped(self.pipe, self.check.length, kwargs["encoder_hidden_states"].shape[1])
                self.token_indices = self.check.after(dropped, self.token_indices)
        indices = self.token_indices or [[[i] for i in range(len(scene.objects))] for scene in self.scenes]  # not read: nothing is guided
        config = self.chosen_config()
        why = "" if self.choice is None else f" ({self.choice.why})"
        log.info("plan: %s%s, from %g to %g of the steps", config.plan, why, config.start, config.stop)
        for scene, positions in zip(self.scenes, self.token_indices, strict=False):
            log.info("reading: %s", scene)
            log.info("tokens: %s", dict(zip(scene.objects, positions, strict=True)))
        steps = self.steps_of(forward, indices, timeline_of(scheduler, first_step(scheduler, timestep)))
        return Call(scheduler, scheduler.timesteps, steps, rows={len(sample): rows})


def _check_one_timestep(timestep: Any) -> None:
    """Raises an error for pipelines that denoise several timesteps of one image in one batch (ParaDiGMS)."""
    if isinstance(timestep, Tensor) and timestep.numel() > 1 and any(timestep.stride()) and bool((timestep != timestep.flatten()[0]).any()):
        raise UnsupportedPipelineError(
            "the pipeline denoises several timesteps of one picture in one batch, where a window and a shift of one step have no meaning; "
            "sample step by step"
        )


def _not_stepped(call: Call, value: float) -> str:
    return (
        f"the denoiser was called at timestep {value:g}, but `step` of {type(call.scheduler).__name__} was not called after the guided "
        f"pass at {call.place.timestep:g}: the shift is added there. Call `pipe.scheduler.step` in your loop, or use `infsplign.Steps`"
    )
