"""Watches the inputs of a pipeline's text encoders: checks that they are the prompts of `guide`, and finds the positions of their words."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from infsplign.adapters.text import ExpectedPrompt, OtherPromptError, Positions, Segment, positions
from infsplign.engine.patching import forward_hook
from infsplign.engine.pytree import map_tensors
from infsplign.errors import PromptError

NO_INDICES = (
    "`token_indices` must be given to `guide` when the pipeline is called with `prompt_embeds` that were made outside the block: "
    "the positions of the objects in the embeddings cannot be known otherwise"
)

_CHANGED = (
    "the embeddings that the denoiser got are not what `{encoder}` made of a prompt in this block: they were weighted or changed, or are "
    "`prompt_embeds` of another prompt. Guidance reads the positions of the objects in the prompt that was given to `guide`; if the "
    "embeddings are not those of this prompt, pass `token_indices`"
)


class Encoded(NamedTuple):
    """One call of a text encoder: the ids of each row, and its output."""

    ids: list[list[int]]
    output: Any


class Known(NamedTuple):
    """Known embeddings of the prompts: one row for each prompt, the positions, and the number of ids in a row."""

    text: Tensor
    positions: list[Positions]
    length: int


class PromptCheck:
    """Watches the text encoders while it is attached, and compares their inputs with the expected prompts.

    Args:
        pipe: the pipeline.
        prompts: the expected prompts.
        whole: whether the pipeline gives the denoiser an encoder's tokens from the first one on, as most do: positions are those of its
            input.

    Attributes:
        length: number of ids of a prompt in the first encoder's input, in the latest call.
    """

    def __init__(self, pipe: Any, prompts: Sequence[ExpectedPrompt], *, whole: bool = True) -> None:
        self.pipe, self.prompts, self.whole = pipe, prompts, whole
        self.segments = [segment for segment, _ in prompts[0].segments]
        self.reset()

    def reset(self) -> None:
        """Forgets all recorded calls."""
        self.known: list[Known] = []
        self.length = 0
        self._forget()

    def _forget(self) -> None:
        self.calls: dict[Segment, list[Encoded]] = {segment: [] for segment in self.segments}

    def attach(self) -> Callable[[], None]:
        """Starts to watch, and returns the function that stops it."""
        stack = ExitStack()
        for segment in self.segments:
            stack.enter_context(forward_hook(getattr(self.pipe, segment.encoder), partial(self._see, segment)))
        return stack.close

    def _see(self, segment: Segment, _encoder: Any, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        ids = args[0] if args else kwargs.get("input_ids")
        if isinstance(ids, Tensor):
            self.calls[segment].append(Encoded(ids.tolist(), output))

    @property
    def negative(self) -> bool | None:
        """Whether a negative prompt was also encoded since the latest call; None if nothing was encoded."""
        calls = len(self.calls[self.segments[0]])
        return calls > 1 if calls else None

    def positions(self, text: Tensor | None = None) -> list[Positions]:
        """Returns the positions of each prompt's objects, from the encoder calls since the latest call.

        Args:
            text: (rows, T, channels), the conditional embeddings of the denoiser's call. If they are those of an earlier
                call, no new encoder call is needed.

        Raises:
            ValueError: no text encoder was called and `text` is not known, because the pipeline got `prompt_embeds`.
            PromptError: the encoders were called with other prompts, or an object is cut off.
        """
        rows = None if text is None or len(text) % len(self.prompts) else text[:: len(text) // len(self.prompts)]
        for known in self.known:
            if rows is not None and rows.shape == known.text.shape and torch.equal(rows, known.text):
                self._forget()
                self.length = known.length
                return known.positions
        try:
            found = self._encoded(rows)
        finally:
            self._forget()
        if rows is not None:
            self.known.append(Known(rows.detach().clone(), found, self.length))
        return found

    def _encoded(self, rows: Tensor | None) -> list[Positions]:
        """Returns the positions from the encoders' calls: pipelines encode the prompt first and the negative prompt after it.

        If the denoiser got the embeddings of one particular call, that call counts.
        """
        seen = {segment: calls for segment, calls in self.calls.items() if calls}
        if not seen:
            raise ValueError(NO_INDICES)
        segment, calls = next(iter(seen.items()))
        encoder = getattr(self.pipe, segment.encoder)
        outputs = [call.output for call in calls][: min(len(calls) for calls in seen.values())]
        compared = [None if rows is None else _holds(encoder, output, rows, self.whole) for output in outputs]
        held = [number for number, known in enumerate(compared) if known]
        if not held and rows is not None and (single := _one_by_one(encoder, outputs, rows, self.whole)):
            seen = {segment: [Encoded([calls[number].ids[0] for number in single], None)] for segment, calls in seen.items()}
            calls, held, outputs = seen[segment], [0], [None]
        foreign = not held and False in compared
        refused: list[OtherPromptError] = []
        # the states of a shorter text, such as that of the negative prompt, may begin as those of the prompt do
        for used in held or (range(len(outputs)) if foreign else [0]):
            try:
                found = self._of({segment: calls[used] for segment, calls in seen.items()})
            except OtherPromptError as error:
                refused.append(error)
                continue
            changed = segment if foreign else self._changed_beside(seen, used, rows) if held else None
            if changed is not None:
                warnings.warn(_CHANGED.format(encoder=changed.encoder), stacklevel=2)
            return found
        length = sum(len(calls[0].ids[0]) for segment, calls in seen.items() if not segment.beside)
        alone = rows is not None and rows.shape[1] <= length  # no other text is joined to it
        if held and alone and any(self._fits({segment: calls[n] for segment, calls in seen.items()}) for n in range(len(outputs))):
            raise PromptError(self._misplaced(segment, calls[held[0]]))
        raise PromptError(self._foreign(segment) if foreign else self._other(refused[0].segment))

    def _fits(self, call: Mapping[Segment, Encoded]) -> bool:
        """Whether a call of the encoders was given the expected prompts."""
        try:
            self._of(call)
        except PromptError:
            return False
        return True

    def _changed_beside(self, seen: Mapping[Segment, Sequence[Encoded]], used: int, rows: Tensor | None) -> Segment | None:
        """Returns the first segment whose states are joined to the previous one's on channels, and are not what its encoder made."""
        offset = 0
        for before, segment in zip(self.segments, self.segments[1:], strict=False):
            offset += getattr(getattr(self.pipe, before.encoder).config, "hidden_size", 0)
            if segment.beside and segment in seen and rows is not None and 0 < offset < rows.shape[2]:
                output = seen[segment][used].output
                if output is not None and _holds(getattr(self.pipe, segment.encoder), output, rows[..., offset:], self.whole) is False:
                    return segment
        return None

    def _of(self, first: Mapping[Segment, Encoded]) -> list[Positions]:
        pad = {segment: getattr(self.pipe, segment.tokenizer).pad_token_id for segment in first}
        found: list[Positions] = []
        for number, prompt in enumerate(self.prompts):
            rows = {}
            for segment, (seen, _) in first.items():
                each, left = divmod(len(seen), len(self.prompts))
                mine = seen[number * each : (number + 1) * each]
                if left or any(row != mine[0] for row in mine):
                    raise OtherPromptError(segment)
                rows[segment] = mine[0]
            found.append(positions(prompt, rows, pad))
        self.length = len(next(iter(first.values())).ids[0])
        return found

    def after(self, dropped: int, found: Sequence[Positions]) -> list[Positions]:
        """Returns `found`, the result of `positions`, on a text axis without the first `dropped` of the encoder's tokens.

        Raises:
            PromptError: an object lies among them.
        """
        for prompt, row in zip(self.prompts, found, strict=True):
            for phrase, numbers in zip(prompt.phrases, row, strict=True):
                if numbers[0] < dropped:
                    raise PromptError(f"{phrase!r} lies in the part of the text that does not reach the denoiser: token {numbers[0]}")
        return [tuple(tuple(i - dropped for i in numbers) for numbers in row) for row in found]

    def _other(self, segment: Segment) -> str:
        texts = [text for text in self._texts(segment) if text.strip()]
        if any(self._reads_otherwise(prompt, segment) for prompt in self.prompts):
            return (
                f"`{segment.tokenizer}` makes other tokens of the prompt than when `guide` was called, as after textual inversion was "
                "loaded; call `guide` after it"
            )
        if len(self.prompts) > 1 and [*map(_plain, texts)] == [_plain(p.prompt) for p in self.prompts]:
            return (
                f"the rows of the denoiser's first pass do not hold the prompts {texts} one behind the other: "
                f"{type(self.pipe).__name__} lays them out in another way; call it with one prompt at a time"
            )
        return (
            f"the pipeline was called with another prompt than `guide`: expected {[p.prompt for p in self.prompts]}, "
            f"got {texts} in `{segment.encoder}`; give both the same prompt, or pass "
            "`token_indices`"
        )

    def _reads_otherwise(self, prompt: ExpectedPrompt, segment: Segment) -> bool:
        """Whether the tokenizer makes other tokens of the prompt by now."""
        readings = [reading for found, each in prompt.segments if found is segment for reading in each]
        try:
            return [x.ids for x in segment.readings(self.pipe, prompt.prompt, prompt.phrases)] != [x.ids for x in readings]
        except PromptError:
            return True

    def _misplaced(self, segment: Segment, got: Encoded) -> str:
        texts = getattr(self.pipe, segment.tokenizer).batch_decode(got.ids, skip_special_tokens=True)
        return (
            f"the pipeline was called with another prompt than `guide`: expected {[p.prompt for p in self.prompts]}, and the rows of the "
            f"denoiser's first pass that hold the prompt have the embeddings of {texts}. Give both the same prompt; in a loop of your own, "
            "put it behind the negative prompt in one batch, or run the pass of the prompt first in each step"
        )

    def _foreign(self, segment: Segment) -> str:
        return (
            f"the denoiser got embeddings that were made outside the block, or changed: in the block `{segment.encoder}` was only given "
            f"{self._texts(segment)}, not {[p.prompt for p in self.prompts]}. Pass `token_indices` to `guide`: the positions of the "
            "objects in such embeddings cannot be known otherwise"
        )

    def _texts(self, segment: Segment) -> list[str]:
        rows = [row for call in self.calls[segment] for row in call.ids]
        return getattr(self.pipe, segment.tokenizer).batch_decode(rows, skip_special_tokens=True)


def _plain(text: str) -> str:
    """A text without blanks and capitals, which tokenizers do not give back."""
    return "".join(text.lower().split())


def _holds(encoder: Any, output: Any, rows: Tensor, whole: bool) -> bool | None:
    """Whether `rows` (prompts, T, channels) begin with an encoder's output; unless `whole`, whether they end with it or are parts of it.

    Pipelines take the last states, or earlier ones, which they may give the encoder's last norm (`clip_skip`). They put further tokens
    behind them, and those that are not `whole` drop tokens between the first and the last ones, or before the first. `rows` may have more
    channels. None if nothing in the output can be compared: the pipeline then makes its embeddings in another way.
    """
    found: list[Tensor] = []
    map_tensors(found.append, output)
    known: bool | None = None
    for x in found:
        if x.ndim != 3 or not x.is_floating_point() or len(x) % len(rows) or x.shape[2] > rows.shape[2]:
            continue
        known = False
        one, both = x[:: len(x) // len(rows)], min(x.shape[1], rows.shape[1])
        for states in (one, *_normed(encoder, one)):
            mine, theirs = rows[..., : x.shape[2]], states.to(rows.device, rows.dtype)
            last = not whole and both > 1 and both == mine.shape[1] and torch.equal(mine[:, 1 - both :], theirs[:, 1 - both :])
            if last or torch.equal(mine[:, :both], theirs[:, :both]):
                return True
            if all(_runs(row, of, whole) for row, of in zip(mine, theirs, strict=True)):
                return True
    return known


def _one_by_one(encoder: Any, outputs: Sequence[Any], rows: Tensor, whole: bool) -> list[int]:
    """The number of each row's output where the prompts of a batch were encoded one by one; none where a row has no output."""
    found = [next((n for n, output in enumerate(outputs) if _holds(encoder, output, row, whole)), None) for row in rows.split(1)]
    return [number for number in found if number is not None] if None not in found else []


def _runs(row: Tensor, states: Tensor, whole: bool) -> bool:
    """Whether `row` (T, channels) without the zeros at its end is a part of `states` (T', channels) in one piece, or begins them (`whole`).

    Pipelines that take each prompt's padding away, and the beginning of a template, fill the shorter rows of a batch with zeros.
    """
    filled = row.any(dim=1).nonzero()
    length = int(filled[-1]) + 1 if len(filled) else 0
    starts = (states == row[0]).all(dim=1).nonzero().flatten().tolist() if length else []
    starts = [start for start in starts if start == 0] if whole else starts
    return any(torch.equal(states[start : start + length], row[:length]) for start in starts)


def _normed(encoder: Any, states: Tensor) -> list[Tensor]:
    """The states after the last norm of a CLIP encoder; none for other encoders and other tensors.

    Computed where the states are: an offloaded encoder has gone back to the CPU by now, or, sequentially offloaded, has no weights at hand.
    """
    norm = getattr(getattr(encoder, "text_model", encoder), "final_layer_norm", None)
    if not isinstance(norm, torch.nn.LayerNorm) or norm.normalized_shape != states.shape[-1:] or norm.weight is None or norm.weight.is_meta:
        return []
    with torch.no_grad():
        return [layer_norm(states, norm.normalized_shape, norm.weight.to(states), norm.bias.to(states), norm.eps)]
