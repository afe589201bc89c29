"""The state of one pipeline call, from its new timesteps to its last step; the denoiser's and the scheduler's side share it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from infsplign.adapters import Backbone
from infsplign.adapters.rows import Rows
from infsplign.adapters.text import ExpectedPrompt, Positions
from infsplign.core.losses import LossReport
from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.guidance import Guidance
from infsplign.engine.passes import Passes
from infsplign.engine.step_plan import StepPlan, StepPlanner
from infsplign.engine.trace import StepTrace
from infsplign.pipelines.prompt_check import PromptCheck


class Pending(NamedTuple):
    """What the denoiser's pass found, for the scheduler's step after it; `gradient` is None where the pass was only watched."""

    report: LossReport
    gradient: Tensor | None = None
    repeated: tuple[Tensor, ...] = ()
    holds: Tensor | None = None


@dataclass
class Call:
    """The state of one call.

    Attributes:
        timesteps: the scheduler's, by whose identity the call is known.
        planner: plans its steps.
        negative: whether a negative prompt was encoded; None where it is not known.
        trace: of the steps so far; their timesteps may still be tensors.
        engine: built at the first step that is not plain.
        plan: of the step that is under way; None until its first pass.
        pending: of that step; None where its plan is plain.
        last: gradient of the last guided step and its plan, for the steps between that use it again.
        rows: number of rows of the denoiser's batch to which of them are conditional.
        passes: what has been run.
        needed: what each row would have run alone, without rows beside it that still need guidance.
    """

    timesteps: Any
    planner: StepPlanner
    negative: bool | None = None
    trace: list[StepTrace] = field(default_factory=list)
    engine: Guidance | None = None
    plan: StepPlan | None = None
    pending: Pending | None = None
    last: tuple[Tensor, StepPlan] | None = None
    rows: dict[int, Rows] = field(default_factory=dict)
    passes: Passes = field(default_factory=Passes)
    needed: Passes = field(default_factory=Passes)


class Calls:
    """Tells when a call of the pipeline begins, and what it is a call with.

    Attributes:
        call: the latest call.
        token_indices: its positions of each prompt's objects on the text axis.
    """

    def __init__(
        self,
        pipe: Any,
        backbone: Backbone,
        scenes: Sequence[Scene],
        tokens: Sequence[ExpectedPrompt] | Sequence[Positions],
        config: GuidanceConfig,
    ) -> None:
        self.pipe, self.backbone, self.scenes, self.config = pipe, backbone, list(scenes), config
        self.token_indices: list[Positions] = []
        self.check: PromptCheck | None = None
        if isinstance(tokens[0], ExpectedPrompt):
            self.check = PromptCheck(pipe, tokens)  # type: ignore[arg-type]
        else:
            self.token_indices = list(tokens)  # type: ignore[arg-type]
        self.call = self._new(None)

    def reset(self) -> None:
        """Starts anew with the pipeline's scheduler of now. The trace stays to be looked at until a call begins."""
        self.scheduler = self.pipe.scheduler
        self.call.timesteps = self.call.pending = None
        if self.check is not None:
            self.check.reset()

    def current(self) -> Call:
        """The call that is under way: a new one when the scheduler has got new timesteps.

        Raises:
            RuntimeError: the scheduler is another one than at the start of the block.
            PromptError: the call is with another prompt.
        """
        if self.pipe.scheduler is not self.scheduler:
            raise RuntimeError("`pipe.scheduler` was replaced inside the `guide` block; set the scheduler before it")
        timesteps = self.scheduler.timesteps
        if timesteps is not self.call.timesteps:
            self.call = self._new(timesteps)
            if self.check is not None:
                self._read_prompt(self.check)
        return self.call

    @property
    def steps(self) -> int:
        """Steps of this call; image-to-image runs only the last ones of the scheduler's."""
        return getattr(self.pipe, "num_timesteps", None) or len(self.call.timesteps)

    @property
    def timestep(self) -> Any:
        """Of the step that is under way, as the scheduler will be given it."""
        return self.call.timesteps[len(self.call.timesteps) - self.steps + len(self.call.trace)]

    def engine(self, denoiser: Any, source: Any, kwargs: dict[str, Any]) -> Guidance:
        """The engine of the call, built when its text is known."""
        if self.call.engine is None:
            if self.check is not None and self.backbone.dropped is not None:
                kept = kwargs["encoder_hidden_states"].shape[1]
                self.token_indices = self.check.after(self.backbone.dropped(self.pipe, self.check.length, kept))
            self.call.engine = Guidance(denoiser, source, self.scenes, self.token_indices, self.config)
            self.call.engine.passes = self.call.passes
        return self.call.engine

    def _new(self, timesteps: Any) -> Call:
        return Call(timesteps, StepPlanner(self.config))

    def _read_prompt(self, check: PromptCheck) -> None:
        try:
            self.call.negative = check.negative
            if self.config.scale != 0:
                self.token_indices = check.positions()
        finally:
            check.reset()
