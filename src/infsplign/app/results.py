"""What one sampling made: the images of one seed with and without guidance, the attention, the curves, the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from infsplign.core.scenes import Scene
from infsplign.engine.trace import StepTrace
from infsplign.generation.job import Job
from infsplign.generation.options import GenerateOptions, Pair
from infsplign.generation.verdicts import Verdicts, judged
from infsplign.visuals import trace_plot
from infsplign.visuals.attention import largest_grid, marker_place, object_density

CURVES_WIDTH = 4.6
"""Inches, so that the letters can be read on a phone."""


@dataclass(frozen=True)
class Attention:
    """Attention of the O objects at the guided steps.

    Attributes:
        steps: numbers of the steps, from 1.
        densities: (steps, O, H, W), each object scaled to [0, 1] over all its steps.
        places: (steps, O, 2), centroids as parts of the image.
    """

    steps: tuple[int, ...]
    densities: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Result:
    """All that one press of the button made.

    Attributes:
        options: what was asked.
        scene: what was read from it.
        images: "unguided" and "guided", in this order.
        verdicts: of both images.
        attention: None where no step was guided.
        curves: centroids, loss terms and the gradient over the steps; None where no step was guided.
        record: as in `trace.json` of `infsplign generate`.
    """

    options: GenerateOptions
    scene: Scene
    images: Mapping[str, Image.Image]
    verdicts: Verdicts
    attention: Attention | None
    curves: Image.Image | None
    record: Mapping[str, Any]


def result_of(job: Job, pair: Pair) -> Result:
    """Judges the images of a job and draws its curves."""
    options, scene = job.options, job.scene
    images = {method: [image] for method, image in pair.images.items()}
    verdicts = judged(options.model, scene, [pair.seed], images, prompt=options.prompt)
    curves = None
    if any(step.guided for step in pair.trace):
        curves = trace_plot(pair.trace, scene, title=options.prompt, note=f"seed {pair.seed}", width=CURVES_WIDTH)
    return Result(
        options=options,
        scene=scene,
        images=pair.images,
        verdicts=verdicts,
        attention=attention_of(pair.trace),
        curves=curves,
        record=job.record("complete", [pair], verdicts),
    )


def attention_of(trace: Sequence[StepTrace]) -> Attention | None:
    """Collects the object maps of a trace; None where no step has maps."""
    steps = [step for step in trace if step.maps]
    if not steps:
        return None
    grid, count = largest_grid(steps[0]), steps[0].maps[0].shape[1]
    densities = np.stack([np.stack([object_density(step, number, grid) for number in range(count)]) for step in steps])
    low, high = np.percentile(densities, (0.5, 99.5), axis=(0, 2, 3), keepdims=True)  # a single hot cell should not fade all others
    scaled = np.clip((densities - low) / np.maximum(high - low, 1e-12), 0, 1)
    return Attention(tuple(step.step + 1 for step in steps), scaled.astype(np.float32), np.stack([marker_place(step) for step in steps]))
