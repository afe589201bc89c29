"""What the engine needs to know of a family of pipelines, as data and small functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from infsplign.adapters.capture import AttentionRecorder, Grid
from infsplign.adapters.text import Segment
from infsplign.config import PAPER, GuidanceConfig

Layers = Mapping[str, tuple[str, ...]]


def doubled_batch(pipe: Any, sample: Tensor, _negative: bool | None) -> slice:
    """Conditional rows of a batch `[uncond; cond]`, or of one without classifier-free guidance."""
    return _second_half(len(sample)) if pipe.do_classifier_free_guidance else slice(0, len(sample))


def equal_halves(_pipe: Any, sample: Tensor, negative: bool | None) -> slice:
    """As `doubled_batch`, for pipelines that do not tell: by whether a negative prompt was encoded, else by equal halves."""
    half = len(sample) // 2
    doubled = negative if negative is not None else len(sample) % 2 == 0 and torch.equal(sample[:half], sample[half:])
    return _second_half(len(sample)) if doubled else slice(0, len(sample))


def first_call(_pipe: Any, sample: Tensor, _negative: bool | None) -> slice:
    """Conditional rows of pipelines that call the denoiser twice, or once: the first call of a step is all conditional."""
    return slice(0, len(sample))


def _second_half(rows: int) -> slice:
    if rows % 2:
        raise ValueError(f"the denoiser's batch must hold `[uncond; cond]` halves under classifier-free guidance, got {rows} rows")
    return slice(rows // 2, rows)


def patches(size: int) -> Grid:
    """The grid of a transformer that cuts latents (rows, channels, H, W) into square patches."""
    return lambda sample, _kwargs: (sample.shape[-2] // size, sample.shape[-1] // size)


def middle_blocks(name: str, count: int) -> Layers:
    """The middle third of `count` blocks: its first half is "coarse", the rest "middle". `name` has a place for the number.

    >>> middle_blocks("blocks.{}.attn2", 6)
    {'coarse': ('blocks.2.attn2',), 'middle': ('blocks.3.attn2',)}
    """
    first, stop = count // 3, max(count // 3 + 2, count - count // 3)
    names = tuple(name.format(i) for i in range(first, min(stop, count)))
    return {"coarse": names[: (len(names) + 1) // 2], "middle": names[(len(names) + 1) // 2 :]}


@dataclass(frozen=True)
class Backbone:
    """One family of pipelines.

    Attributes:
        name: of the family, such as "sdxl".
        denoiser: attribute of the pipeline that holds the denoiser.
        layers: denoiser to its tapped layers, level to exact module names.
        config: preset options for a denoiser.
        segments: the tokenizers and encoders that make up the text axis, in order.
        text, grid: see `AttentionRecorder`; `grid` takes the denoiser and returns what the recorder is given.
        conditional: (pipeline, the denoiser's input, whether a negative prompt was encoded) to the slice of conditional rows.
        layout: how the rows are laid out, for people.
        template: the encoder's first tokens are a template that does not reach the denoiser: the text axis is the encoder's tail.
        image_major_masks: the pipeline repeats attention masks image by image where rows go prompt by prompt, so that several
            prompts with several images each get each other's masks (a fault of diffusers).
    """

    name: str
    layers: Callable[[Any], Layers]
    denoiser: str = "transformer"
    config: Callable[[Any], GuidanceConfig] = lambda _denoiser: PAPER
    segments: Sequence[Segment] = (Segment(),)
    text: str = "all"
    grid: Callable[[Any], Grid | None] = lambda _denoiser: None
    conditional: Callable[[Any, Tensor, bool | None], slice] = doubled_batch
    layout: str = "[uncond; cond] in one batch"
    template: bool = False
    image_major_masks: bool = False

    def source(self, denoiser: Any) -> AttentionRecorder:
        """Reads the attention of a denoiser of this family.

        Raises:
            AttentionError: a tapped layer is not there.
        """
        return AttentionRecorder(denoiser, self.layers(denoiser), text=self.text, grid=self.grid(denoiser))

    def text_length(self, pipe: Any) -> int | None:
        """Tokens on the text axis when the pipeline is called with nothing but a prompt; None without tokenizers."""
        lengths = [s.length(pipe) for s in self.segments if not s.beside and getattr(pipe, s.tokenizer, None) is not None]
        return sum(lengths) or None
