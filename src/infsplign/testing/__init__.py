"""Checks for adapters and losses of your own, to be called in your tests; see `docs/testing.md`.

`infsplign.testing.strategies` needs hypothesis and is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from infsplign.testing.attention_source import check_attention_source
from infsplign.testing.blobs import blob_maps
from infsplign.testing.term import check_term

if not __debug__:
    raise RuntimeError("`infsplign.testing` checks by `assert` statements, which `python -O` removes: run it without")

if TYPE_CHECKING:
    from infsplign.testing import strategies

__all__ = ["blob_maps", "check_attention_source", "check_term", "strategies"]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return import_module("infsplign.testing.strategies")
    raise AttributeError(f"module 'infsplign.testing' has no attribute {name!r}")
