"""Raises errors for denoisers in states that guidance does not support: step caches, streamed offloading, inference mode."""

from collections.abc import Iterator
from typing import Any

from infsplign.errors import UnsupportedPipelineError


def check_denoiser(denoiser: Any) -> None:
    """Raises an error if the denoiser skips passes, or if its weights move between the pass and its gradient.

    Raises:
        UnsupportedPipelineError: a step cache, group offloading with streams, or weights made under inference mode.
    """
    kind = type(denoiser).__name__
    check_caches(denoiser)
    for place, _, hook in _hooks(denoiser):
        if getattr(getattr(hook, "group", None), "stream", None) is not None:
            raise UnsupportedPipelineError(
                f"`pipe` must not offload groups with streams: the weights of {place or kind} may be gone when the gradient "
                "is computed. Use `use_stream=False`"
            )
    if any(p.is_inference() for p in denoiser.parameters()):
        raise UnsupportedPipelineError(f"`pipe` must be loaded outside `torch.inference_mode()`: autograd cannot use the weights of {kind}")


def check_caches(denoiser: Any) -> None:
    """Raises an error if a cache gives a pass of the denoiser what another pass has computed. A guided step takes other passes than the
    pipeline, so that the cache would give a row what belongs to another one.

    Raises:
        UnsupportedPipelineError: there is such a cache.
    """
    kind = type(denoiser).__name__
    if getattr(denoiser, "is_cache_enabled", False):
        raise UnsupportedPipelineError(
            f"`pipe` must not cache steps: {kind} skips blocks whose attention must be read. Call `disable_cache()` on it"
        )
    for place, name, hook in _hooks(denoiser):
        if getattr(hook, "_is_stateful", False):  # by diffusers' `apply_pyramid_attention_broadcast` and others
            raise UnsupportedPipelineError(
                f"`pipe` must not cache steps: {type(hook).__name__} at {place or kind} gives a pass what another pass has computed. Take "
                f"it off by `diffusers.hooks.HookRegistry.check_if_exists_or_initialize(denoiser).remove_hook({name!r})`"
            )


def _hooks(denoiser: Any) -> Iterator[tuple[str, str, Any]]:
    """Yields diffusers' hooks: the name of the module, the hook's name, and the hook."""
    for place, module in denoiser.named_modules():
        registry = getattr(module, "_diffusers_hook", None)
        for name, hook in getattr(registry, "hooks", {}).items():
            yield place, name, hook
