"""Differences between releases of diffusers and transformers, in one place; `make matrix` tests them."""

import re
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from weakref import WeakKeyDictionary

NEWEST = {"diffusers": (0, 42), "transformers": (5, 24), "torch": (2, 13)}
"""The newest releases that the tests were run with: docs/measured/matrix.md."""
_FAST: Any = WeakKeyDictionary()


def release(name: str) -> tuple[int, int]:
    """Returns the first two numbers of a package's version; (0, 0) if it is not installed.

    >>> release("no such package")
    (0, 0)
    """
    try:
        numbers = re.findall(r"\d+", version(name))
    except PackageNotFoundError:
        return 0, 0
    return int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0


@cache
def warn_of_newer() -> None:
    """Warns once of packages that are newer than those of the tests."""
    for name, newest in NEWEST.items():
        if (found := release(name)) > newest:
            told = ".".join(map(str, newest))
            warnings.warn(
                f"{name} {found[0]}.{found[1]} is newer than {told}, the newest release that infsplign was tested with; "
                f"if guidance fails, try {name} {told}",
                stacklevel=3,
            )


def dtype_option(dtype: Any) -> dict[str, Any]:
    """Returns the option of diffusers' `from_pretrained` for the type of the weights, whose name has changed."""
    return {"dtype" if release("diffusers") >= (0, 42) else "torch_dtype": dtype}


def with_offsets(tokenizer: Any) -> Any:
    """Returns the fast version of a tokenizer, which tells the place of each token in the text. transformers 4 loads the slow one of CLIP
    and T5. A tokenizer that cannot be converted is returned unchanged."""
    if getattr(tokenizer, "is_fast", True):
        return tokenizer
    if tokenizer not in _FAST:
        _FAST[tokenizer] = _converted(tokenizer)
    return _FAST[tokenizer]


def _converted(tokenizer: Any) -> Any:
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import convert_slow_tokenizer

    try:
        inner = convert_slow_tokenizer(tokenizer)
    except (ValueError, ImportError):
        return tokenizer
    kept = {name: getattr(tokenizer, name) for name in ("model_max_length", "padding_side", "truncation_side")}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **kept, **tokenizer.special_tokens_map)
