"""Positions of a prompt's words on the text axis of a denoiser.

Each pipeline cleans, prefixes, pads and truncates prompts in its own way, which also depends on arguments of the call. So the prompt
alone does not give positions. A `Segment` lists the possible readings of a prompt, and the token ids of the call decide between them.
"""

import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from infsplign.adapters.versions import with_offsets
from infsplign.errors import PromptError
from infsplign.prompts.tokens import PhraseTokens, cut_off, read_phrases
from infsplign.prompts.weights import plain

Texts = Callable[[Any, Any, str], list[str]]
"""(pipeline, tokenizer, prompt) to the strings that the tokenizer may be given; the pipeline's default comes first."""


def converted(pipe: Any, tokenizer: Any, prompt: str) -> list[str]:
    """Returns the prompt, with textual-inversion tokens expanded."""
    convert = getattr(pipe, "maybe_convert_prompt", None)
    return [convert(prompt, tokenizer) if convert else prompt]


def unchanged(_pipe: Any, _tokenizer: Any, prompt: str) -> list[str]:
    """Returns the prompt unchanged."""
    return [prompt]


def preprocessed(pipe: Any, _tokenizer: Any, prompt: str) -> list[str]:
    """Preprocesses a prompt as PixArt and Sana do, without caption cleaning and, if bs4 and ftfy are installed, also with it."""
    cleaning = all(importlib.util.find_spec(name) for name in ("bs4", "ftfy"))  # without them the pipelines do not clean
    texts = [pipe._text_preprocessing(prompt, clean_caption=clean)[0] for clean in ((True, False) if cleaning else (False,))]
    return list(dict.fromkeys(texts))


def signature_default(pipe: Any, argument: str) -> Any:
    """Returns the default of an argument of the pipeline's call; None if it has no such argument."""
    parameter = inspect.signature(pipe.__call__).parameters.get(argument)  # a modular pipeline's call has none
    return parameter.default if parameter is not None else None


@dataclass(frozen=True)
class Segment:
    """A tokenizer with its encoder, whose tokens are a part of the text axis.

    Attributes:
        tokenizer, encoder: attributes of the pipeline.
        texts: the strings that the tokenizer may be given for a prompt.
        limit: number of tokens that the pipeline reads by default: a number, "tokenizer" for `model_max_length`, or "call" for
            the default of the pipeline's `max_sequence_length`.
        beside: whether its tokens have the same positions as those of the previous segment (two encoders joined on channels).
        unpadded: whether the pipeline removes padding before the denoiser.
    """

    tokenizer: str = "tokenizer"
    encoder: str = "text_encoder"
    texts: Texts = converted
    limit: int | str = "tokenizer"
    beside: bool = False
    unpadded: bool = False

    def length(self, pipe: Any, call: Mapping[str, Any] | None = None) -> int | None:
        """Returns the number of tokens that the pipeline reads when it is called with the arguments `call`, or with none but a prompt;
        None if its call does not say."""
        if self.limit == "tokenizer":
            return int(getattr(pipe, self.tokenizer).model_max_length)
        if self.limit == "call":
            name = "max_sequence_length"
            return call[name] if call and name in call else signature_default(pipe, name)
        return int(self.limit)

    def readings(self, pipe: Any, prompt: str, phrases: Sequence[str]) -> list[PhraseTokens]:
        """Returns all readings of `prompt` that contain the phrases.

        Raises:
            PromptError: no reading contains them.
        """
        tokenizer = getattr(pipe, self.tokenizer)
        found, errors = [], []
        before = instructions(self.texts(pipe, tokenizer, "a"), self.texts(pipe, tokenizer, "b"))
        for text in self.texts(pipe, tokenizer, prompt):
            begin = max((len(words) for words in before if text.startswith(words)), default=0)
            try:
                found.append(read_phrases(with_offsets(tokenizer), text, phrases, begin=begin))
            except PromptError as error:
                errors.append(error)
        if not found:
            raise errors[0]
        return found


def instructions(one: Sequence[str], other: Sequence[str]) -> set[str]:
    """What a pipeline puts before a prompt, such as an instruction or a template: that in which the texts of two prompts agree.

    >>> instructions(["Draw: a", "a"], ["Draw: b", "b"]) == {"Draw: ", ""}
    True
    """
    return {os.path.commonprefix(pair) for pair in zip(one, other, strict=True)}  # noqa: RUF071 - of characters, which is meant


Positions = tuple[tuple[int, ...], ...]
"""For each phrase its positions on the text axis."""


class ExpectedPrompt(NamedTuple):
    """A prompt, its phrases, and for each segment that the pipeline has, the possible readings."""

    prompt: str
    phrases: tuple[str, ...]
    segments: tuple[tuple[Segment, list[PhraseTokens]], ...]


def expected_prompt(pipe: Any, segments: Sequence[Segment], prompt: str, phrases: Sequence[str]) -> ExpectedPrompt:
    """Reads a prompt before the pipeline does.

    Raises:
        PromptError: a phrase is not in the prompt, every call would cut it off, or the pipeline has no tokenizer.
    """
    here = [s for s in segments if getattr(pipe, s.tokenizer, None) is not None and getattr(pipe, s.encoder, None) is not None]
    if not here:
        raise PromptError("`token_indices` must be given for a pipeline without tokenizer or text encoder")
    read = ExpectedPrompt(prompt, tuple(phrases), tuple((s, s.readings(pipe, prompt, phrases)) for s in here))
    if all(segment.limit == "tokenizer" for segment in here):  # no argument of the call can raise the limit, so cuts are known now
        positions(read, {segment: _cut(readings[0], segment.length(pipe) or 0) for segment, readings in read.segments})
    return read


def _cut(reading: PhraseTokens, length: int) -> list[int]:
    ids = reading.ids
    return ids if len(ids) <= length else ids[: length - reading.trailing] + ids[len(ids) - reading.trailing :]


def positions(read: ExpectedPrompt, rows: Mapping[Segment, Sequence[int]], pad: Mapping[Segment, int | None] | None = None) -> Positions:
    """Finds the positions of the phrases on the text axis from the ids that the encoders got.

    Args:
        read: the prompt.
        rows: for each segment the ids that its encoder got; without segments whose encoder was not called.
        pad: for each segment the padding id.

    Returns:
        For each phrase its positions in all segments that contain the whole phrase.

    Raises:
        OtherPromptError: an encoder got another prompt.
        PromptError: a phrase is cut off in every segment.
    """
    found: list[list[int]] = [[] for _ in read.phrases]
    cut = [""] * len(read.phrases)
    offset = following = 0
    for segment, readings in read.segments:
        if segment not in rows:
            continue
        row = rows[segment]
        placed = next(((r, start) for r in readings if (start := place(r, row, (pad or {}).get(segment))) is not None), None)
        if placed is None:
            raise OtherPromptError(segment)
        reading, start = placed
        start = 0 if segment.unpadded else start
        if not segment.beside:
            offset, following = following, following + len(row)
        readable = len(row) - reading.trailing if len(reading.ids) > len(row) else len(row)
        for i, numbers in enumerate(reading.numbers):
            if numbers[-1] < readable:
                found[i] += [offset + start + number for number in numbers]
            else:
                cut[i] = cut_off(read.phrases[i], reading.text[reading.begin :], numbers, readable)
    for here, message in zip(found, cut, strict=True):
        if not here:
            raise PromptError(message)
    return tuple(tuple(sorted(set(here))) for here in found)


def usual_positions(pipe: Any, segments: Sequence[Segment], prompt: str, phrases: Sequence[str]) -> Positions | None:
    """Finds the positions of the phrases in a call with the prompt alone.

    Returns:
        For each phrase its positions in all segments; None where a call decides about them, or a phrase is not in the prompt.
    """
    found: list[set[int]] = [set() for _ in phrases]
    offset = following = 0
    for segment in segments:
        tokenizer = getattr(pipe, segment.tokenizer, None)
        length = None if tokenizer is None else segment.length(pipe)
        if length is None or segment.unpadded or getattr(tokenizer, "padding_side", "right") != "right":
            return None
        try:
            readings = segment.readings(pipe, prompt, phrases)
        except (PromptError, ValueError):
            return None
        if not segment.beside:
            offset, following = following, following + length
        for reading in readings:
            if len(reading.ids) > length or plain(reading.text) != reading.text:
                return None  # cut, or encoded in parts or without its weights
            for here, numbers in zip(found, reading.numbers, strict=True):
                here.update(offset + number for number in numbers)
    return tuple(tuple(sorted(here)) for here in found)


class OtherPromptError(PromptError):
    """A text encoder got another prompt than expected."""

    def __init__(self, segment: Segment) -> None:
        super().__init__(f"`{segment.encoder}` was given another prompt")
        self.segment = segment


def place(reading: PhraseTokens, row: Sequence[int], pad: int | None) -> int | None:
    """Returns the index at which a reading begins in an encoder's ids, which may be padded on either side or cut; None if it is absent."""
    row, ids, extra = list(row), reading.ids, len(row) - len(reading.ids)
    if extra < 0:
        kept = len(row) - reading.trailing
        return 0 if row == ids[:kept] + ids[len(ids) - reading.trailing :] else None
    for start in dict.fromkeys((0, extra)):
        if row[start : start + len(ids)] == ids and all(i == pad for i in row[:start] + row[start + len(ids) :]):
            return start
    return None
