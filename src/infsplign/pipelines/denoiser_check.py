"""Raises errors for denoisers in states that guidance does not support: step caches, streamed offloading, inference mode."""

from typing import Any

from infsplign.errors import UnsupportedPipelineError


def check_denoiser(denoiser: Any) -> None:
    """Raises an error if the denoiser skips passes, or if its weights move between the pass and its gradient.

    Raises:
        UnsupportedPipelineError: a step cache, group offloading with streams, or weights made under inference mode.
    """
    kind = type(denoiser).__name__
    if getattr(denoiser, "is_cache_enabled", False):
        raise UnsupportedPipelineError(
            f"`pipe` must not cache steps: {kind} skips blocks whose attention must be read. Call `disable_cache()` on it"
        )
    for name, module in denoiser.named_modules():
        registry = getattr(module, "_diffusers_hook", None)
        for hook in getattr(registry, "hooks", {}).values():
            if getattr(getattr(hook, "group", None), "stream", None) is not None:
                raise UnsupportedPipelineError(
                    f"`pipe` must not offload groups with streams: the weights of {name or kind} may be gone when the gradient "
                    "is computed. Use `use_stream=False`"
                )
    if any(p.is_inference() for p in denoiser.parameters()):
        raise UnsupportedPipelineError(f"`pipe` must be loaded outside `torch.inference_mode()`: autograd cannot use the weights of {kind}")
