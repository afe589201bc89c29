"""Finds the running pipeline and its scheduler on the call stack, because several pipelines may share one denoiser."""

import sys
from collections.abc import Iterator
from typing import Any


def running_pipeline(denoiser: Any, attribute: str) -> Any | None:
    """Returns the pipeline whose call is running: the innermost object on the stack that holds `denoiser` and a scheduler.

    Args:
        denoiser: the module that is called.
        attribute: the pipeline's attribute that holds it, "unet" or "transformer".

    Returns:
        The pipeline; None in a loop written by hand.
    """
    for owner in _owners():
        held = getattr(owner, "__dict__", {}).get(attribute)
        if held is not None and getattr(held, "_orig_mod", held) is denoiser and getattr(owner, "scheduler", None) is not None:
            return owner
    return None


def call_argument(pipe: Any, name: str) -> Any:
    """Returns an argument of the call of `pipe` that is running; None if it has none of this name."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "__call__" and frame.f_locals.get("self") is pipe and name in frame.f_code.co_varnames:
            return frame.f_locals.get(name)
        frame = frame.f_back
    return None


def stepping_pipeline(scheduler: Any, attribute: str) -> Any | None:
    """Returns the pipeline with a denoiser `attribute` whose call steps `scheduler`; None in a loop written by hand."""
    for owner in _owners():
        held = getattr(owner, "__dict__", {})
        if held.get("scheduler") is scheduler and attribute in held:
            return owner
    return None


def _owners() -> Iterator[Any]:
    """Yields `self` of the methods on the stack, and the `components` of modular pipelines' blocks, innermost first."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount]
        if "self" in names or "components" in names:
            local = frame.f_locals
            for name in ("self", "components"):
                if name in names and name in local:
                    yield local[name]
        frame = frame.f_back
