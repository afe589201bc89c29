"""Samples images while their attention is looked at; what was seen of each image is kept as its trace."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from infsplign.adapters import Backbone
from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.running.sampler import PipelineSampler, for_each
from infsplign.pipelines.output import UNSAFE, images_of
from infsplign.pipelines.seeding import seeded
from infsplign.pipelines.watching import LayerLook, Look, watch

UNGUIDED = GuidanceConfig(start=0.0, stop=0.0)
"""Options that guide no step: each is looked at."""
DIGITS = 5
"""Decimal places that are kept of what was seen."""


class WatchingSampler(PipelineSampler):
    """Samples a stock pipeline, and keeps for each image what attention was like in the steps that were not guided.

    Args:
        pipe: the pipeline.
        layers: exact names of the modules to look at.
        first: progress of the first step that is looked at where `config` guides some steps; all steps where it guides none.
        backbone: the family.
        options: of `PipelineSampler`.
    """

    def __init__(self, pipe: Any, layers: Sequence[str], *, first: float = 0.0, backbone: Backbone, **options: Any) -> None:
        super().__init__(pipe, keep_traces=True, **options)
        self.layers, self.first, self.backbone = tuple(layers), first, backbone

    def settings(self) -> dict[str, Any]:
        """See `PipelineSampler.settings`; with the layers."""
        return super().settings() | {"layers": list(self.layers), "first": self.first, "family": self.backbone.name}

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> Sequence[Image.Image]:
        import torch

        if self.alone and len(texts) > 1:
            return self.one_by_one(texts, seeds, config)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        given = {"num_inference_steps": self.steps, "guidance_scale": self.guidance_scale}
        options = {name: value for name, value in given.items() if value is not None} | for_each(self.call, len(texts))
        guides = config is not None and config.start < config.stop
        first = self.first if guides else 0.0
        bars = dict(getattr(self.pipe, "_progress_bar_config", {}))
        self.pipe.set_progress_bar_config(**bars | {"disable": True})
        try:
            with watch(self.pipe, texts, self.layers, config=config if guides else None, first=first, backbone=self.backbone) as watching:
                with seeded(self.pipe.scheduler, seeds, generators) as drawn:
                    images, unsafe = images_of(lambda: self.pipe(prompt=list(texts), output_type="pil", generator=generators, **options))
            if drawn.found and len(texts) > 1:
                self.alone = True
                return self.one_by_one(texts, seeds, config)
            if any(unsafe):
                raise ValueError(UNSAFE)
            self.traces = of_images(watching.looks, watching.scenes)
            return images
        finally:
            self.pipe.set_progress_bar_config(**bars)


def of_images(looks: Sequence[Look], scenes: Sequence[Scene]) -> list[list[dict[str, Any]]]:
    """Converts looks to JSON types, for each image its own.

    Args:
        looks: of one call, B rows.
        scenes: of each row; rows with fewer objects or relations than others are padded.
    """
    steps = [(look, [_lists(layer) for layer in look.layers]) for look in looks]
    return [
        [
            {"progress": look.progress, "sigma": look.sigma, "layers": [_of_row(layer, row, scene) for layer in layers]}
            for look, layers in steps
        ]
        for row, scene in enumerate(scenes)
    ]


def _lists(layer: LayerLook) -> dict[str, Any]:
    tensors = ("centroid", "mass", "variance", "unity", "overlap", "gap")
    return {"layer": layer.layer, "grid": list(layer.grid)} | {name: getattr(layer, name).double().cpu().tolist() for name in tensors}


def _of_row(layer: Mapping[str, Any], row: int, scene: Scene) -> dict[str, Any]:
    found = {name: _rounded(layer[name][row]) for name in ("centroid", "mass", "variance", "unity", "overlap", "gap")}
    each = {name: found[name][: len(scene.objects)] for name in ("centroid", "mass", "variance")}
    return {"layer": layer["layer"], "grid": layer["grid"]} | found | each | {"gap": found["gap"][: len(scene.relations)]}


def _rounded(value: Any) -> Any:
    return [_rounded(item) for item in value] if isinstance(value, list) else round(value, DIGITS)
