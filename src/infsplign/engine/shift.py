"""From the gradient of the loss to what is added to the model's output."""

from typing import Any, NamedTuple

from torch import Tensor

from infsplign.core.update import bound_factor, size_factor
from infsplign.engine.config import GuidanceConfig


class Shift(NamedTuple):
    """The shift of one step.

    Attributes:
        output: what is added to the model's output, (B, ...).
        noise: the same, as a shift of the noise prediction.
        bounded: (B,), what `max_shift` has left of it: 1 where it was small enough.
    """

    output: Tensor
    noise: Tensor
    bounded: Tensor


def shift_of(gradient: Tensor, config: GuidanceConfig, *, weight: float = 1.0, gain: Any = 1.0) -> Shift:
    """Turns a gradient into a shift, a pure function of tensors.

        N = w eta G                        a shift of the noise prediction
        N = w eta G / rms(G)               with `normalise`
        N = N min(1, max_shift / rms(N))   with `max_shift`
        S = c N                            in the model's terms, c being `gain`

    Args:
        gradient: (B, ...), float32 or better.
        config: `scale` (eta), `normalise` and `max_shift`.
        weight: `config.weight` of the step.
        gain: factor that turns a shift of the noise into one of what the model predicts, see `infsplign.core.update.gain`.
    """
    size = weight * config.scale
    noise = size_factor(gradient, size) * gradient if config.normalise else size * gradient
    if config.max_shift is None:
        return Shift(gain * noise, noise, gradient.new_ones(len(gradient)))
    bounded = bound_factor(noise, config.max_shift)
    noise = bounded * noise
    return Shift(gain * noise, noise, bounded.flatten())


def latents_part(gradient: Tensor, output: Tensor) -> Tensor:
    """The gradient's channels that are latents: inpainting and control models have their mask and image behind them."""
    axis = channels_of(gradient)
    if gradient.ndim != output.ndim or gradient.shape[axis] <= output.shape[axis]:
        return gradient
    return gradient.narrow(axis, 0, output.shape[axis])


def channels_of(x: Tensor) -> int:
    """The axis of channels: packed latents are (rows, positions, channels)."""
    return 1 if x.ndim == 4 else -1
