"""Finds parts of a model whose files are missing: the libraries make them up, and at most log it. Cheap to import."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infsplign.prompts.tokens import NO_LIMIT

LOGS = ("diffusers.models.modeling_utils", "transformers.modeling_utils", "transformers.utils.loading_report")
UNREAD = "pooler."
"""Weights of BERT that no pipeline reads: HunyuanDiT's is made without them."""
_NEW = "newly initialized"
_PART = re.compile(r"^(?:Some weights of )?(\w+)")
_NAME = re.compile(r"\['([^']+)'|^([^|\n]*\S) *\| MISSING", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[\d*m")


@contextmanager
def whole() -> Iterator[None]:
    """Checks what is loaded inside.

    Raises:
        OSError: a part lacks weights.
    """
    with told_by(*LOGS) as told:
        yield
    for message in told:
        if _NEW in message:
            plain = _COLOUR.sub("", message)
            part, names = _PART.search(plain), [one or other for one, other in _NAME.findall(plain)]
            needed = [name for name in names if not name.startswith(UNREAD)]
            if names and not needed:
                continue
            lacks = f"lack {needed[0]!r}, which would be random" if needed else "are not complete"
            raise OSError(f"the weights of {part[1] if part else 'a part'} {lacks}; was the file saved or downloaded whole?")


def check_tokenizers(pipe: Any) -> None:
    """Raises an error for a tokenizer of CLIP without a length, which its pipeline would pass on as 1e30.

    Raises:
        OSError: there is one.
    """
    for name, part in pipe.components.items():
        if type(part).__name__.startswith("CLIPTokenizer") and part.model_max_length > NO_LIMIT:
            raise OSError(f"`{name}` states no length (`model_max_length`): is its `tokenizer_config.json` there, and whole?")


@contextmanager
def told_by(*names: str) -> Iterator[list[str]]:
    """Collects the warnings of loggers, whatever the verbosity."""
    told = list[str]()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logs = [logging.getLogger(name) for name in names]
    before = [(log.level, log.propagate) for log in logs]
    for log in logs:
        log.setLevel(logging.WARNING)
        log.propagate = False
        log.addHandler(handler)
    try:
        yield told
    finally:
        for log, (level, propagate) in zip(logs, before, strict=True):
            log.removeHandler(handler)
            log.setLevel(level)
            log.propagate = propagate
