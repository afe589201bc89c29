"""`guide(pipe, ...)`: attach to a stock diffusers pipeline, and detach exactly.

Two things are wrapped while the context is open: the denoiser's `forward`, where conditional rows run with gradient, and the
scheduler's `step`, where the shift is added to the model's combined output. A hook on the text encoder checks that the pipeline
samples the prompt that guidance was told.
"""

import functools
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from infsplign.adapters import AttentionRecorder, Backbone, backbone_for
from infsplign.attach import replaced_attribute
from infsplign.config import GuidanceConfig
from infsplign.core.relations import Scene
from infsplign.core.update import to_prediction
from infsplign.errors import NonFiniteGradientError, PromptError, UnsupportedPipelineError
from infsplign.guidance import Guidance, GuidedPass, frozen
from infsplign.prompt_check import PromptCheck
from infsplign.prompts import parse_prompt, scene_from
from infsplign.schedules import check_scheduler, parametrisation
from infsplign.tokens import check_token_indices
from infsplign.trace import StepTrace, per_row
from infsplign.trees import concatenate, rows_of

Triples = Sequence[tuple[str, str, str]]


def guide(
    pipe: Any,
    prompt: str | Sequence[str] | None = None,
    *,
    relations: Triples | Sequence[Triples] | None = None,
    token_indices: Sequence[Any] | None = None,
    config: GuidanceConfig | None = None,
    keep_maps: bool = False,
) -> "PipelineGuidance":
    """Guides every call of `pipe` inside a `with` block.

        with infsplign.guide(pipe, "a cat to the left of a dog") as guidance:
            image = pipe("a cat to the left of a dog").images[0]
        guidance.trace

    Args:
        pipe: a stock diffusers pipeline of a supported family.
        prompt: the prompt, or the list of prompts, that `pipe` will be called with. May be None where `pipe` is called with
            `prompt_embeds`; `relations` and `token_indices` are then required.
        relations: `(A, relation, B)` triples, for a list of prompts one list each; read from the prompt when None.
        token_indices: positions of each object's tokens on the text axis, for each object in the order in which `relations`
            names them first; for a list of prompts one list each. Found from the prompt when None.
        config: options; the family's preset when None.
        keep_maps: keep the object maps of each step in the trace.

    Raises:
        UnsupportedPipelineError: no adapter knows the pipeline.
        AttentionError: a tapped layer is not in the denoiser.
        PromptError: the prompt or a relation cannot be read, an object is not in the prompt or cut off.
        ValueError: relations that contradict each other, unknown relations, indices out of range.
    """
    backbone = backbone_for(pipe)
    if prompt is None and (relations is None or token_indices is None):
        raise PromptError("`prompt` must be given, or both `relations` and `token_indices` (for calls with `prompt_embeds`)")
    many = not (isinstance(prompt, str) or prompt is None)
    prompts: list[str | None] = list(prompt) if many else [prompt]  # type: ignore[arg-type, list-item]
    if not prompts:
        raise PromptError("`prompt` must hold at least one prompt, got an empty list")
    listed = _per_prompt(relations, len(prompts), many, "relations")
    indices = _per_prompt(token_indices, len(prompts), many, "token_indices")
    scenes = [_scene(text, triples) for text, triples in zip(prompts, listed, strict=True)]
    tokens = []
    for text, scene, given in zip(prompts, scenes, indices, strict=True):
        if given is None:
            tokens.append(backbone.tokens(pipe, text or "", scene.objects))
        else:  # embeddings may be longer than the tokenizer's limit; their real length is checked when they come
            tokens.append(check_token_indices(given, scene.objects, None if text is None else _text_length(pipe, backbone)))
    read = [text for text in prompts if text is not None] if token_indices is None else None
    return PipelineGuidance(pipe, backbone, read, scenes, tokens, config=config, keep_maps=keep_maps)


def _per_prompt(values: Any, count: int, many: bool, name: str) -> list[Any]:
    if values is None:
        return [None] * count
    if not many:
        return [values]
    if len(values) != count:
        raise ValueError(f"`{name}` must have one entry a prompt: got {len(values)} for {count} prompts")
    return list(values)


def _scene(prompt: str | None, triples: Triples | None) -> Scene:
    if prompt is None:
        return Scene.of(triples or ())
    return parse_prompt(prompt) if triples is None else scene_from(prompt, triples)


def _text_length(pipe: Any, backbone: Backbone) -> int:
    tokenizer = getattr(pipe, backbone.tokenizer, None)
    return int(tokenizer.model_max_length) if tokenizer is not None else 10**9


class PipelineGuidance:
    """The guidance of one pipeline: a context manager. Build it with `guide`.

    Attributes:
        trace: one `StepTrace` a step of the latest call of the pipeline.
        scenes: objects and relations, one scene a prompt.
        token_indices: for each prompt and object, positions on the text axis.
        config: the options in force.
    """

    def __init__(
        self,
        pipe: Any,
        backbone: Backbone,
        prompts: Sequence[str] | None,
        scenes: Sequence[Scene],
        token_indices: Sequence[Any],
        *,
        config: GuidanceConfig | None = None,
        keep_maps: bool = False,
    ) -> None:
        self.pipe, self.backbone = pipe, backbone
        self.denoiser = getattr(pipe, backbone.denoiser)
        self.scenes, self.token_indices = list(scenes), list(token_indices)
        self.config = config or backbone.config(self.denoiser)
        self.source = AttentionRecorder(self.denoiser, backbone.layers(self.denoiser), text=backbone.text)
        self.keep_maps = keep_maps
        self.trace: list[StepTrace] = []
        self._attached: ExitStack | None = None
        self._check_prompt = PromptCheck(pipe, backbone, prompts)

    def __enter__(self) -> "PipelineGuidance":
        if self._attached is not None or getattr(self.denoiser.__dict__.get("forward"), "infsplign", False):
            raise RuntimeError("the pipeline is guided already: leave the other `guide` block first")
        self._forget()
        scheduler = self._scheduler = self.pipe.scheduler
        check_scheduler(scheduler)
        with ExitStack() as stack:
            self._engine = Guidance(self._forward_frozen, self.source, self.scenes, self.token_indices, self.config)
            self._denoiser_attached = stack.enter_context(ExitStack())
            self._attach_denoiser()
            self._step = scheduler.step
            stack.enter_context(replaced_attribute(scheduler, "step", _marked(self._step, self._guided_step)))
            if hasattr(self.pipe, "maybe_free_model_hooks"):
                self._free_hooks = self.pipe.maybe_free_model_hooks
                stack.enter_context(replaced_attribute(self.pipe, "maybe_free_model_hooks", self._freed_hooks))
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
        self._check_prompt.forget()

    def _attach_denoiser(self) -> None:
        self._forward = self.denoiser.forward
        self._wrapper = _marked(self._forward, self._guided_forward)
        self._denoiser_attached.enter_context(replaced_attribute(self.denoiser, "forward", self._wrapper))

    def _freed_hooks(self) -> None:
        """`enable_model_cpu_offload` takes every `forward` off and sets it anew after each call: ours must be off meanwhile."""
        self._denoiser_attached.close()
        try:
            self._free_hooks()
        finally:
            self._attach_denoiser()

    # --- the denoiser's side -------------------------------------------------------------------------------------------

    def _forward_frozen(self, *args: Any, **kwargs: Any) -> Any:
        with frozen(self.denoiser):
            return self._forward(*args, **kwargs)

    def _guided_forward(self, *args: Any, **kwargs: Any) -> Any:
        self._begin_if_new()
        if not self._stepped or not self.config.guides(len(self.trace), self._steps()):
            return self._forward(*args, **kwargs)
        name = None if args else next(n for n in ("sample", "hidden_states") if n in kwargs)
        sample = args[0] if name is None else kwargs.pop(name)
        batch = len(sample)
        conditional = self.backbone.conditional(self.pipe, batch)
        rest = (args[1:], kwargs)
        pieces = []
        for rows in (slice(0, conditional.start), conditional, slice(conditional.stop, batch)):
            if rows.start == rows.stop:
                continue
            piece_args, piece_kwargs = rows_of(rest, rows, batch)
            if rows is conditional:
                self._pending = self._engine(sample[rows], *piece_args, **piece_kwargs)
                pieces.append(self._pending.output)
            else:
                pieces.append(self._forward(sample[rows], *piece_args, **piece_kwargs))
        self._stepped = False
        return concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def _begin_if_new(self) -> None:
        """A call of the pipeline begins when its scheduler has got new timesteps."""
        if self.pipe.scheduler is not self._scheduler:
            raise RuntimeError("`pipe.scheduler` was replaced inside the `guide` block; set the scheduler before it")
        timesteps = self._scheduler.timesteps
        if timesteps is self._timesteps:
            return
        self._timesteps, self._stepped, self._pending = timesteps, True, None
        self.trace = []
        if self.config.scale != 0:
            self._check_prompt()
        self._check_prompt.forget()

    def _steps(self) -> int:
        return len(self._timesteps)

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
        shift = self._shift(pending.gradient, timestep)
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


def _marked(original: Any, replacement: Any) -> Any:
    @functools.wraps(original)  # pipelines read the signature of `scheduler.step`
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return replacement(*args, **kwargs)

    wrapper.infsplign = True  # type: ignore[attr-defined]
    return wrapper
