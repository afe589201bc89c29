"""Runs one pass of the denoiser and computes the gradient of the loss with respect to the denoiser's input."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointError

from infsplign.core.attention import Attention, AttentionSource
from infsplign.core.losses import LossReport
from infsplign.core.scenes import Scene
from infsplign.engine.arguments import check_denoiser, listed_scenes, listed_tokens, module_of
from infsplign.engine.attention_rows import of_rows
from infsplign.engine.checkpointing import checkpointed
from infsplign.engine.checks import check_tensor
from infsplign.engine.config import RECOMMENDED, GuidanceConfig, check_config
from infsplign.engine.freezing import FrozenWeights
from infsplign.engine.loss_scale import LossScale
from infsplign.engine.passes import Passes
from infsplign.engine.patching import turn
from infsplign.engine.precision import in_float16, usable, without_autocast
from infsplign.engine.pytree import map_tensors
from infsplign.engine.scene_loss import SceneLoss


class GuidedPass(NamedTuple):
    """The result of one guided call.

    Attributes:
        output: the denoiser's own output, without a graph.
        gradient: of the loss with respect to `sample`, same shape, float32 or better. `infsplign.Steps` converts it to a shift.
        report: loss, terms and centroids of each row, without a graph.
    """

    output: Any
    gradient: Tensor
    report: LossReport


class WatchedPass(NamedTuple):
    """The result of a watched call: the denoiser's own output and the report of its attention, both without a graph."""

    output: Any
    report: LossReport


class Guidance:
    """Runs a denoiser over the conditional rows of a batch and differentiates the loss of their attention.

    In your own sampler, use `infsplign.Steps`, which calls this by the options.

        guidance = Guidance(denoiser, backbone_for(pipe), scene, token_indices, config)
        found = guidance(sample, timestep, encoder_hidden_states=embeddings)
        found.output, found.gradient, found.report

    Args:
        denoiser: called as `denoiser(sample, ...)`; a `torch.nn.Module` has its weights frozen during the call.
        source: a family (`infsplign.adapters.Backbone`) or a source that records the denoiser's attention. A family's source records
            `config.layers`, or the family's own layers when None.
        scenes: one scene, or one for each prompt. With `n` rows for each prompt, row `r` belongs to prompt `r // n`.
        token_indices: for each prompt, for each object of its scene, positions on the text axis. For a single scene you
            may omit the outer list.
        config: options; when None, the default of the family, or `RECOMMENDED` if `source` is no family.

    Attributes:
        weights: of the denoiser, frozen during the call. `Steps` lists its modules anew for each sampling.
        saving: makes the context that decides how tensors are kept for the gradient; None is `FrozenWeights.kept`. Set it to count these
            tensors or to move them. A context opened around the call has no effect, because torch uses only the innermost one.
        passes: number of rows that the denoiser has run, by kind.
        zero: (B,), whether the latest gradient of each row is exactly 0 although its scene does not hold yet; on the device.
        held: (B,), whether each row's scene held in the latest pass, by `config.margin_hold`; None without `config.patience`.

    Raises:
        ValueError: `token_indices` does not fit the scenes, or gives two related objects the same; the plan needs a denoiser that can run
            block by block; `source` records other layers than `config.layers`; or a loss term reads none of the recorded layers.
    """

    def __init__(
        self,
        denoiser: Any,
        source: Any,
        scenes: Scene | Sequence[Scene],
        token_indices: Sequence[Any],
        config: GuidanceConfig | None = None,
    ) -> None:
        check_config(config)
        check_denoiser(denoiser, source)
        self.denoiser = denoiser
        self._scenes = listed_scenes(scenes)
        self._config: GuidanceConfig = config or (source.config(denoiser) if hasattr(source, "source") else RECOMMENDED)
        self.source: AttentionSource = source if hasattr(source, "record") else source.source(denoiser, self.config.layers)
        self._token_indices = listed_tokens(token_indices, self.scenes, single=isinstance(scenes, Scene))
        self.scene_loss = SceneLoss(self.scenes, self.token_indices, self.config)
        self.module = module_of(denoiser, self.source, self.config)
        recorded = getattr(self.source, "layers", None)
        if recorded is not None:
            self.scene_loss.check_layers([(level, name) for level, name, *_ in recorded])
        self.saving: Callable[[], AbstractContextManager[Any]] | None = None
        self.zero = torch.tensor([False])
        self.passes = self.begin()

    @property
    def config(self) -> GuidanceConfig:
        """The options. For others make another `Guidance`: the loss and the layers belong to them."""
        return self._config

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """One for each prompt; for others make another `Guidance` too."""
        return self._scenes

    @property
    def token_indices(self) -> list[Any]:
        """For each prompt, for each object of its scene, positions on the text axis."""
        return self._token_indices

    def begin(self) -> Passes:
        """Begins a sampling: forgets what belongs to the one before, between which a LoRA may have been loaded. Returns the counts."""
        self.weights = FrozenWeights(self.module)
        self._loss_scale = LossScale()
        self.passes = Passes()
        return self.passes

    @property
    def held(self) -> Tensor | None:
        """Whether each row's scene held in the latest pass, see `SceneLoss`."""
        return self.scene_loss.held

    def measure(self, attention: Sequence[Attention], rows: int) -> LossReport:
        """See `SceneLoss.measure`."""
        return self.scene_loss.measure(attention, rows)

    def __call__(self, sample: Tensor, *args: Any, **kwargs: Any) -> GuidedPass:
        """Runs the denoiser once over conditional rows.

        Args:
            sample: (rows, ...), the denoiser's input; rows must be a multiple of the number of scenes.
            *args, **kwargs: further arguments of the denoiser.

        Raises:
            TypeError: `sample` is no tensor of real numbers.
        """
        check_tensor(sample, "sample")
        return self.run(sample, args, kwargs)

    def run(self, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any], *, rows: slice | None = None) -> GuidedPass:
        """Like a call, for a batch in which only `rows` are conditional. Gradient and report are of these rows.

        It costs the gradient of all rows. Use it for denoisers that need the other rows in the same pass, as in perturbed-attention
        guidance.
        """
        saving = self.saving or self.weights.kept
        with torch.inference_mode(False), torch.enable_grad(), self.weights.frozen(), saving():
            args, kwargs = map_tensors(usable, (tuple(args), dict(kwargs)))
            leaf = usable(sample).detach().requires_grad_()
            with turn(self.module), self.source.record(leaf, *args, **kwargs) as attention, self._again():
                output = self.denoiser(leaf.clone(), *args, **kwargs)  # which may change its input in place
            rows = rows or slice(0, len(leaf))
            report = self.measure(of_rows(attention, rows, len(leaf)), rows.stop - rows.start)
            self.scene_loss.check_gradient(report, [layer.layer for layer in attention])
            scaled = self._loss_scale.scaled(report.total, torch.float16 if in_float16(leaf, attention) else leaf.dtype)
            with without_autocast(leaf):
                gradient = _gradient(scaled.sum(), leaf)
            self.zero = (gradient[rows] == 0).flatten(1).all(1) & ~self.scene_loss.rests
            gradient = self._loss_scale.unscaled(gradient[rows])  # its factor takes part in the next gradient
        self.passes.guided += len(sample)
        return GuidedPass(map_tensors(Tensor.detach, output), gradient, map_tensors(Tensor.detach, report))

    def watch(self, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any], *, rows: slice | None = None) -> WatchedPass:
        """Runs the denoiser unchanged and reports the attention of `rows`, without a graph and at very little cost."""
        rows = rows or slice(0, len(sample))
        with torch.no_grad():
            with turn(self.module), self.source.record(sample, *args, **kwargs) as attention:
                output = self.denoiser(sample, *args, **kwargs)
            count = rows.stop - rows.start
            with torch.inference_mode(False):
                report = self.measure(of_rows(attention, rows, len(sample)), count)
        self.passes.watched += count
        self.passes.plain += len(sample) - count
        return WatchedPass(output, report)

    def _again(self) -> AbstractContextManager[Any]:
        """Makes blocks that the plan or the denoiser checkpoints recompute exactly what they computed first."""
        if self.module is None:
            return nullcontext()
        return checkpointed(self.module, plan=self.config.plan == "checkpoint", modules=self.weights.modules)


def _gradient(loss: Tensor, leaf: Tensor) -> Tensor:
    try:
        return torch.autograd.grad(loss, leaf)[0]
    except CheckpointError as error:
        error.add_note(
            "The denoiser runs blocks by `torch.utils.checkpoint` itself, and what the recorder watches is not run again. Switch that off; "
            'GuidanceConfig(plan="checkpoint") does the same'
        )
        raise
