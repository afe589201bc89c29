"""A pass of ComfyUI's U-Net that ends at the last layer to read: the engine's denoiser and its `AttentionSource`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from infsplign.core.attention import QueryKeyAttention
from infsplign.errors import AttentionError

from .layers import Place, taps_of
from .weights import usable_weights


@dataclass(frozen=True, eq=False)
class Call:
    """What ComfyUI's sampler hands to a post-CFG function, for one conditioning.

    Attributes:
        model: ComfyUI's model, which holds the U-Net as `diffusion_model`.
        cond: the conditioning whose rows are read.
        sigma: (B,), noise level.
        input_factor: (B, 1, 1, 1), factor from the sampler's latents to the U-Net's input, such as `1 / sqrt(sigma^2 + 1)`.
        model_options: of the model, with the patches of other nodes.
    """

    model: Any
    cond: Any
    sigma: Tensor
    input_factor: Tensor
    model_options: Any


class _AllSeenError(Exception):
    """Ends a pass whose layers have all been seen; the rest of the U-Net is not needed."""


class UNetPass:
    """Runs the U-Net and records the cross-attention of its tapped layers.

    ComfyUI has already run the U-Net for the step's prediction. So this pass stops after the last tapped layer, and a pass that nobody
    records does nothing. It returns its own input, because its output is not used.

    Args:
        unet: ComfyUI's `diffusion_model`.

    Raises:
        AttentionError: see `taps_of`.
    """

    def __init__(self, unet: Any) -> None:
        self.unet = unet
        self.taps = {tap.place: tap for tap in taps_of(unet)}
        self.layers = [(tap.level, tap.name) for tap in self.taps.values()]
        self._found: dict[Place, QueryKeyAttention] | None = None
        self._rows = 0

    @contextmanager
    def record(self, sample: Tensor, *_args: Any) -> Iterator[list[QueryKeyAttention]]:
        """See `infsplign.core.attention.AttentionSource`.

        Raises:
            AttentionError: a layer was not seen during the pass, or its positions or rows are not those of the image.
        """
        result: list[QueryKeyAttention] = []
        self._found, self._rows = {}, len(sample)
        try:
            yield result
            missing = [tap.name for place, tap in self.taps.items() if place not in self._found]
            if missing:
                raise AttentionError(f"{', '.join(missing)} did not run: does another node skip or cache blocks of the U-Net? Remove it")
            result.extend(self._found.values())
        finally:
            self._found = None

    def __call__(self, sample: Tensor, call: Call) -> Tensor:
        """Runs the U-Net up to the last tapped layer, if the pass is recorded.

        Args:
            sample: (B, C, H, W), the U-Net's input, in the type in which it computes.
            call: of the sampler.
        """
        if self._found is None:
            return sample
        from comfy.samplers import calc_cond_batch  # pyright: ignore[reportMissingImports]

        latents, sigma = sample.float() / call.input_factor.clone(), call.sigma.clone()
        conds = [[_without_gradient(call.cond)]]
        with usable_weights(self.unet), self.unet.register_forward_pre_hook(partial(_check_size, sample), with_kwargs=True):
            try:
                calc_cond_batch(call.model, conds, latents, sigma, self._patched(call.model_options))
            except _AllSeenError:
                pass
            except RuntimeError as error:
                if "nference tensor" not in str(error):
                    raise
                raise AttentionError(
                    "another node's patch of the U-Net holds tensors made under inference mode, through which no gradient passes "
                    f"({error}). Put Spatial guidance on a model without that patch"
                ) from error
        return sample

    def tap(self, x: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """Records queries and keys of a tapped layer: an `attn2_patch` of ComfyUI, which gets the inputs of a layer's projections."""
        block, index = extra_options.get("block"), extra_options.get("block_index", 0)
        place = (block[1], index) if block is not None and block[0] == "output" else None
        if self._found is not None and place in self.taps and place not in self._found:
            self._found[place] = self._attention(place, x, context, extra_options)
            if len(self._found) == len(self.taps):
                raise _AllSeenError
        return x, context, value

    def _attention(self, place: Place, x: Tensor, context: Tensor, extra_options: dict[str, Any]) -> QueryKeyAttention:
        tap, heads = self.taps[place], extra_options["n_heads"]
        if len(x) != self._rows:
            raise AttentionError(f"`{tap.name}` attends in {len(x)} rows where the batch has {self._rows}: remove nodes that make tiles")
        height, width = extra_options["activations_shape"][-2:]
        if height * width != x.shape[1]:
            raise AttentionError(
                f"`{tap.name}` attends from {x.shape[1]} positions where the image has {height} x {width}: remove nodes that merge tokens"
            )
        query, key = (_heads(project(y), heads) for project, y in ((tap.module.to_q, x), (tap.module.to_k, context)))  # type: ignore[operator]
        scale = query.shape[-1] ** -0.5
        return QueryKeyAttention(query, key, scale, (0, key.shape[2]), (height, width), layer=tap.name, level=tap.level)

    def _patched(self, model_options: Any) -> dict[str, Any]:
        """Copies the options, adds the tap behind the patches of other nodes, and chooses an attention that has a gradient."""
        options = dict(model_options)
        transformer = dict(options.get("transformer_options", {}))
        patches = dict(transformer.get("patches", {}))
        patches["attn2_patch"] = [*patches.get("attn2_patch", []), self.tap]
        options["transformer_options"] = transformer | {"patches": patches, "optimized_attention_override": _differentiable}
        return options


def _check_size(sample: Tensor, _unet: Any, args: Any, kwargs: Any) -> None:
    """Raises AttentionError if the U-Net does not get the whole image: a part of it, alone in its batch, would pass for the image."""
    seen, whole = (tuple(x.shape[-2:]) for x in (args[0] if args else kwargs["x"], sample))
    if seen != whole:
        raise AttentionError(
            f"the U-Net gets latents of {seen[0]} x {seen[1]} where the image has {whole[0]} x {whole[1]}: remove nodes that make tiles"
        )


def _heads(x: Tensor, heads: int) -> Tensor:
    """Splits channels into heads: (B, S, N D) to (B, N, S, D)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _differentiable(_chosen: Any, *args: Any, **kwargs: Any) -> Any:
    """Stands in for the attention that ComfyUI has chosen: some, such as Sage attention, have no backward pass."""
    from comfy.ldm.modules.attention import attention_pytorch  # pyright: ignore[reportMissingImports]

    return attention_pytorch(*args, **kwargs)


def _without_gradient(cond: Any) -> dict[str, Any]:
    """Returns the conditioning with its ControlNet behind a `ControlWithoutGradient`."""
    control = cond.get("control")
    return dict(cond) if control is None else cond | {"control": ControlWithoutGradient(control)}


class ControlWithoutGradient:
    """Runs a ControlNet as it runs elsewhere, under inference mode: as in `infsplign.guide`, no gradient passes through it."""

    def __init__(self, control: Any) -> None:
        self.control = control

    def get_control(self, x_noisy: Tensor, t: Tensor, cond: Any, *args: Any) -> Any:
        """See ComfyUI's `ControlBase.get_control`."""
        with torch.inference_mode():
            found = self.control.get_control(x_noisy.detach(), t, cond, *args)
        if found is None:
            return None
        return {part: [None if x is None else x.clone() for x in tensors] for part, tensors in found.items()}
