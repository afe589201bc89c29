"""A denoiser with its arguments, and the ways in which the checks run it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from infsplign.core.attention import Attention, AttentionSource


class Trial(NamedTuple):
    """A denoiser with its arguments, and the function that makes its source."""

    make_source: Callable[[Any], AttentionSource]
    denoiser: nn.Module
    sample: Tensor
    kwargs: dict[str, Any]

    def attention(self, source: AttentionSource | None = None) -> Sequence[Attention]:
        """Records a pass over `sample` with `source`, or with a new source."""
        with torch.enable_grad():
            with (source or self.make_source(self.denoiser)).record(self.sample, **self.kwargs) as attention:
                self.denoiser(self.sample, **self.kwargs)
            assert torch.is_grad_enabled(), "left behind after a pass: gradients are off"
        assert attention, "the source recorded no layer"
        return attention


def token_maps(layer: Attention, rows: int) -> Tensor:
    """The map of each token: (B, T, H, W)."""
    like: Any = layer.like
    one_each = torch.eye(layer.text_length, dtype=torch.promote_types(like.dtype, torch.float32), device=like.device)
    return layer.object_maps(one_each.expand(rows, -1, -1))


def change(old: Attention, new: Attention, rows: int) -> Tensor:
    """How much each token gained or lost against the other tokens, in logarithms: (B, T, H, W)."""
    a, b = (token_maps(layer, rows).detach().clamp(min=1e-12).log() for layer in (old, new))
    return (b - a - (b - a).mean(1, keepdim=True)).abs()


class KeyCounts(TorchFunctionMode):
    """Records the number of keys of each call of `scaled_dot_product_attention`."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            self.counts.add((args[1] if len(args) > 1 else kwargs["key"]).shape[-2])
        return func(*args, **(kwargs or {}))


def band_negated(sample: Tensor, grid: Sequence[int], axis: int, *, last: bool) -> Tensor:
    """The first or last quarter of the image along an axis times -1; packed samples are (rows, positions, channels)."""
    sample = sample.clone()
    image = sample if sample.ndim == 4 else sample.unflatten(1, tuple(grid)).movedim(-1, 1)
    parts = image.tensor_split(4, dim=2 + axis)
    parts[-1 if last else 0].neg_()
    return sample
