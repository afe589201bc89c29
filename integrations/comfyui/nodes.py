"""The nodes."""

import math
from typing import Any

from infsplign.engine.config import RECOMMENDED, GuidanceConfig
from infsplign.prompts import parse_prompt, parse_relation, scene_from

from .conditioning import GuidedPrompt, embeddings_at
from .layers import taps_of
from .picture import attention_pictures
from .report import report_of
from .sampling import PostCFG, run_of
from .tokens import object_positions, prompt_positions

CATEGORY = "infsplign"
PROMPT = "a cat to the left of a dog"


class SpatialGuidance:
    """Guides a model by the spatial relations of a prompt."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "guide"
    NOT_IDEMPOTENT = True  # else ComfyUI gives two nodes with the same inputs one MODEL, and both traces are of the latest sampling
    CATEGORY = CATEGORY
    DESCRIPTION = "Guides the sampling so that objects are where the prompt says. Give the sampler this MODEL and the same prompt."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """ComfyUI's description of the inputs."""
        part = {"min": 0.0, "max": 1.0, "step": 0.01}
        return {
            "required": {
                "model": ("MODEL", {"tooltip": "Stable Diffusion 1.x, 2.x or XL"}),
                "clip": ("CLIP", {"tooltip": "The CLIP that encodes the sampler's positive prompt"}),
                "prompt": ("STRING", {"multiline": True, "default": PROMPT, "tooltip": "The text of the sampler's positive prompt"}),
                "relations": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "tooltip": "One relation a line, such as `cat left of dog`; empty: the relations that the prompt states",
                    },
                ),
                "strength": (
                    "FLOAT",
                    {
                        "default": RECOMMENDED.max_shift,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.005,
                        "round": 0.0001,
                        "tooltip": "Bound on the shift of the noise prediction, in standard deviations of the noise; 0 changes nothing",
                    },
                ),
                "start": ("FLOAT", part | {"default": RECOMMENDED.start, "tooltip": "Part of the sampling at which guidance starts"}),
                "stop": ("FLOAT", part | {"default": RECOMMENDED.stop, "tooltip": "Part of the sampling at which guidance ends"}),
            },
            "optional": {
                "check_prompt": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "Stop with an error if the sampler's positive prompt is another one"},
                ),
            },
        }

    def guide(
        self, model: Any, clip: Any, prompt: str, relations: str, strength: float, start: float, stop: float, check_prompt: bool = True
    ) -> tuple[Any]:
        """Returns a clone of `model` that is guided.

        Raises:
            PromptError: the prompt or the relations cannot be read, or an object's tokens are not found.
            AttentionError: the layers of the model are not known.
            ValueError: the model is guided already, or an option is out of range.
        """
        if not 0 <= strength < math.inf:  # ComfyUI does not check the range of a value that comes from another node
            raise ValueError(f"`strength` must be a finite number >= 0, got {strength!r}")
        if any(isinstance(function, PostCFG) for function in model.model_options.get("sampler_post_cfg_function", ())):
            raise ValueError("`model` is guided already by another Spatial guidance node: write all relations into one node")
        taps_of(model.get_model_object("diffusion_model"))
        guided = model.clone()
        if strength > 0:
            found = guided_prompt(clip, prompt, relations, check=check_prompt)
            guided.set_model_sampler_post_cfg_function(PostCFG(found, config_of(strength, start, stop)))
        return (guided,)


class SpatialTrace:
    """Shows what guidance did in the latest sampling of a model."""

    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("attention", "report")
    FUNCTION = "show"
    CATEGORY = CATEGORY
    DESCRIPTION = "The attention of each object over the guided steps, and a report. Connect the sampler's MODEL, and its LATENT."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """ComfyUI's description of the inputs."""
        return {
            "required": {
                "model": ("MODEL", {"tooltip": "The MODEL that the sampler gets"}),
                "latent": ("LATENT", {"tooltip": "The sampler's output, so that this node runs after it"}),
            }
        }

    def show(self, model: Any, latent: Any) -> tuple[Any, str]:
        """Returns pictures of the attention, one for each image of the batch, and a report.

        Raises:
            ValueError: this MODEL has not been sampled with guidance.
        """
        run = run_of(model)
        if run is None:
            raise ValueError(
                "`model` has not been sampled with guidance: connect the MODEL that the sampler gets, behind all other nodes, with a "
                "strength above 0"
            )
        return attention_pictures(run.trace(), run.scene, len(latent["samples"])), report_of(run)


def guided_prompt(clip: Any, prompt: str, relations: str, *, check: bool) -> GuidedPrompt:
    """Reads a prompt and finds its objects on the text axis.

    Args:
        clip: ComfyUI's CLIP.
        prompt: the text.
        relations: one a line, such as "cat left of dog"; without any, those that the prompt states.
        check: whether to encode the prompt, to find it among the sampler's conditionings.
    """
    lines = [line for line in relations.splitlines() if line.strip()]
    scene = scene_from(prompt, [parse_relation(line) for line in lines]) if lines else parse_prompt(prompt)
    positions, length = object_positions(clip, prompt, scene.objects)
    whole = prompt_positions(clip, prompt, length) if check else ()
    embeddings = embeddings_at(clip.encode_from_tokens_scheduled(clip.tokenize(prompt)), whole) if check else ()
    return GuidedPrompt(prompt, scene, positions, length, embeddings, whole)


def config_of(strength: float, start: float, stop: float) -> GuidanceConfig:
    """The recommended options with another bound and window."""
    return RECOMMENDED.with_(max_shift=strength, start=start, stop=stop)
