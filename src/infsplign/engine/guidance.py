"""Runs one pass of the denoiser and computes the gradient of the loss with respect to the denoiser's input."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import array_api_compat.torch as xp
import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointError

from infsplign.core.attention import Attention, AttentionMap, AttentionSource, QueryKeyAttention, token_weights
from infsplign.core.losses import LossReport
from infsplign.core.object_attention import observe_layers
from infsplign.core.scene_arrays import SceneArrays, scene_arrays
from infsplign.core.scenes import Scene
from infsplign.engine.checkpointing import blocks, checkpointed, checkpoints_itself
from infsplign.engine.checks import check_tensor
from infsplign.engine.config import RECOMMENDED, GuidanceConfig, check_config
from infsplign.engine.freezing import FrozenWeights
from infsplign.engine.loss_scale import LossScale
from infsplign.engine.passes import Passes
from infsplign.engine.patching import turn
from infsplign.engine.pytree import map_tensors
from infsplign.engine.step_plan import scene_holds
from infsplign.prompts.tokens import check_apart, check_token_indices


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
        zero: whether the latest gradient is exactly 0 in every row although the scene does not hold yet; one boolean on the device.
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
        self.denoiser = denoiser
        if not hasattr(source, "record") and not hasattr(source, "source"):
            raise TypeError(f"`source` must be a family (`Backbone`) or an `AttentionSource` with a method `record`, got {source!r}")
        _check_arguments(denoiser, source, scenes)
        self._config: GuidanceConfig = config or (source.config(denoiser) if hasattr(source, "source") else RECOMMENDED)
        self.source: AttentionSource = source if hasattr(source, "record") else source.source(denoiser, self.config.layers)
        self.saving: Callable[[], AbstractContextManager[Any]] | None = None
        self.scenes: tuple[Scene, ...] = (scenes,) if isinstance(scenes, Scene) else tuple(scenes)
        bare = isinstance(scenes, Scene) and not _nested(token_indices, 3)
        self.token_indices = [token_indices] if bare else list(token_indices)
        self.loss = self.config.compound()
        counts = [len(scene.objects) for scene in self.scenes]
        if [len(row) for row in self.token_indices] != counts:
            raise ValueError(f"`token_indices` must give tokens for {counts} objects, got {[len(row) for row in self.token_indices]}")
        self.token_indices = [check_token_indices(row, scene.objects) for row, scene in zip(self.token_indices, self.scenes, strict=True)]
        for row, scene in zip(self.token_indices, self.scenes, strict=True):
            check_apart(row, scene)
        self.module = self._module()
        self.weights = FrozenWeights(self.module)
        self._checked, self._told, self._rests, self.zero = False, False, torch.tensor(False), torch.tensor(False)
        recorded = getattr(self.source, "layers", None)
        if recorded is not None:
            self._check_layers([(level, name) for level, name, *_ in recorded])
        self._packed: dict[tuple, tuple[Tensor, SceneArrays]] = {}
        self._loss_scale = LossScale()
        self.passes = Passes()
        self.held: Tensor | None = None

    @property
    def config(self) -> GuidanceConfig:
        """The options. For others make another `Guidance`: the loss and the layers belong to them."""
        return self._config

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
            args, kwargs = map_tensors(_usable, (tuple(args), dict(kwargs)))
            leaf = _usable(sample).detach().requires_grad_()
            with turn(self.module), self.source.record(leaf, *args, **kwargs) as attention, self._again():
                output = self.denoiser(leaf, *args, **kwargs)
            rows = rows or slice(0, len(leaf))
            report = self.measure(of_rows(attention, rows, len(leaf)), rows.stop - rows.start)
            if not report.total.requires_grad:
                raise ValueError("`source` recorded attention without a gradient to `sample`; is the denoiser run under no_grad inside?")
            self._tell_of_constants(report, [layer.layer for layer in attention])
            scaled = self._loss_scale.scaled(report.total, torch.float16 if _in_float16(leaf, attention) else leaf.dtype)
            with _without_autocast(leaf):
                gradient = _gradient(scaled.sum(), leaf)
            self.zero = (gradient[rows] == 0).all() & ~self._rests
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

    def measure(self, attention: Sequence[Attention], rows: int) -> LossReport:
        """Computes the loss of recorded attention for `rows` rows; under autocast too in the types of `infsplign.core`."""
        if not self._checked:
            self._check_layers([(layer.level, layer.layer) for layer in attention])
            self._checked = True
        weights, arrays = self._arrays(attention[0], rows)
        spatial = any(term.name == "spatial" and term.weight for term in self.loss.terms)  # its penalty may cost nothing from the margin on
        with _without_autocast(weights):
            layers = observe_layers(attention, weights, arrays, resize=self.config.resize)
            with torch.no_grad():
                if spatial:
                    self._rests = scene_holds(layers, slack=self.config.margin).all()
                if self.config.patience is not None:
                    self.held = scene_holds(layers, slack=self.config.margin_hold)
            report = self.loss.of(layers)
        if len(report.total) != rows:
            raise ValueError(
                f"`source` must record the {rows} conditional rows of the pass, got attention of {len(report.total)}; give a denoiser that "
                "does not double its batch for classifier-free guidance, and combine the halves yourself"
            )
        return report

    def _tell_of_constants(self, report: LossReport, layers: Sequence[str]) -> None:
        """Warns once of layers that do not depend on the sample, and of terms that do not depend on the maps, by differentiable functions:
        the others would guide without a word of it."""
        detached = [name for name, maps in zip(layers, report.maps, strict=True) if not maps.requires_grad]
        if detached and not self._told:
            warnings.warn(
                f"the attention of {' and '.join(map(repr, detached))} has no gradient to `sample`, so it guides nothing: is it recorded "
                "under `no_grad`, or a part of the denoiser detached?",
                stacklevel=3,
            )
        constant = [name for name, value in report.terms.items() if not value.requires_grad]
        if constant and not self._told:
            warnings.warn(
                f"loss term {' and '.join(map(repr, constant))} has no gradient to the maps, so it guides nothing: look for a comparison, "
                "a count, `.detach()` or `.item()` in it, and see `infsplign.testing.check_term`",
                stacklevel=3,
            )
        self._told = True

    def _check_layers(self, recorded: Sequence[tuple[str, str]]) -> None:
        """Raises an error if `source` records other layers than the options name, or if a term reads none of them."""
        named = self.config.layers
        asked = None if named is None else {(level, name) for level, names in named.items() for name in names}
        if asked is not None and set(recorded) != asked:
            raise ValueError(
                f"`source` must record the layers that `config.layers` names, {sorted(asked)}, got {sorted(recorded)}; pass the family as "
                "`source`, or leave out `config.layers`"
            )
        levels = {level for level, _ in recorded}
        for term, wanted in self.loss.unread(levels).items():
            raise ValueError(
                f"loss term {term!r} reads layers of level {' and '.join(wanted)}, and none is recorded, only {', '.join(sorted(levels))}. "
                "Set its weight to 0, or name such a layer in `config.layers`"
            )

    def _again(self) -> AbstractContextManager[Any]:
        """Makes blocks that the plan or the denoiser checkpoints recompute exactly what they computed first."""
        if self.module is None:
            return nullcontext()
        return checkpointed(self.module, plan=self.config.plan == "checkpoint", modules=self.weights.modules)

    def _module(self) -> torch.nn.Module | None:
        """Returns the denoiser as a module: the denoiser, the owner of its method, or the module that the source records."""
        for found in (self.denoiser, getattr(self.denoiser, "__self__", None), getattr(self.source, "denoiser", None)):
            if isinstance(found, torch.nn.Module):
                if self.config.plan == "checkpoint" and not blocks(found) and not checkpoints_itself(found.modules()):
                    raise ValueError(
                        f'`plan` "checkpoint" finds no blocks in {type(found).__name__}, neither by `_no_split_modules` nor in a '
                        '`torch.nn.ModuleList`, so that it would save nothing; hold its blocks in one, or use "split"'
                    )
                return found
        if self.config.plan == "checkpoint":
            raise ValueError('`plan` "checkpoint" runs the blocks of a `torch.nn.Module` again, got a denoiser that is none; use "split"')
        return None

    def _arrays(self, layer: Attention, rows: int) -> tuple[Tensor, SceneArrays]:
        """Returns token weights and scenes for `rows` rows, and caches them for the next step."""
        reference = layer.like
        dtype = torch.promote_types(reference.dtype, torch.float32)
        key = (rows, layer.text_length, reference.device, dtype)
        if key not in self._packed:
            if rows % len(self.scenes):
                raise ValueError(f"`sample` must have a multiple of {len(self.scenes)} rows, one group a prompt, got {rows}")
            each = rows // len(self.scenes)
            place = {"xp": xp, "dtype": dtype, "device": reference.device}
            indices = [row for row in self.token_indices for _ in range(each)]
            scenes = [scene for scene in self.scenes for _ in range(each)]
            self._packed[key] = (token_weights(indices, layer.text_length, **place), scene_arrays(scenes, **place))
        return self._packed[key]


def of_rows(attention: Sequence[Attention], rows: slice, batch: int) -> Sequence[Attention]:
    """Returns the attention of some rows of a batch. If a layer can be sliced, nothing is computed for the other rows."""
    if rows.stop - rows.start == batch:
        return attention
    return [
        layer.of_rows(rows) if isinstance(layer, (QueryKeyAttention, AttentionMap)) else RowsOf(layer, rows, batch) for layer in attention
    ]


class RowsOf:
    """The attention of some rows, for a layer that cannot be sliced."""

    def __init__(self, whole: Attention, rows: slice, batch: int) -> None:
        self.whole, self.rows, self.batch = whole, rows, batch
        self.layer, self.level, self.text_length, self.like = whole.layer, whole.level, whole.text_length, whole.like

    def object_maps(self, weights: Tensor) -> Tensor:
        """See `Attention.object_maps`; only for these rows."""
        padded = weights.new_zeros(self.batch, *weights.shape[1:])
        padded[self.rows] = weights
        return self.whole.object_maps(padded)[self.rows]


def _check_arguments(denoiser: Any, source: Any, scenes: Any) -> None:
    """Raises TypeError for a pipeline or a function in place of a denoiser, and for a prompt in place of its scene."""
    if not callable(denoiser) or hasattr(denoiser, "scheduler") or (hasattr(source, "source") and not hasattr(denoiser, "config")):
        raise TypeError(
            "`denoiser` must be the module that predicts the noise, such as `pipe.unet` or `pipe.transformer`, or with a source of your "
            f"own a function, got {type(denoiser).__name__}"
        )
    listed = [scenes] if isinstance(scenes, Scene) else scenes
    if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed or not all(isinstance(x, Scene) for x in listed):
        raise TypeError(f"`scenes` must be a `Scene`, or a list of at least one, such as `parse_prompt` returns, got {scenes!r:.100}")


def _nested(value: Any, depth: int) -> bool:
    """Whether `value` is a list nested `depth` levels deep."""
    listed = hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0  # the numbers of a tensor have a `__len__` too
    return depth == 0 or (listed and any(_nested(item, depth - 1) for item in value))


def _gradient(loss: Tensor, leaf: Tensor) -> Tensor:
    try:
        return torch.autograd.grad(loss, leaf)[0]
    except CheckpointError as error:
        error.add_note(
            "The denoiser runs blocks by `torch.utils.checkpoint` itself, and what the recorder watches is not run again. Switch that off; "
            'GuidanceConfig(plan="checkpoint") does the same'
        )
        raise


def _without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """Switches autocast off, which would take the losses' matrix products in half precision."""
    device = x.device.type
    on = device != "meta" and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()


def _in_float16(sample: Tensor, attention: Sequence[Attention]) -> bool:
    """Whether the denoiser computes in float16, also where it is given float32: under autocast, or with a cast of its own."""
    device = sample.device.type
    if device != "meta" and torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
        return True
    return any(x.dtype == torch.float16 for x in (sample, *(layer.like for layer in attention)))


def _usable(x: Tensor) -> Tensor:
    """Copies a tensor made under inference mode, because only the copy can take part in autograd."""
    return x.clone() if x.is_inference() else x
