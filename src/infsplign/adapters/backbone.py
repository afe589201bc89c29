"""What the engine needs to know of a family of pipelines, as data and small functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infsplign.adapters.capture import all_keys
from infsplign.config import GuidanceConfig
from infsplign.errors import PromptError
from infsplign.tokens import token_indices

Layers = Mapping[str, tuple[str, ...]]


def clip_text(pipe: Any, prompt: str) -> str:
    """The string that CLIP's tokenizer sees: the prompt, with textual-inversion tokens expanded."""
    convert = getattr(pipe, "maybe_convert_prompt", None)
    return convert(prompt, pipe.tokenizer) if convert else prompt


def clip_tokens(pipe: Any, prompt: str, phrases: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Positions of each phrase among the tokens of `pipe.tokenizer`."""
    return token_indices(pipe.tokenizer, clip_text(pipe, prompt), phrases)


def doubled_batch(pipe: Any, rows: int) -> slice:
    """Conditional rows of a batch `[uncond; cond]`, or of one without classifier-free guidance."""
    if not pipe.do_classifier_free_guidance:
        return slice(0, rows)
    if rows % 2:
        raise ValueError(f"the denoiser's batch must hold `[uncond; cond]` halves under classifier-free guidance, got {rows} rows")
    return slice(rows // 2, rows)


@dataclass(frozen=True)
class Backbone:
    """One family of pipelines.

    Attributes:
        name: of the family, such as "sdxl".
        denoiser: attribute of the pipeline that holds the denoiser.
        layers: denoiser to its tapped layers, level to exact module names.
        config: preset options for a denoiser.
        text: number of attention keys to (start, stop) of the text among them.
        conditional: (pipeline, rows of the denoiser's batch) to the slice of conditional rows.
        tokens: (pipeline, prompt, phrases) to the positions of each phrase on the text axis.
        tokenizer, text_encoder: attributes of the pipeline whose input ids tell which prompt is sampled.
        layout: how the rows are laid out, for people.
    """

    name: str
    denoiser: str
    layers: Callable[[Any], Layers]
    config: Callable[[Any], GuidanceConfig]
    text: Callable[[int], tuple[int, int]] = all_keys
    conditional: Callable[[Any, int], slice] = doubled_batch
    tokens: Callable[[Any, str, Sequence[str]], tuple[tuple[int, ...], ...]] = field(default=clip_tokens)
    tokenizer: str = "tokenizer"
    text_encoder: str = "text_encoder"
    layout: str = "[uncond; cond] in one batch"

    def token_rows(self, pipe: Any, prompt: str) -> list[int]:
        """Input ids that the pipeline's text encoder gets for `prompt`, padded and truncated as the pipeline does."""
        tokenizer = getattr(pipe, self.tokenizer)
        if tokenizer is None:
            raise PromptError("`token_indices` must be given for a pipeline without tokenizer")
        return tokenizer(clip_text(pipe, prompt), padding="max_length", max_length=tokenizer.model_max_length, truncation=True).input_ids
