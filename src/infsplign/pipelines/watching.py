"""`watch`: reads the attention of many layers while a stock pipeline samples, guided or not, and keeps a few numbers of each map."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infsplign.adapters import Backbone, backbone_for
from infsplign.adapters.text import expected_prompt
from infsplign.core.attention import Attention, AttentionSource
from infsplign.core.losses import LossReport
from infsplign.core.object_attention import observe
from infsplign.core.spatial import gaps
from infsplign.core.terms import overlap_loss, unity_loss
from infsplign.engine.attention_rows import of_rows
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.guidance import Guidance, WatchedPass
from infsplign.engine.patching import swapped_attribute
from infsplign.engine.rows import Rows
from infsplign.engine.step_plan import StepPlan, StepPlanner
from infsplign.engine.steps import Steps
from infsplign.engine.timeline import Place, Timeline
from infsplign.pipelines.call import Calls
from infsplign.pipelines.guidance import PipelineGuidance
from infsplign.pipelines.guide import checked_backbone
from infsplign.prompts import parse_prompt


class LayerLook(NamedTuple):
    """What one layer's maps are like in one step: B rows, O objects, R relations.

    Attributes:
        layer: name of the module.
        grid: (H, W) of its maps.
        centroid: (B, O, 2), x then y in [0, 1].
        mass: (B, O), of a cell on average, in [0, 1].
        variance: (B, O).
        unity: (B,), `unity_loss`: 0 where each object is one blob.
        overlap: (B,), `overlap_loss`, normalised: 0 where the objects lie apart, 0.5 where they have the same map.
        gap: (B, R), of each relation, in widths of the image.
    """

    layer: str
    grid: tuple[int, int]
    centroid: Tensor
    mass: Tensor
    variance: Tensor
    unity: Tensor
    overlap: Tensor
    gap: Tensor


class Look(NamedTuple):
    """The looks at all layers in one step, in the order in which they ran, and the step's place; `sigma` as in `Place`."""

    layers: tuple[LayerLook, ...]
    progress: float = 0.0
    sigma: float | None = None


class WatchingGuidance(Guidance):
    """Guidance whose watched passes look at other layers, those of `everything`, one at a time.

    Attributes:
        looks: one for each watched pass.
    """

    def __init__(self, everything: Any, *args: Any) -> None:
        super().__init__(*args)
        self.everything, self.looks = everything, list[Look]()

    def watch(self, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any], *, rows: slice | None = None) -> WatchedPass:
        """See `Guidance.watch`; the report has the centroids and variances averaged over all layers, and no terms."""
        rows = rows or slice(0, len(sample))
        look = partial(self._look, rows, len(sample))
        with torch.no_grad(), swapped_attribute(self.everything, "reduce", look):
            with self.everything.record(sample, *args, **kwargs) as found:
                output = self.denoiser(sample, *args, **kwargs)
        self.looks.append(Look(tuple(found)))
        self.passes.watched += rows.stop - rows.start
        self.passes.plain += len(sample) - (rows.stop - rows.start)
        centroid, variance = (torch.stack([getattr(x, name) for x in found]).mean(0) for name in ("centroid", "variance"))
        return WatchedPass(output, LossReport(torch.zeros_like(variance[:, 0]), {}, centroid, variance, ()))

    def _look(self, rows: slice, batch: int, attention: Attention) -> LayerLook:
        with torch.inference_mode(False):
            (mine,) = of_rows([attention], rows, batch)
            weights, scene = self.scene_loss.arrays(mine, rows.stop - rows.start)
            seen = observe(mine.object_maps(weights))
            height, width = seen.maps.shape[-2:]
            apart = overlap_loss(seen, scene, normalised=True), gaps(seen, scene)
            mass = seen.mass / (height * width)
            return LayerLook(mine.layer, (height, width), seen.centroid, mass, seen.variance, unity_loss(seen, scene), *apart)


class _Watcher:
    """Plans as another planner does before the progress `first`, and watches every step from there on."""

    def __init__(self, planner: StepPlanner, first: float) -> None:
        self.planner, self.first, self.observe = planner, first, planner.observe

    def plan(self, progress: float, rows: int | None = None) -> StepPlan:
        return StepPlan("watched") if progress >= self.first else self.planner.plan(progress, rows)


class WatchingSteps(Steps):
    """Steps that watch from the progress `first` on, at least the last one, and guide before it."""

    def __init__(self, guidance: WatchingGuidance, timeline: Timeline, *, first: float) -> None:
        super().__init__(guidance, timeline)
        self.planner: Any = _Watcher(self.planner, min(first, timeline.of(len(timeline) - 1).progress))

    def run(self, sample: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any], *, place: Place, rows: Rows | None = None) -> Any:
        looks: list[Look] = self.guidance.looks  # type: ignore[attr-defined]
        before = len(looks)
        output = super().run(sample, args, kwargs, place=place, rows=rows)
        if len(looks) > before:
            looks[-1] = looks[-1]._replace(progress=place.progress, sigma=place.sigma)
        return output


class WatchedCalls(Calls):
    """The state of calls whose steps watch.

    Attributes:
        everything: source of the layers that are looked at.
        first: progress from which on they are.
    """

    everything: AttentionSource
    first: float = 0.0

    def steps_of(self, forward: Callable[..., Any], indices: Sequence[Any], timeline: Timeline) -> Steps:
        guidance = WatchingGuidance(self.everything, forward, self.source, self.scenes, indices, self.chosen_config())
        return WatchingSteps(guidance, timeline, first=self.first)


class PipelineWatch(PipelineGuidance):
    """A context manager like that of `guide`. Build it with `watch`."""

    calls_type = WatchedCalls

    def __enter__(self) -> "PipelineWatch":
        super().__enter__()
        return self

    @property
    def looks(self) -> list[Look]:
        """One `Look` for each watched step of the latest call."""
        return [] if self._calls.call is None else self._calls.call.steps.guidance.looks  # type: ignore[attr-defined]


def watch(
    pipe: Any,
    prompts: Sequence[str],
    layers: Sequence[str],
    *,
    config: GuidanceConfig | None = None,
    first: float = 0.0,
    backbone: Backbone | None = None,
) -> PipelineWatch:
    """Looks at the attention of `layers` from the progress `first` on; before it, `config` guides.

        with watch(pipe, [prompt], layers) as watching:
            image = pipe(prompt).images[0]          # unguided: bit-identical to the stock pipeline's
        watching.looks

    Args:
        pipe: a stock diffusers pipeline of a supported family.
        prompts: that `pipe` will be called with; each asks for a relation.
        layers: exact names of the modules to look at.
        config: options of guidance before `first`; None guides no step.
        first: progress of the first step that is looked at. The last step always is.
        backbone: the family; found when None.

    Raises:
        UnsupportedPipelineError, AttentionError, PromptError, ValueError: as `guide`; `first` out of range.
        TypeError: `prompts` or `layers` is a text, or empty.
    """
    for name, value in (("prompts", prompts), ("layers", layers)):
        if isinstance(value, str) or not value:
            raise TypeError(f"`{name}` must be a list of at least one, got {value!r:.100}")
    if isinstance(first, bool) or not isinstance(first, int | float) or not 0 <= first <= 1:
        raise ValueError(f"`first` must lie in [0, 1], a part of the sampling, got {first!r}")
    backbone = checked_backbone(backbone) or backbone_for(pipe)
    scenes = [parse_prompt(text) for text in prompts]
    read = [expected_prompt(pipe, backbone.segments, text, scene.objects) for text, scene in zip(prompts, scenes, strict=True)]
    looked_at = {"coarse": tuple(layers)}
    if config is None:  # no step is guided; terms that need other levels are left out
        config = GuidanceConfig(start=0.0, stop=0.0, presence=0.0, balance=0.0, layers=looked_at)
    watching = PipelineWatch(pipe, backbone, scenes, read, config=config)
    watching._calls.everything = backbone.source(watching.denoiser, looked_at)  # type: ignore[attr-defined]
    watching._calls.first = first  # type: ignore[attr-defined]
    return watching
