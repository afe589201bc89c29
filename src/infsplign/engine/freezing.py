"""Freezes a denoiser's weights while a gradient with respect to its input is taken."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

_HOOKED = ("_diffusers_hook", "_hf_hook")
"""Attributes of modules with hooks of diffusers (layerwise casting, group offloading) and of accelerate."""


class FrozenWeights:
    """The weights of a denoiser, for the passes of one sampling.

    The modules are listed once, because walking through a denoiser takes as long as many of a small one's operators. Their weights are
    read at each pass, because offloading replaces them.

    Args:
        denoiser: anything that is not a `torch.nn.Module` has no weights.

    Attributes:
        modules: of the denoiser, itself included.
    """

    def __init__(self, denoiser: Any) -> None:
        self.modules: tuple[nn.Module, ...] = tuple(denoiser.modules()) if isinstance(denoiser, nn.Module) else ()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Sets `requires_grad` of all weights to False, so that autograd saves no inputs for their gradients; then restores each flag."""
        weights = (p for module in self.modules for p in module._parameters.values())
        learning = [p for p in weights if p is not None and p.requires_grad]
        try:
            for p in learning:
                p.requires_grad_(False)
            yield
        finally:
            try:
                for p in learning:
                    p.requires_grad_(True)
            except BaseException:  # an interrupt
                for p in learning:
                    p.requires_grad_(True)
                raise

    def kept(self) -> AbstractContextManager[Any]:
        """Keeps the weights of a pass for its gradient, if hooks may replace a weight's data after its layer has run.

        Layerwise casting and group offloading do that. Without this context, autograd would find weights of another type or on another
        device. A denoiser without hooks needs no context, which saves a call of Python for each tensor that autograd keeps.
        """
        if not any(_hooked(module) for module in self.modules):
            return nullcontext()
        return torch.autograd.graph.saved_tensors_hooks(lambda x: x.detach() if x.is_leaf else x, lambda x: x)


def _hooked(module: nn.Module) -> bool:
    state = vars(module)  # `getattr` of a module is slow
    return bool(state["_forward_hooks"] or state["_forward_pre_hooks"]) or any(name in state for name in _HOOKED)
