"""The errors of infsplign. Each message names the argument, what was expected, what came and what to do."""

from typing import Any


class PromptError(ValueError):
    """A prompt that cannot be read, or an object that cannot be found in it."""


class PromptWarning(UserWarning):
    """A part of a prompt that is not guided although the rest is, such as the count of "two dogs"."""


class AttentionError(ValueError):
    """Tapped layers that are missing, or that yield no attention maps."""


class UnsupportedPipelineError(TypeError):
    """A pipeline or denoiser that no adapter knows."""


class NonFiniteGradientError(ArithmeticError):
    """The gradient of the loss, the shift or the model's output holds NaN or infinity.

    Attributes:
        step: number of the sampling step, from 0.
        latents: the last good latents, as the scheduler was about to receive them.
    """

    def __init__(self, message: str, *, step: int, latents: Any) -> None:
        super().__init__(message)
        self.step, self.latents = step, latents
