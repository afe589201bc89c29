"""The guidance of a stock pipeline: what is wrapped while its context is open.

Two things are wrapped: the denoiser's `forward`, where conditional rows run with gradient, and the scheduler's `step`, where the shift
is added to the model's combined output. Hooks on the text encoders check that the pipeline samples the prompt that guidance was told.
"""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from infsplign.adapters import Backbone
from infsplign.adapters.rows import Rows, rows_of_call
from infsplign.adapters.text import Expected, Positions
from infsplign.attach import marked, replaced_attribute, uncompiled
from infsplign.config import GuidanceConfig
from infsplign.core.relations import Scene
from infsplign.core.update import to_prediction
from infsplign.errors import NonFiniteGradientError, UnsupportedPipelineError
from infsplign.guidance import Guidance, GuidedPass, frozen
from infsplign.prompt_check import PromptCheck
from infsplign.schedules import check_scheduler, parametrisation
from infsplign.surroundings import check_denoiser
from infsplign.trace import StepTrace, per_row
from infsplign.trees import concatenate, rows_of


class PipelineGuidance:
    """The guidance of one pipeline: a context manager. Build it with `guide`.

    Attributes:
        trace: one `StepTrace` a step of the latest call of the pipeline.
        scenes: objects and relations, one scene a prompt.
        token_indices: for each prompt and object, positions on the text axis; those of the latest call where they are found from the
            prompt, and empty before it: they depend on how the pipeline is called.
        config: the options in force.
    """

    def __init__(
        self,
        pipe: Any,
        backbone: Backbone,
        scenes: Sequence[Scene],
        tokens: Sequence[Expected] | Sequence[Positions],
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
        self.trace: list[StepTrace] = []
        self._attached: ExitStack | None = None
        self.token_indices: list[Positions] = []
        self._check_prompt: PromptCheck | None = None
        if isinstance(tokens[0], Expected):
            self._check_prompt = PromptCheck(pipe, tokens)  # type: ignore[arg-type]
        else:
            self.token_indices = list(tokens)  # type: ignore[arg-type]

    def __enter__(self) -> "PipelineGuidance":
        if self._attached is not None or getattr(self.denoiser.__dict__.get("forward"), "infsplign", False):
            raise RuntimeError("the pipeline is guided already: leave the other `guide` block first")
        self._forget()
        scheduler = self._scheduler = self.pipe.scheduler
        check_scheduler(scheduler)
        check_denoiser(self.denoiser)
        with ExitStack() as stack:
            self._uncompile(stack)
            self._denoiser_attached = stack.enter_context(ExitStack())
            self._attach_denoiser()
            self._step = scheduler.step
            stack.enter_context(replaced_attribute(scheduler, "step", marked(self._step, self._guided_step)))
            if hasattr(self.pipe, "maybe_free_model_hooks"):
                self._free_hooks = self.pipe.maybe_free_model_hooks
                stack.enter_context(replaced_attribute(self.pipe, "maybe_free_model_hooks", self._freed_hooks))
            if self._check_prompt is not None:
                stack.callback(self._check_prompt.attach())
            self._attached = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._attached is not None:
            attached, self._attached = self._attached, None
            attached.close()
        self._pending = None

    def _forget(self) -> None:
        self._timesteps: Any = None
        self._pending: GuidedPass | None = None
        self._stepped = True
        self._engine: Guidance | None = None
        if self._check_prompt is not None:
            self._check_prompt.forget()

    def _attach_denoiser(self) -> None:
        self._forward = self.denoiser.forward
        self._wrapper = marked(self._forward, self._guided_forward)
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

    # --- the denoiser's side -------------------------------------------------------------------------------------------

    def _guided_forward(self, *args: Any, **kwargs: Any) -> Any:
        self._begin_if_new()
        if not self._stepped or not self.config.guides(len(self.trace), self._steps()):
            return self._forward(*args, **kwargs)
        name = None if args else next(n for n in ("sample", "hidden_states") if n in kwargs)
        sample = args[0] if name is None else kwargs.pop(name)
        if self._engine is None:
            self._engine = self._build(kwargs)
        rows = rows_of_call(self.pipe, self.backbone.conditional, sample, self._negative)
        self._stepped = False
        with frozen(self.denoiser):  # until the gradient is there: a checkpointed block is run again for it, and must save the same
            return self._guided_rows(rows, sample, args[1:], kwargs)

    def _guided_rows(self, rows: Rows, sample: Tensor, args: Any, kwargs: Any) -> Any:
        """The conditional rows with gradient, those before and after them without."""
        conditional, batch, engine = rows.conditional, len(sample), self._engine
        assert engine is not None
        self._warn_of_masks(conditional.stop - conditional.start)
        if rows.together:
            self._pending = engine.run(sample, args, kwargs, rows=conditional)
            return self._pending.output
        pieces = []
        for part in (slice(0, conditional.start), conditional, slice(conditional.stop, batch)):
            if part.start == part.stop:
                continue
            taken = part.stop - part.start
            piece_args, piece_kwargs = (args, kwargs) if taken == batch else rows_of((args, kwargs), part, batch)
            if part is conditional:
                self._pending = engine.run(sample[part], piece_args, piece_kwargs)
                pieces.append(self._pending.output)
            else:
                pieces.append(self._forward(sample[part], *piece_args, **piece_kwargs))
        return concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def _begin_if_new(self) -> None:
        """A call of the pipeline begins when its scheduler has got new timesteps."""
        if self.pipe.scheduler is not self._scheduler:
            raise RuntimeError("`pipe.scheduler` was replaced inside the `guide` block; set the scheduler before it")
        timesteps = self._scheduler.timesteps
        if timesteps is self._timesteps:
            return
        self._timesteps, self._stepped, self._pending = timesteps, True, None
        self.trace, self._engine, self._negative = [], None, None
        if self._check_prompt is not None:
            try:
                self._negative = self._check_prompt.negative
                if self.config.scale != 0:
                    self.token_indices = self._check_prompt.positions()
            finally:
                self._check_prompt.forget()

    def _build(self, kwargs: dict[str, Any]) -> Guidance:
        """The engine of one call of the pipeline, when its text is known."""
        if self._check_prompt is not None and self.backbone.dropped is not None:
            kept = kwargs["encoder_hidden_states"].shape[1]
            self.token_indices = self._check_prompt.after(self.backbone.dropped(self.pipe, self._check_prompt.length, kept))
        return Guidance(self._forward, self.source, self.scenes, self.token_indices, self.config)

    def _warn_of_masks(self, rows: int) -> None:
        if self.backbone.image_major_masks and rows > len(self.scenes) > 1 and not self.trace:
            warnings.warn(
                f"{type(self.pipe).__name__} gives the rows of several prompts with several images each other's attention masks (a fault "
                "of diffusers, whether guided or not); call it with one prompt at a time, or with one image a prompt",
                stacklevel=2,
            )

    def _steps(self) -> int:
        """Steps of this call; image-to-image runs only the last ones of the scheduler's."""
        return getattr(self.pipe, "num_timesteps", None) or len(self._timesteps)

    # --- the scheduler's side ------------------------------------------------------------------------------------------

    def _guided_step(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        if vars(self.denoiser).get("forward") is not self._wrapper:
            raise RuntimeError(
                f"`forward` of {type(self.denoiser).__name__} was replaced inside the `guide` block, by offloading or another wrapper: "
                "the calls were not guided. Enable it before the block"
            )
        self._begin_if_new()
        step, self._stepped = len(self.trace), True
        pending, self._pending = self._pending, None
        if pending is None:
            self.trace.append(StepTrace(step, float(timestep), guided=False))
            return self._step(model_output, timestep, sample, *args, **kwargs)
        shift = self._shift(_latents_part(pending.gradient, model_output), timestep)
        if shift.shape != model_output.shape:
            raise UnsupportedPipelineError(
                f"the shift has shape {tuple(shift.shape)}, the model's combined output {tuple(model_output.shape)}: the denoiser of "
                f"{type(self.pipe).__name__} lays out rows or channels in a way that family {self.backbone.name!r} does not know"
            )
        shifted = model_output + shift.to(model_output.dtype)
        if not bool(torch.isfinite(shifted).all()):
            raise NonFiniteGradientError(self._not_finite(step, float(timestep), model_output, pending.gradient), step=step, latents=sample)
        self._keep(step, float(timestep), pending, shift)
        return self._step(shifted, timestep, sample, *args, **kwargs)

    def _not_finite(self, step: int, timestep: float, output: Tensor, gradient: Tensor) -> str:
        if not bool(torch.isfinite(output).all()):
            what, remedy = "the model's own output", "Run the denoiser in float32 or bfloat16"
        elif not bool(torch.isfinite(gradient).all()):
            what, remedy = "the gradient of the loss", "Run the denoiser in float32 or bfloat16, or guide fewer steps"
        else:
            what, remedy = f"the output shifted by scale {self.config.scale:g}", "Lower `scale`"
        return f"{what} is not finite at step {step} (timestep {timestep:g}); the latents before it are in `error.latents`. {remedy}"

    def _shift(self, gradient: Tensor, timestep: Any) -> Tensor:
        delta = self.config.scale * gradient
        if self.config.update == "direct":
            return delta
        prediction, alpha, sigma = parametrisation(self._scheduler, timestep)
        return to_prediction(delta, prediction, alpha=alpha, sigma=sigma, max_gain=self.config.max_gain)

    def _keep(self, step: int, timestep: float, guided: GuidedPass, shift: Tensor) -> None:
        report = guided.report
        self.trace.append(
            StepTrace(
                step,
                timestep,
                guided=True,
                loss=report.total,
                terms=report.terms,
                centroid=report.centroid,
                variance=report.variance,
                gradient_norm=per_row(guided.gradient),
                shift=per_row(shift, mean=True),
                maps=report.maps if self.keep_maps else (),
            )
        )


def _latents_part(gradient: Tensor, output: Tensor) -> Tensor:
    """The gradient's channels that are latents: inpainting and control models have their mask and image behind them."""
    axis = 1 if gradient.ndim == 4 else -1  # packed latents are (rows, positions, channels)
    if gradient.ndim != output.ndim or gradient.shape[axis] <= output.shape[axis]:
        return gradient
    return gradient.narrow(axis, 0, output.shape[axis])
