"""The published way of taking the gradient, rewritten in few lines, to measure ours against.

As the authors' code does (arXiv 2512.17851; described in docs/method.md): both halves of the batch under grad, weights that want
gradients too, the whole graph recorded, and on tapped layers the attention probabilities computed a second time, beside the fused
attention, and kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import array_api_compat.torch as xp
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from infsplign.core import AttentionMap, Scene, paper_loss, scene_arrays, token_weights


class _Twice(TorchFunctionMode):
    """Keeps the softmax of every attention, in the model's own precision."""

    def __init__(self) -> None:
        super().__init__()
        self.probabilities: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            query, key = args[:2] if args else (kwargs["query"], kwargs["key"])
            mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
            scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
            self.probabilities = (scores if mask is None else scores + mask).softmax(-1)
        return func(*args, **kwargs)


@contextmanager
def stored(denoiser: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Probabilities (B, N, S, K) of the named modules, filled while the denoiser runs in the context."""
    found: dict[str, Tensor] = {}
    open_modes: dict[str, _Twice] = {}

    def enter(name: str) -> None:
        open_modes[name] = _Twice()
        open_modes[name].__enter__()

    def leave(name: str) -> None:
        mode = open_modes.pop(name)
        mode.__exit__(None, None, None)
        assert mode.probabilities is not None
        found[name] = mode.probabilities

    with ExitStack() as stack:
        for name in names:
            module = denoiser.get_submodule(name)
            for handle in (
                module.register_forward_pre_hook(lambda *_, name=name: enter(name)),
                module.register_forward_hook(lambda *_, name=name: leave(name)),
            ):
                stack.callback(handle.remove)
        yield found


def gradient(
    denoiser: nn.Module, sample: Tensor, kwargs: Mapping[str, Any], layers: Mapping[str, Sequence[str]], tokens: Sequence[Sequence[int]],
    *, scene: Scene, text: slice = slice(None), image: slice = slice(None), grid: tuple[int, int] | None = None, conditional: int = 1,
) -> tuple[Any, Tensor]:  # fmt: skip
    """One guided call: the denoiser's output for all rows, and the gradient of the loss with respect to the latents.

    Args:
        denoiser: weights as they are, wanting gradients.
        sample: (rows, ...), latents of the conditional rows alone; the batch is made of them twice where `conditional` is 1.
        kwargs: what else the denoiser gets, for the whole batch.
        layers: level to tapped modules.
        tokens: for each object, positions on the text axis.
        scene: objects and relations.
        text, image, grid: of joint attention: the text's keys, the image's queries, (H, W); square cross-attention without.
        conditional: 1 where unconditional rows come first, 0 where there are none.
    """
    latents = sample.detach().requires_grad_()
    with torch.enable_grad(), stored(denoiser, [name for names in layers.values() for name in names]) as found:
        output = denoiser(torch.cat([latents] * 2) if conditional else latents.view_as(latents), **kwargs)
    rows = len(sample)
    maps = []
    for level, names in layers.items():
        for name in names:
            kept = found[name][conditional * rows :, :, image, text]
            side = int(kept.shape[2] ** 0.5)
            maps.append(AttentionMap(kept, grid or (side, side), name, level))
    place = {"xp": xp, "dtype": torch.promote_types(kept.dtype, torch.float32), "device": kept.device}
    weights = token_weights([list(map(list, tokens))] * rows, kept.shape[-1], **place)
    loss = paper_loss(alpha=1.5, spatial=0.5)(maps, weights, scene_arrays([scene] * rows, **place)).total.sum()
    return output, torch.autograd.grad(loss, latents)[0]
