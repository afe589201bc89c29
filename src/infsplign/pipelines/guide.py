"""`guide(pipe, ...)`: attaches guidance to a stock diffusers pipeline, and restores the pipeline exactly."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

from infsplign.adapters import Backbone, backbone_for
from infsplign.adapters.text import Positions, expected_prompt, usual_positions
from infsplign.adapters.versions import warn_of_newer
from infsplign.core._namespace import check_flag
from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.errors import PromptError, PromptWarning
from infsplign.pipelines.guidance import PipelineGuidance
from infsplign.prompts import Entry, parse_prompt, scene_from
from infsplign.prompts.by_hand import several_places
from infsplign.prompts.tokens import check_apart, check_token_indices

Triples = Sequence[Entry]


def guide(
    pipe: Any,
    prompt: str | Sequence[str] | None = None,
    *,
    relations: Triples | Sequence[Triples] | None = None,
    token_indices: Sequence[Any] | None = None,
    config: GuidanceConfig | None = None,
    keep_maps: bool = False,
    backbone: Backbone | None = None,
    adjectives: Literal["join", "leave"] = "join",
) -> "PipelineGuidance":
    """Guides every call of `pipe` inside a `with` block.

        with infsplign.guide(pipe, "a cat to the left of a dog") as guidance:
            image = pipe("a cat to the left of a dog").images[0]
        guidance.trace

    A loop of your own in place of the call must have the rows of the prompt where the pipeline has them: behind those of the negative
    prompt, or in the first pass of each step.

    Args:
        pipe: a stock diffusers pipeline of a supported family.
        prompt: the prompt, or the list of prompts, that `pipe` will be called with. May be None if `pipe` is called with
            `prompt_embeds`; `relations` and `token_indices` are then required.
        relations: entries `(A, relation, B)`, `(A, "between", (B, C))` or `(A, place)`; for a list of prompts, one list each. Read from
            the prompt when None.
        token_indices: positions of each object's tokens on the text axis, in the order in which `relations` first
            names the objects; for a list of prompts, one list each. Found from the prompt when None.
        config: options; when None, the default of the family: `RECOMMENDED`, or `RECOMMENDED_JOINT` for joint attention.
        keep_maps: keep the object maps of each step in the trace.
        backbone: your own adapter for the pipeline's family; found by the denoiser's class when None.
        adjectives: whether the map of "a red chair", read from the prompt, is that of both words or of the noun only; see
            `parse_prompt`. Objects of `relations` are used unchanged.

    Raises:
        UnsupportedPipelineError: no adapter knows the pipeline.
        AttentionError: a tapped layer is not in the denoiser.
        PromptError: the prompt or a relation cannot be parsed, or an object is not in the prompt or is cut off.
        ValueError: relations that contradict each other, unknown relations, indices out of range or the same for two related objects.
        TypeError: `keep_maps` is neither True nor False, or `backbone` is no `Backbone`.
    """
    check_flag(keep_maps, "keep_maps")
    warn_of_newer()
    backbone = checked_backbone(backbone) or backbone_for(pipe)
    if prompt is None and (relations is None or token_indices is None):
        raise PromptError("`prompt` must be given, or both `relations` and `token_indices` (for calls with `prompt_embeds`)")
    if prompt is not None and not isinstance(prompt, str) and (isinstance(prompt, bytes) or not hasattr(prompt, "__iter__")):
        raise TypeError(f"`prompt` must be a text or a list of texts, got {prompt!r:.100}")
    many = not (isinstance(prompt, str) or prompt is None)
    prompts: list[str | None] = list(prompt) if many else [prompt]  # type: ignore[arg-type, list-item]
    if not prompts:
        raise PromptError("`prompt` must hold at least one prompt, got an empty list")
    if many and None in prompts:
        raise PromptError(f"`prompt` must be a list of prompts, got {prompts!r:.100}; for calls with `prompt_embeds` give no `prompt`")
    if isinstance(relations, Scene):
        raise TypeError('`relations` must be a list of entries such as ("cat", "left of", "dog"), got a `Scene`')
    listed = _per_prompt(relations, len(prompts), many, "relations")
    with warnings.catch_warnings():
        if token_indices is not None:  # which place is meant is said by these
            warnings.filterwarnings("ignore", ".* stands in several places", PromptWarning)
        scenes = [_scene(text, triples, adjectives) for text, triples in zip(prompts, listed, strict=True)]
    options = {"config": config, "keep_maps": keep_maps}
    if token_indices is None:
        read = [expected_prompt(pipe, backbone.segments, text or "", scene.objects) for text, scene in zip(prompts, scenes, strict=True)]
        return PipelineGuidance(pipe, backbone, scenes, read, **options)
    indices = _per_prompt(token_indices, len(prompts), many, "token_indices")
    tokens = [
        check_token_indices(given, scene.objects, _text_length(pipe, backbone, text))
        for given, scene, text in zip(indices, scenes, prompts, strict=True)
    ]
    for row, scene, text in zip(tokens, scenes, prompts, strict=True):
        check_apart(row, scene)
        _warn_of_elsewhere(pipe, backbone, row, scene, text)
    return PipelineGuidance(pipe, backbone, scenes, tokens, **options)


def checked_backbone(backbone: Any) -> Backbone | None:
    """Returns the adapter that was given.

    Raises:
        TypeError: it is none.
    """
    if backbone is not None and not isinstance(backbone, Backbone):
        raise TypeError(f"`backbone` must be a `Backbone` or None, got {backbone!r:.100}; leave it out, and it is found for `pipe`")
    return backbone


def _warn_of_elsewhere(pipe: Any, backbone: Backbone, indices: Positions, scene: Scene, prompt: str | None) -> None:
    """Warns of given positions none of which is one of the object's in the prompt, as where words are counted instead of tokens."""
    usual = None if prompt is None or backbone.dropped is not None else usual_positions(pipe, backbone.segments, prompt, scene.objects)
    if prompt is None or usual is None:
        return
    several = {phrase for phrase, _ in several_places(prompt, scene.objects)}
    for phrase, given, there in zip(scene.objects, indices, usual, strict=True):
        if phrase not in several and set(given).isdisjoint(there):
            warnings.warn(
                f"`token_indices` of {phrase!r} are {list(given)}, and its tokens in the prompt are {list(there)}: these count from 0, "
                "special ones included",
                stacklevel=3,
            )


def _text_length(pipe: Any, backbone: Backbone, prompt: str | None) -> int | None:
    """Returns the length of the text axis; None if `pipe` may be called with longer embeddings, whose length is checked at the call."""
    if prompt is None:
        return None
    for segment in backbone.segments:
        tokenizer = getattr(pipe, segment.tokenizer, None)
        limit = None if tokenizer is None else segment.length(pipe)
        if tokenizer is not None and limit is not None and len(tokenizer(prompt, truncation=False, verbose=False)["input_ids"]) > limit:
            return None
    return backbone.text_length(pipe)


def _per_prompt(values: Any, count: int, many: bool, name: str) -> list[Any]:
    if values is None:
        return [None] * count
    if not many:
        return [values]
    values = list(values)  # of an iterator too
    if len(values) != count:
        raise ValueError(f"`{name}` must have one entry a prompt: got {len(values)} for {count} prompts")
    return values


def _scene(prompt: str | None, triples: Triples | None, adjectives: Literal["join", "leave"]) -> Scene:
    if prompt is None:
        return Scene.of(() if triples is None else list(triples))
    return parse_prompt(prompt, adjectives=adjectives) if triples is None else scene_from(prompt, triples)
