"""Checks that a pipeline samples the prompts that guidance was built for."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from infsplign.adapters import Backbone
from infsplign.errors import PromptError

NO_INDICES = (
    "`token_indices` must be given to `guide` when the pipeline is called with `prompt_embeds`: "
    "the positions of the objects in the embeddings cannot be known otherwise"
)


class PromptCheck:
    """Watches the text encoder while it is attached, and compares what it is given with what was expected.

    Args:
        pipe: the pipeline.
        backbone: its family.
        prompts: what the pipeline is expected to be called with; None checks nothing.
    """

    def __init__(self, pipe: Any, backbone: Backbone, prompts: Sequence[str] | None) -> None:
        self.pipe, self.backbone, self.prompts = pipe, backbone, prompts
        self.expected = [backbone.token_rows(pipe, prompt) for prompt in prompts] if prompts is not None else None
        if self.expected is not None and getattr(pipe, backbone.text_encoder) is None:
            raise ValueError(NO_INDICES)
        self.forget()

    def forget(self) -> None:
        """Starts anew, for the next call of the pipeline."""
        self.texts: list[list[int]] = []
        self.seen = False

    def attach(self) -> Callable[[], None]:
        """Begins to watch, and returns what ends it."""
        if self.expected is None:
            return lambda: None
        return getattr(self.pipe, self.backbone.text_encoder).register_forward_pre_hook(self._see, with_kwargs=True).remove

    def _see(self, _encoder: Any, args: Any, kwargs: dict[str, Any]) -> None:
        ids = args[0] if args else kwargs.get("input_ids")
        if not isinstance(ids, Tensor) or self.expected is None:
            return
        rows = ids.tolist()
        each, left = divmod(len(rows), len(self.expected))
        if not self.texts:  # pipelines encode the prompt first, and the negative prompt after it
            self.seen = not left and all(row == self.expected[i // each] for i, row in enumerate(rows))
        self.texts.extend(rows)

    def __call__(self) -> None:
        """Checks what has been seen since `forget`.

        Raises:
            ValueError: the text encoder was not called: the pipeline was given `prompt_embeds`.
            PromptError: it was called with other prompts.
        """
        if self.seen or self.expected is None:
            return
        if not self.texts:
            raise ValueError(NO_INDICES)
        tokenizer = getattr(self.pipe, self.backbone.tokenizer)
        seen = [text for text in tokenizer.batch_decode(self.texts, skip_special_tokens=True) if text.strip()]
        raise PromptError(
            f"the pipeline was called with another prompt than `guide`: expected {list(self.prompts or ())}, got {seen}; "
            "give both the same prompt, or pass `token_indices`"
        )
