"""Replaces an attribute of an object for a while, then restores exactly what was there."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replaced_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Sets an instance attribute; afterwards the very object that was there is back, or nothing where nothing was."""
    there = name in vars(owner)
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if there:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


def marked(original: Callable[..., Any], replacement: Callable[..., Any]) -> Callable[..., Any]:
    """`replacement` in the guise of `original`, with an attribute `infsplign` by which it is known."""

    @functools.wraps(original)  # pipelines read the signature of `scheduler.step`
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return replacement(*args, **kwargs)

    wrapper.infsplign = True  # type: ignore[attr-defined]
    return wrapper
