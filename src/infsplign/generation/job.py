"""A loaded model with its options: samples images, and makes the record for `trace.json`."""

import platform
import warnings
from collections.abc import Sequence
from typing import Any

import diffusers
import torch
import transformers

from infsplign import __version__
from infsplign.adapters.text import signature_default
from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.files import finite
from infsplign.evaluation.fingerprint import plain
from infsplign.generation.models import check_takes_text, check_used, defaults_for, image_size, takes_scale
from infsplign.generation.options import GenerateOptions, Pair, Triples
from infsplign.generation.progress import bar_options
from infsplign.generation.vocabulary import warning
from infsplign.pipelines.description import describe
from infsplign.pipelines.guidance import PipelineGuidance
from infsplign.pipelines.guide import guide
from infsplign.pipelines.output import UNSAFE, images_of
from infsplign.pipelines.seeding import seeded


class Job:
    """Images of one prompt on a loaded pipeline.

    Raises:
        ValueError: the pipeline is not supported, an object is cut off by the tokenizer.
        AttentionError: a tapped layer is missing.
    """

    def __init__(self, pipe: Any, options: GenerateOptions, scene: Scene, triples: Triples | None) -> None:
        check_takes_text(pipe)
        self.pipe, self.options, self.scene, self.triples = pipe, options, scene, triples
        defaults = defaults_for(options.model)
        own = describe(pipe, defaults.config).config
        with warnings.catch_warnings(action="ignore"):  # of a wide bound `options.check` has warned, once for all prompts
            self.config = options.guided_by(own)
        self.description = describe(pipe, self.config, defaults.call)
        self.steps = self._chosen("num_inference_steps", options.steps, defaults.steps)
        scale = self._chosen("guidance_scale", options.guidance_scale, defaults.guidance_scale)
        self.guidance_scale = scale if takes_scale(pipe) else None
        self.call = defaults.call
        check_used(pipe, options.negative_prompt, self.guidance_scale, asked=options.guidance_scale)
        self.token_indices: Any = ()
        self.guide().dismiss()  # raises before sampling if an object is not in the prompt or is cut off

    def _chosen(self, argument: str, asked: Any, preset: Any) -> Any:
        """Returns the requested value, else the preset's, else the default of the pipeline's call."""
        return next((value for value in (asked, preset) if value is not None), signature_default(self.pipe, argument))

    def guide(self, *, keep_maps: bool = False) -> PipelineGuidance:
        """Makes the guidance of one call of the pipeline."""
        return guide(self.pipe, self.options.prompt, relations=self.triples, config=self.config, keep_maps=keep_maps)

    def sample(self, number: int, method: str) -> Any:
        """Samples image `number`. The noise is drawn on the CPU, so that a seed gives the same noise on every device."""
        options = self.options
        size = image_size(self.pipe, options.height, options.width)
        given = {"negative_prompt": options.negative_prompt, "guidance_scale": self.guidance_scale, **size, **self.call}
        self.pipe.set_progress_bar_config(**bar_options(f"{method} {number + 1} of {options.images}"))
        seed = options.seed + number
        generator = torch.Generator("cpu").manual_seed(seed)
        further = {name: value for name, value in given.items() if value is not None}
        with seeded(self.pipe.scheduler, [seed], [generator]):
            (image, *_), (unsafe, *_) = images_of(
                lambda: self.pipe(prompt=options.prompt, num_inference_steps=self.steps, generator=generator, **further)
            )
        if unsafe:
            warnings.warn(f"{method} image {number + 1}: {UNSAFE}", stacklevel=1)
        if size and image.size != (size["width"], size["height"]):
            asked, made = f"{size['width']}x{size['height']}", f"{image.width}x{image.height}"
            warnings.warn(f"`--width` and `--height` ask for {asked} pixels, and {type(self.pipe).__name__} makes {made}", stacklevel=1)
        return image

    def announcement(self) -> list[str]:
        """Says what will be done, in lines."""
        scale = "none" if self.guidance_scale is None else self.guidance_scale
        return [
            f"asked: {', '.join(relation_texts(self.scene))}",
            f"model: {self.options.model} ({self.description.pipeline}) on {self.device}, {self.dtype}; {self.steps} steps, "
            f"guidance scale {scale}, scale {self.config.scale:g}, plan {self.config.plan}",
        ]

    def warning(self) -> str | None:
        """Says what the model will not understand; None if that is nothing, or unknown."""
        return warning(self.options.model, self.options.prompt)

    @property
    def device(self) -> str:
        """Where the parts run, also when they are offloaded to main memory in between."""
        return str(getattr(self.pipe, "_execution_device", self.pipe.device))

    @property
    def dtype(self) -> str:
        return str(getattr(self.pipe, "dtype", "")).removeprefix("torch.")

    def record(self, status: str, pairs: Sequence[Pair], verdicts: Any = None) -> dict[str, Any]:
        """Returns the contents of `trace.json`."""
        options, described = self.options, self.description
        return finite(
            {
                "status": status,
                "versions": {
                    "infsplign": __version__, "python": platform.python_version(), "torch": torch.__version__,
                    "diffusers": diffusers.__version__, "transformers": transformers.__version__,
                },
                "id": options.key or "prompt",
                "prompt": options.prompt,
                "negative_prompt": options.negative_prompt,
                "objects": list(self.scene.objects),
                "relations": triples_of(self.scene),
                "token_indices": {name: list(row) for name, row in zip(self.scene.objects, self.token_indices, strict=False)},
                "model": {
                    "name": options.model, "pipeline": described.pipeline, "family": described.family,
                    "denoiser": described.denoiser, "layers": [layer.name for layer in described.layers],
                    "scheduler": described.scheduler, "prediction": described.prediction,
                    "device": self.device, "dtype": self.dtype, "offload": options.offload, "vae": options.vae,
                    "loras": list(options.loras),
                },
                "config": plain_config(self.config),
                "steps": self.steps,
                "guidance_scale": self.guidance_scale,
                "seeds": [options.seed + number for number in range(options.images)],
                "verdict": verdicts.to_dict() if verdicts is not None else None,
                "images": [
                    {
                        "seed": pair.seed,
                        "size": list(pair.guided.size),
                        "files": {method: f"{method}_{number}.png" for method in pair.images},
                        "sha256": dict(pair.hashes),
                        "trace": [step.to_dict() for step in pair.trace],
                    }
                    for number, pair in enumerate(pairs)
                ],
            }
        )  # fmt: skip


def triples_of(scene: Scene) -> list[list[str]]:
    """The relations as [A, relation, B], with a fourth entry for "between" and without B for a place."""
    found = []
    for edge in scene.relations:
        first, *others = (scene.objects[number] for number in edge.objects)
        found.append([first, edge.relation.name, *others])
    return found


def relation_texts(scene: Scene) -> list[str]:
    """The relations as "A left of B"."""
    return [scene.text(edge) for edge in scene.relations]


def plain_config(config: GuidanceConfig) -> dict[str, Any]:
    """Converts options to JSON types; functions and terms by their names and captured values."""
    return plain(config) | {"penalty": getattr(config.penalty, "__name__", repr(config.penalty))}
