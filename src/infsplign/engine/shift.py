"""Converts the gradient of the loss to the shift that is added to the model's output."""

from typing import Any, NamedTuple

from torch import Tensor

from infsplign.core.update import bound_factor, size_factor
from infsplign.engine.config import GuidanceConfig


class Shift(NamedTuple):
    """The shift of one step.

    Attributes:
        output: shift of the model's output, (B, ...).
        noise: the same shift, in terms of the noise prediction.
        bounded: (B,), factor that `max_shift` applied: 1 where the shift was below the bound.
    """

    output: Tensor
    noise: Tensor
    bounded: Tensor


def shift_of(gradient: Tensor, config: GuidanceConfig, *, weight: float = 1.0, gain: Any = 1.0) -> Shift:
    """Converts a gradient to a shift; a pure function of tensors.

        N = w eta G                        a shift of the noise prediction
        N = w eta G / rms(G)               with `normalise`
        N = N min(1, max_shift / rms(N))   with `max_shift`
        S = c N                            shift of the model's output, c is `gain`

    Args:
        gradient: (B, ...), float32 or better.
        config: `scale` (eta), `normalise` and `max_shift`.
        weight: `config.weight` of the step.
        gain: factor that converts a shift of the noise to one of the model's output, see `infsplign.core.update.gain`.
    """
    size = weight * config.scale
    noise = size_factor(gradient, size) * gradient if config.normalise else size * gradient
    if config.max_shift is None:
        return Shift(gain * noise, noise, gradient.new_ones(len(gradient)))
    bounded = bound_factor(noise, config.max_shift)
    noise = bounded * noise
    return Shift(gain * noise, noise, bounded.flatten())


def latents_part(gradient: Tensor, output: Tensor) -> Tensor:
    """Returns the gradient's latent channels; in inpainting and control models the channels of mask and image follow them."""
    axis = channels_of(gradient)
    if gradient.ndim != output.ndim or gradient.shape[axis] <= output.shape[axis]:
        return gradient
    return gradient.narrow(axis, 0, output.shape[axis])


def channels_of(x: Tensor) -> int:
    """Returns the channel axis: the second of images and videos; packed latents are (rows, positions, channels)."""
    return 1 if x.ndim > 3 else -1
