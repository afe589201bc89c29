"""Watches the inputs of a pipeline's text encoders: checks that they are the prompts of `guide`, and finds the positions of their words."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from torch import Tensor

from infsplign.adapters.text import ExpectedPrompt, OtherPromptError, Positions, Segment, positions
from infsplign.errors import PromptError

NO_INDICES = (
    "`token_indices` must be given to `guide` when the pipeline is called with `prompt_embeds`: "
    "the positions of the objects in the embeddings cannot be known otherwise"
)


class PromptCheck:
    """Watches the text encoders while it is attached, and compares what they are given with what was expected.

    Args:
        pipe: the pipeline.
        prompts: what the pipeline is expected to be called with.
    """

    def __init__(self, pipe: Any, prompts: Sequence[ExpectedPrompt]) -> None:
        self.pipe, self.prompts = pipe, prompts
        self.segments = [segment for segment, _ in prompts[0].segments]
        self.reset()

    def reset(self) -> None:
        """Starts anew, for the next call of the pipeline."""
        self.calls: dict[Segment, list[list[list[int]]]] = {segment: [] for segment in self.segments}

    def attach(self) -> Callable[[], None]:
        """Begins to watch, and returns what ends it."""
        stack = ExitStack()
        for segment in self.segments:
            hook = partial(self._see, segment)
            stack.callback(getattr(self.pipe, segment.encoder).register_forward_pre_hook(hook, with_kwargs=True).remove)
        return stack.close

    def _see(self, segment: Segment, _encoder: Any, args: Any, kwargs: dict[str, Any]) -> None:
        ids = args[0] if args else kwargs.get("input_ids")
        if isinstance(ids, Tensor):
            self.calls[segment].append(ids.tolist())

    @property
    def negative(self) -> bool | None:
        """Whether a negative prompt was encoded as well; None where nothing was encoded."""
        calls = len(self.calls[self.segments[0]])
        return calls > 1 if calls else None

    def positions(self) -> list[Positions]:
        """Returns for each prompt the positions of its objects, by what has been seen since `reset`.

        Raises:
            ValueError: no text encoder was called: the pipeline was given `prompt_embeds`.
            PromptError: they were called with other prompts, or an object is cut off.
        """
        # pipelines encode the prompt first, and the negative prompt after it
        first = {segment: calls[0] for segment, calls in self.calls.items() if calls}
        if not first:
            raise ValueError(NO_INDICES)
        pad = {segment: getattr(self.pipe, segment.tokenizer).pad_token_id for segment in first}
        found: list[Positions] = []
        try:
            for number, prompt in enumerate(self.prompts):
                rows = {}
                for segment, seen in first.items():
                    each, left = divmod(len(seen), len(self.prompts))
                    mine = seen[number * each : (number + 1) * each]
                    if left or any(row != mine[0] for row in mine):
                        raise OtherPromptError(segment)
                    rows[segment] = mine[0]
                found.append(positions(prompt, rows, pad))
        except OtherPromptError as error:
            raise PromptError(self._other(error.segment)) from None
        self._found, self.length = found, len(first[self.segments[0]][0])
        return found

    def after(self, dropped: int) -> list[Positions]:
        """The latest `positions` on a text axis without the first `dropped` of the encoder's tokens.

        Raises:
            PromptError: an object lies among them.
        """
        for prompt, row in zip(self.prompts, self._found, strict=True):
            for phrase, numbers in zip(prompt.phrases, row, strict=True):
                if numbers[0] < dropped:
                    raise PromptError(f"{phrase!r} lies in the part of the text that does not reach the denoiser: token {numbers[0]}")
        return [tuple(tuple(i - dropped for i in numbers) for numbers in row) for row in self._found]

    def _other(self, segment: Segment) -> str:
        rows = [row for call in self.calls[segment] for row in call]
        texts = getattr(self.pipe, segment.tokenizer).batch_decode(rows, skip_special_tokens=True)
        return (
            f"the pipeline was called with another prompt than `guide`: expected {[p.prompt for p in self.prompts]}, "
            f"got {[text for text in texts if text.strip()]} in `{segment.encoder}`; give both the same prompt, or pass `token_indices`"
        )
