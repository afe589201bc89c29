"""Finds the grid of a layer's image positions from the denoiser's feature maps. The number of positions alone has several factorings."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import ceil
from threading import get_ident
from typing import Any

from torch import Tensor, nn

from infsplign.engine.interrupts import attachments, uninterrupted
from infsplign.engine.patching import within
from infsplign.errors import AttentionError


class FeatureSizes:
    """Watches the sizes of a denoiser's feature maps during one pass.

    In a UNet, the grid is that of the feature map that the block around the layer gets. The blocks of a transformer get sequences of
    positions. Its grid is the output size of the convolution that cuts the patches or, without one, the latents' size divided by 1, 2,
    3, ... In both, the layer must attend from as many positions as the block around it gets.

    Args:
        modules: name to module, all of the denoiser's.
        sample: its input.
        convolved: that of an earlier pass with latents of the same size. Convolutions are then not watched again: they are many, and what
            their hooks cost counts on a small denoiser.

    Attributes:
        size: of the latents.
        convolved: sizes of what the convolutions returned.
    """

    def __init__(self, modules: Mapping[str, nn.Module], sample: Tensor, convolved: frozenset[tuple[int, ...]] | None = None) -> None:
        self.size: tuple[int, ...] = tuple(sample.shape[-2:])
        self.convolved = convolved or frozenset()
        self._modules, self._known = modules, convolved is not None
        self._maps: dict[str, tuple[int, ...]] = {}
        self._positions: dict[str, set[int]] = {}
        self._thread = get_ident()  # passes of other threads are not watched

    @contextmanager
    def watched(self, layers: Sequence[str]) -> Iterator[None]:
        """Watches the blocks around `layers`, and convolutions, while the context is open."""
        around = dict.fromkeys(outer for name in layers for outer in _around(name))
        with attachments() as stack:
            with uninterrupted():
                for name in around:
                    if name in self._modules:  # a module with two names is listed once
                        hook = partial(self._block, name)
                        stack.callback(self._modules[name].register_forward_pre_hook(hook, with_kwargs=True).remove)
                for module in () if self._known else self._modules.values():
                    if isinstance(module, nn.Conv2d):
                        stack.callback(module.register_forward_hook(self._convolution).remove)
            yield

    def _block(self, name: str, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not within(self._thread):
            return
        inputs = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor) and x.is_floating_point()]
        maps = [x for x in inputs if x.ndim == 4]
        if maps:  # what else it gets is text
            self._maps[name] = tuple(maps[0].shape[-2:])
        else:
            self._positions[name] = {x.shape[1] for x in inputs if x.ndim == 3}

    def _convolution(self, _module: nn.Module, _args: Any, output: Tensor) -> None:
        if within(self._thread):
            self.convolved |= {tuple(output.shape[-2:])}

    def grid(self, layer: str, positions: int) -> tuple[int, int]:
        """Returns the (H, W) of `layer`, which attends from `positions` positions.

        Raises:
            AttentionError: the feature map has another number of positions, because tokens were merged or dropped.
        """
        around = _around(layer)
        given = next((self._positions[name] for name in around if self._positions.get(name)), None)
        if given is not None and positions not in given:
            raise AttentionError(merged(layer, positions, f"its block gets {' and '.join(map(str, sorted(given)))}"))
        height, width = next((self._maps[name] for name in around if name in self._maps), self.size)
        if height * width == positions:
            return height, width
        if (height, width) != self.size:
            raise AttentionError(merged(layer, positions, f"its feature map has {height} x {width}"))
        return self._patches(layer, positions)

    def _patches(self, layer: str, positions: int) -> tuple[int, int]:
        grid = grid_of(positions, self.size[0], self.size[1], layer)
        cut = self.convolved - {self.size}
        if cut and grid not in cut:
            sizes = " or ".join(f"{height} x {width}" for height, width in sorted(cut))
            raise AttentionError(merged(layer, positions, f"the denoiser's convolutions give {sizes}"))
        return grid


def grid_of(positions: int, height: int, width: int, layer: str) -> tuple[int, int]:
    """Returns the grid (H, W) of `positions` square patches of latents of `height` x `width`, for the patch side 1, 2, 3, ... that fits.

    Raises:
        AttentionError: no side fits.
    """
    for side in range(1, max(height, width) + 1):
        grid = ceil(height / side), ceil(width / side)
        if grid[0] * grid[1] == positions:
            return grid
        if grid[0] * grid[1] < positions:
            break
    raise AttentionError(f"`{layer}` attends from {positions} positions, which is no grid of latents {height} x {width}")


def merged(layer: str, positions: int, expected: str) -> str:
    """Makes the error message for a layer with another number of positions than `expected` says."""
    return (
        f"`{layer}` attends from {positions} positions, but {expected}: merged or dropped tokens are not laid out as the image is. Keep "
        "token merging out of cross-attention (`merge_crossattn=False` in tomesd), or out of the layers that are read; if the model's "
        "own grid is meant, pass `grid=` to `AttentionRecorder`"
    )


def _around(layer: str) -> list[str]:
    """Returns the names of the modules around `layer`, innermost first, without the denoiser itself."""
    parts = layer.split(".")
    return [".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]
