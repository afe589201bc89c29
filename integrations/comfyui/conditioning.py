"""The guided prompt, and which of a sampler's conditionings holds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from infsplign.core.scenes import Scene
from infsplign.errors import PromptError

CHUNK = 77
TOLERANCE = 0.05
"""Embeddings are of the same text if they differ by at most this part of their norm."""
UNREADABLE = {
    "area": "it covers only an area of the picture",
    "mask": "it is masked",
    "gligen": "it has GLIGEN boxes, through which no gradient passes",
    "default": "it is a default conditioning, which fills what others leave",
}


@dataclass(frozen=True, eq=False)
class GuidedPrompt:
    """A prompt that is guided.

    Attributes:
        text: the prompt.
        scene: its objects and relations.
        positions: for each object its positions on the text axis.
        length: of the text axis.
        embeddings: (P, C), the text encoder's output at all tokens of the prompt; one for each way in which ComfyUI encodes the text in
            the course of sampling. Empty if the conditioning is not to be checked.
        whole: their P positions.
    """

    text: str
    scene: Scene
    positions: tuple[tuple[int, ...], ...]
    length: int
    embeddings: tuple[Tensor, ...] = ()
    whole: tuple[int, ...] = ()

    def flat(self) -> list[int]:
        """All positions, object by object."""
        return [position for positions in self.positions for position in positions]


@dataclass(frozen=True, eq=False)
class Match:
    """A conditioning that holds the prompt, and how far its tokens are moved along the text axis."""

    cond: Any
    offset: int = 0

    def active(self, sigma: float) -> bool:
        """Whether the sampler uses the conditioning at a noise level."""
        start, end = self.cond.get("timestep_start"), self.cond.get("timestep_end")
        return (start is None or sigma <= float(start)) and (end is None or sigma >= float(end))


def embeddings_at(encoded: Any, positions: Sequence[int]) -> tuple[Tensor, ...]:
    """Returns the text encoder's output at `positions`, for each entry of a CONDITIONING."""
    return tuple(cond[0, list(positions)].float().clone() for cond, *_ in encoded)


def matches(conds: Any, prompt: GuidedPrompt) -> list[Match]:
    """Finds the conditionings that hold the prompt.

    The text encoders are causal: the embedding of a token depends on the text before it and not on that after it. So the embeddings of the
    prompt's tokens are compared, and a conditioning may go on with further words.

    Args:
        conds: the sampler's positive conditionings, as a post-CFG function gets them.
        prompt: with `embeddings`, or without, if the only conditioning is to be taken as it is.

    Raises:
        PromptError: none holds the prompt, or one that does cannot be read.
    """
    conds = [cond for cond in conds or () if cond.get("cross_attn") is not None]
    if not prompt.embeddings:
        if len(conds) != 1:
            raise PromptError(
                f"the sampler's positive conditioning has {len(conds)} parts, and `check_prompt` is off: switch it on, so that the part "
                f"with this prompt is found:\n  {prompt.text}"
            )
        found = [Match(conds[0])]
    else:
        found = [Match(cond, offset) for cond in conds if (offset := _offset(cond["cross_attn"], prompt)) is not None]
    if not found:
        raise PromptError(
            "`prompt` must be the text of the sampler's positive conditioning, encoded with the CLIP of this node, but none of its "
            f"{len(conds)} parts has the same embeddings at its tokens:\n  {prompt.text}\nConnect the same text and "
            "the same CLIP to both, behind the same LoRA and CLIP nodes, or switch `check_prompt` off"
        )
    for match in found:
        _check_readable(match, prompt)
    return found


def _check_readable(match: Match, prompt: GuidedPrompt) -> None:
    for key, why in UNREADABLE.items():
        value = match.cond.get(key)
        if value is not None and value is not False:
            raise PromptError(f"the conditioning of this prompt cannot be guided, because {why} (`{key}`):\n  {prompt.text}")
    last, length = max(prompt.flat()) + match.offset, match.cond["cross_attn"].shape[1]
    if last >= length:
        raise PromptError(f"the conditioning has {length} tokens, and an object of this prompt is token {last}:\n  {prompt.text}")


def _offset(cross_attn: Tensor, prompt: GuidedPrompt) -> int | None:
    """How far the prompt's tokens are moved in a conditioning, by whole chunks of other texts before it; None if they are not there."""
    places = torch.tensor(prompt.whole)
    for offset in range(0, cross_attn.shape[1] - max(prompt.whole), CHUNK):
        given = cross_attn[:, places + offset].float()  # (rows, P, C)
        for wanted in prompt.embeddings:
            if wanted.shape[-1] == given.shape[-1] and _same(given, wanted.to(given.device)):
                return offset
    return None


def _same(given: Tensor, wanted: Tensor) -> bool:
    difference, size = (given - wanted).norm(dim=-1), wanted.norm(dim=-1)
    return bool((difference <= TOLERANCE * size).all())
