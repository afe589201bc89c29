"""`Backbone`: everything that guidance needs to know about a family of pipelines, as data and small functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infsplign.adapters.capture import AttentionRecorder, Grid
from infsplign.adapters.rows import Conditional, doubled_batch
from infsplign.adapters.text import Segment
from infsplign.engine.config import PAPER, RECOMMENDED, GuidanceConfig

Layers = Mapping[str, tuple[str, ...]]
SECOND_PICTURE = (
    "the denoiser is given a second picture beside the one it makes, as Flux Kontext and Qwen-Image-Edit do; which positions are the "
    "image's is not known: use a pipeline without a reference picture"
)


def patches(size: int) -> Grid:
    """Makes the grid function of a transformer that cuts latents (rows, channels, H, W) into patches of `size` x `size`."""
    return lambda sample, _kwargs: (sample.shape[-2] // size, sample.shape[-1] // size)


def second_quarter(name: str, count: int) -> Layers:
    """Returns the second quarter of `count` blocks, at least two and never the first: half of them "coarse", the rest "middle".

    In the shipped transformers the attention of every block but the first shows where objects are (`docs/measured/blocks-*.md`). Each
    further block adds its share of a backward pass. With the second quarter a guided step costs less than 1.4 unguided ones. `name` has a
    placeholder for the number.

    >>> second_quarter("blocks.{}.attn2", 12)
    {'coarse': ('blocks.3.attn2', 'blocks.4.attn2'), 'middle': ('blocks.5.attn2',)}
    """
    first = max(1, count // 4)
    names = tuple(name.format(i) for i in range(first, min(count, max(first + 2, count // 2))))
    return {"coarse": names[: (len(names) + 1) // 2], "middle": names[(len(names) + 1) // 2 :]}


@dataclass(frozen=True)
class Backbone:
    """One family of pipelines.

    Attributes:
        name: of the family, such as "sdxl".
        denoiser: attribute of the pipeline that holds the denoiser.
        layers: function from a denoiser to its tapped layers, as level to exact module names.
        config: function from a denoiser to the options that are used when none are given.
        published: the paper's options for the family.
        segments: the tokenizers and encoders that make up the text axis, in order.
        text, grid: see `AttentionRecorder`; `grid` is a function from a denoiser to the recorder's `grid`.
        conditional: function from the first pass of a call to its conditional rows, see `infsplign.adapters.rows`.
        layout: how the rows are laid out, in words; shown by `infsplign.describe`.
        dropped: function from (pipeline, number of ids that the encoder got, length of the text axis) to the number of the encoder's
            first tokens that do not reach the denoiser, such as a template; None if all tokens do.
        image_major_masks: whether the pipeline repeats attention masks in another order than the rows, so that several prompts with
            several images each get each other's masks (a fault of diffusers).
    """

    name: str
    layers: Callable[[Any], Layers]
    denoiser: str = "transformer"
    config: Callable[[Any], GuidanceConfig] = lambda _denoiser: RECOMMENDED
    published: GuidanceConfig = PAPER
    segments: Sequence[Segment] = (Segment(),)
    text: str = "all"
    grid: Callable[[Any], Grid | None] = lambda _denoiser: None
    conditional: Conditional = doubled_batch
    layout: str = "[uncond; cond] in one batch"
    dropped: Callable[[Any, int, int], int] | None = None
    image_major_masks: bool = False

    def source(self, denoiser: Any, layers: Layers | None = None) -> AttentionRecorder:
        """Makes the attention source of a denoiser of this family, for `layers`, or for the family's layers when None.

        Raises:
            AttentionError: a tapped layer is not there.
        """
        return AttentionRecorder(denoiser, layers or self.layers(denoiser), text=self.text, grid=self.grid(denoiser))

    def text_length(self, pipe: Any, call: Mapping[str, Any] | None = None) -> int | None:
        """Returns the number of tokens on the text axis for a call with a prompt and the arguments `call`; None if the pipeline has no
        tokenizers."""
        lengths = [s.length(pipe, call) for s in self.segments if not s.beside and getattr(pipe, s.tokenizer, None) is not None]
        known = [length for length in lengths if length is not None]
        return sum(known) if known and len(known) == len(lengths) else None


def uncompiled(module: Any) -> Any:
    """Returns the module that `torch.compile` wrapped, or the module itself."""
    return getattr(module, "_orig_mod", module)
