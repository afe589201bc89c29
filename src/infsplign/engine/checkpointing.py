"""Gradient checkpointing: blocks keep only their inputs and are recomputed in the backward pass. `GuidanceConfig(plan="checkpoint")` or
the denoiser itself asks for it.

The backward pass runs after the denoiser's `forward` has ended. State that is set only during `forward` (the scale of a LoRA, processors,
hooks, weights, generators) is saved when a block runs, and restored while the block is recomputed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial, wraps
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from infsplign.engine.block_state import BlockState
from infsplign.engine.interrupts import attachments, uninterrupted
from infsplign.engine.patching import swapped_attribute

_OWN = ("_gradient_checkpointing_func", "checkpoint_fn")  # of diffusers and transformers, and of torch's `CheckpointWrapper`

in_checkpoint: ContextVar[bool] = ContextVar("in_checkpoint", default=False)
"""Whether a checkpointed block is running: in the backward pass it runs again, and must save the same tensors."""


def checkpoints_itself(modules: Iterable[nn.Module]) -> bool:
    """Tells whether gradient checkpointing is on in one of the modules, by the attribute that diffusers and transformers set there."""
    return any(vars(module).get("gradient_checkpointing", False) for module in modules)


def changes_weights(modules: Iterable[nn.Module]) -> str:
    """Returns the name of a hook of diffusers that gives weights other data after a layer has run; empty if there is none.

    Of weights that need no gradient, torch keeps the tensor itself while a block runs again, and would find the other data in it.
    """
    for module in modules:
        for name in getattr(vars(module).get("_diffusers_hook"), "hooks", ()):
            if name in ("layerwise_casting", "group_offloading"):
                return name.replace("_", " ")
    return ""


def blocks(denoiser: nn.Module) -> list[nn.Module]:
    """Returns the blocks to recompute: the innermost of the modules that diffusers lists as not to be split or, without such a list, the
    members of the outermost `ModuleList`s."""
    kinds = set(getattr(denoiser, "_no_split_modules", None) or ())
    found = [m for m in denoiser.modules() if type(m).__name__ in kinds]
    if found:
        holding = {id(m) for m in found if any(other is not m and type(other).__name__ in kinds for other in m.modules())}
        return [m for m in found if id(m) not in holding]
    lists = [(name, m) for name, m in denoiser.named_modules() if isinstance(m, nn.ModuleList)]
    outer = [m for name, m in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    return [block for m in outer for block in m]


@contextmanager
def checkpointed(denoiser: nn.Module, *, plan: bool = True, modules: Sequence[nn.Module] | None = None) -> Iterator[None]:
    """While the context is open, blocks that record a graph keep only their inputs and are recomputed with the same state.

    The graph made inside can also be differentiated after the context. When nothing records a graph, blocks run unchanged.

    Args:
        denoiser: the owner of the blocks.
        plan: whether to checkpoint. If False, only the state of a denoiser that checkpoints by itself is restored.
        modules: all modules of the denoiser, if they have been listed.

    Raises:
        ValueError: hooks change weights between the two runs of a block.
    """
    modules = tuple(denoiser.modules()) if modules is None else modules
    itself = checkpoints_itself(modules)
    if (plan or itself) and (hook := changes_weights(modules)):
        asked = "`enable_gradient_checkpointing`" if itself else '`plan` "checkpoint"'
        raise ValueError(f'{asked} runs blocks again, and {hook} changes their weights in between; switch one of them off, or use "split"')
    with attachments() as stack:
        with uninterrupted():
            for module in modules:
                for name in _OWN:
                    own = vars(module).get(name)
                    if callable(own):
                        stack.enter_context(swapped_attribute(module, name, _own(own, module)))
            # a denoiser with diffusers' own checkpointing on does the same by itself
            for block in blocks(denoiser) if plan and not itself else []:
                stack.enter_context(swapped_attribute(block, "forward", _again(block.forward, block)))
        yield


def _again(forward: Callable[..., Any], block: nn.Module) -> Callable[..., Any]:
    @wraps(forward)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        with _in_checkpoint():
            return checkpoint(_as_before(forward, block, args, kwargs), *args, use_reentrant=False, **kwargs)

    return wrapper


def _own(own: Callable[..., Any], owner: nn.Module) -> Callable[..., Any]:
    """Stands in for a denoiser's checkpointing function, which takes a block or a function that runs one."""

    @wraps(own)
    def wrapper(run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        block = run if isinstance(run, nn.Module) else getattr(run, "__self__", None)
        with _in_checkpoint():
            return own(_as_before(run, block if isinstance(block, nn.Module) else owner, args, kwargs), *args, **kwargs)

    return wrapper


@contextmanager
def _in_checkpoint() -> Iterator[None]:
    token = in_checkpoint.set(True)
    try:
        yield
    finally:
        in_checkpoint.reset(token)


def _as_before(run: Callable[..., Any], block: nn.Module, args: Any, kwargs: Any) -> Callable[..., Any]:
    """Wraps `run` so that its second call finds the block in the state before the first."""
    state, context, first = BlockState(block, args, kwargs), copy_context(), [True]

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if first:
            first.clear()
            return run(*args, **kwargs)
        with state.restored():
            return context.copy().run(partial(run, *args, **kwargs))

    return wrapper
