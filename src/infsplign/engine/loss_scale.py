"""Loss scaling. In float16, gradients of the loss are smaller than the smallest number, so the loss is scaled up first."""

import torch
from torch import Tensor

HALF_LOSS_SCALE = 2.0**14
"""First factor of the loss under float16: the middle of the factors that change nothing, see `docs/measured/loss_scale.md`."""
BACKOFF = 2.0**6
"""What the factor is divided by when a scaled gradient was too large for a half number."""


class LossScale:
    """The factor of each row's loss. Only float16 needs one; bfloat16 has the exponents of float32.

    A row whose scaled gradient is not finite gets a gradient of 0 in this step and a smaller factor in the next, as training in mixed
    precision does. At factor 1 a gradient that is not finite is kept, and is an error. Rows are independent of each other, and nothing
    here waits for the device.
    """

    def __init__(self, first: float = HALF_LOSS_SCALE) -> None:
        self.first = first
        self._factor: Tensor | None = None

    def scaled(self, loss: Tensor, dtype: torch.dtype) -> Tensor:
        """Returns the scaled loss (B,) to differentiate, for a denoiser that computes in `dtype`."""
        if dtype != torch.float16:
            self._factor = None
            return loss
        if self._factor is None or self._factor.shape != loss.shape:
            self._factor = torch.full_like(loss.detach(), self.first)
        return loss * self._factor

    def unscaled(self, gradient: Tensor) -> Tensor:
        """Returns the gradient (B, ...) of the unscaled loss, in float32 or better, from the gradient of the latest `scaled`."""
        gradient = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
        if self._factor is None:
            return gradient
        factor = self._factor
        overflown = ~torch.isfinite(gradient).flatten(1).all(1) & (factor > 1)
        self._factor = torch.where(overflown, (factor / BACKOFF).clamp(min=1.0), factor)
        per_row = (-1,) + (1,) * (gradient.ndim - 1)
        return torch.where(overflown.reshape(per_row), 0.0, gradient / factor.reshape(per_row))
