"""Gradient checkpointing, for `GuidanceConfig(plan="checkpoint")`: blocks keep their inputs and run again in the backward pass."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from infsplign.engine.patching import replaced_attribute

in_checkpoint: ContextVar[bool] = ContextVar("in_checkpoint", default=False)
"""Whether a checkpointed block is running: in the backward pass it runs again, and must save the same tensors."""


def blocks(denoiser: nn.Module) -> list[nn.Module]:
    """The parts of a denoiser that are run again: what diffusers says must not be split, the innermost of it; without such a list, the
    members of its outermost `ModuleList`s."""
    kinds = set(getattr(denoiser, "_no_split_modules", None) or ())
    found = [m for m in denoiser.modules() if type(m).__name__ in kinds]
    if found:
        holding = {id(m) for m in found if any(other is not m and type(other).__name__ in kinds for other in m.modules())}
        return [m for m in found if id(m) not in holding]
    lists = [(name, m) for name, m in denoiser.named_modules() if isinstance(m, nn.ModuleList)]
    outer = [m for name, m in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    return [block for m in outer for block in m]


@contextmanager
def checkpointed(denoiser: nn.Module) -> Iterator[None]:
    """While the context is open, blocks that record a graph keep their inputs alone.

    The graph made inside is good for a gradient after the context too. Once recording has stopped, blocks run as they are.
    """
    with ExitStack() as stack:
        # a denoiser with diffusers' own checkpointing on does the same by itself
        for block in [] if getattr(denoiser, "is_gradient_checkpointing", False) else blocks(denoiser):
            stack.enter_context(replaced_attribute(block, "forward", _again(block.forward, random=block.training)))
        yield


def _again(forward: Callable[..., Any], *, random: bool) -> Callable[..., Any]:
    @wraps(forward)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        token = in_checkpoint.set(True)
        try:
            return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=random, **kwargs)
        finally:
            in_checkpoint.reset(token)

    return wrapper
