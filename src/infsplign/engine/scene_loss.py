"""The loss of recorded attention for the scenes of a batch."""

import warnings
from collections.abc import Sequence
from typing import Any

import array_api_compat.torch as xp
import torch
from torch import Tensor

from infsplign.core.attention import Attention, token_weights
from infsplign.core.losses import LossReport
from infsplign.core.object_attention import observe_layers
from infsplign.core.scene_arrays import SceneArrays, scene_arrays
from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.precision import without_autocast
from infsplign.engine.step_plan import scene_holds


class SceneLoss:
    """Computes the loss of each row from the attention that a source recorded.

    Args:
        scenes: one for each prompt. With `n` rows for each prompt, row `r` belongs to prompt `r // n`.
        token_indices: for each prompt, for each object of its scene, positions on the text axis.
        config: options.

    Attributes:
        loss: the compound loss of the options.
        held: (B,), whether each row's scene held in the latest measurement, by `config.margin_hold`; None without `config.patience`.
        keys: number of positions on the text axis of the latest measurement's first layer.
        rests: (B,) or one for all, whether each row's scene holds by `config.margin`, so that the spatial term may ask for nothing.
    """

    def __init__(self, scenes: Sequence[Scene], token_indices: Sequence[Any], config: GuidanceConfig) -> None:
        self.scenes, self.token_indices, self.config = scenes, token_indices, config
        self.loss = config.compound()
        self.held: Tensor | None = None
        self.keys = 0
        self.rests = torch.tensor(False)
        self._checked: list[tuple[str, str]] | None = None
        self._told = False
        self._packed: dict[tuple, tuple[Tensor, SceneArrays]] = {}

    def measure(self, attention: Sequence[Attention], rows: int) -> LossReport:
        """Computes the loss of recorded attention for `rows` rows; under autocast too in the types of `infsplign.core`."""
        recorded = [(layer.level, layer.layer) for layer in attention]
        if recorded != self._checked:
            for layer in attention:
                if not isinstance(layer.like, Tensor):
                    raise TypeError(f"`source` must record torch tensors, got {type(layer.like).__name__}")
            self.check_layers(recorded)
            if self._checked and set(recorded) != set(self._checked):
                raise ValueError(f"`source` must record the same layers in each pass, {self._checked}, got {recorded}")
            self._checked = recorded
        self.keys = attention[0].text_length
        weights, arrays = self.arrays(attention[0], rows)
        spatial = any(term.name == "spatial" and term.weight for term in self.loss.terms)  # its penalty may cost nothing from the margin on
        with without_autocast(weights):
            layers = observe_layers(attention, weights, arrays, resize=self.config.resize)
            with torch.no_grad():
                if spatial:
                    self.rests = scene_holds(layers, slack=self.config.margin)
                if self.config.patience is not None:
                    self.held = scene_holds(layers, slack=self.config.margin_hold)
            report = self.loss.of(layers)
        if len(report.total) != rows:
            raise ValueError(
                f"`source` must record the {rows} conditional rows of the pass, got attention of {len(report.total)}; give a denoiser that "
                "does not double its batch for classifier-free guidance, and combine the halves yourself"
            )
        return report

    def check_layers(self, recorded: Sequence[tuple[str, str]]) -> None:
        """Raises an error if `source` records other layers, (level, name), than the options name, or if a term reads none of them."""
        if not recorded or len(set(recorded)) < len(recorded):
            came = f"{sorted(recorded)}, one of them twice" if recorded else "none"
            raise ValueError(f"`source` must record at least one layer, and each once, got {came}")
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

    def check_gradient(self, report: LossReport, layers: Sequence[str]) -> None:
        """Warns once of layers that do not depend on the sample, and of terms that do not depend on the maps, by differentiable functions:
        the others would guide without a word of it.

        Raises:
            ValueError: nothing depends on the sample.
        """
        if not report.total.requires_grad:
            raise ValueError("`source` recorded attention without a gradient to `sample`; is the denoiser run under no_grad inside?")
        if self._told:
            return
        self._told = True
        detached = [name for name, maps in zip(layers, report.maps, strict=True) if not maps.requires_grad]
        if detached:
            warnings.warn(
                f"the attention of {' and '.join(map(repr, detached))} has no gradient to `sample`, so it guides nothing: is it recorded "
                "under `no_grad`, or a part of the denoiser detached?",
                stacklevel=3,
            )
        constant = [name for name, value in report.terms.items() if not value.requires_grad]
        if constant:
            warnings.warn(
                f"loss term {' and '.join(map(repr, constant))} has no gradient to the maps, so it guides nothing: look for a comparison, "
                "a count, `.detach()` or `.item()` in it, and see `infsplign.testing.check_term`",
                stacklevel=3,
            )

    def arrays(self, layer: Attention, rows: int) -> tuple[Tensor, SceneArrays]:
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
