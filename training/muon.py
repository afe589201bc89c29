"""Muon for matrices and kernels, those of one shape together.

The update of torch.optim.Muon (Keller Jordan, 2024, with the step size of arXiv 2502.16982, so that AdamW's learning rate serves). torch
orthogonalises one matrix at a time in bfloat16, which on a processor without it takes longer than the model's own pass.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalised(g: Tensor, steps: int = 5) -> Tensor:
    """Nearest orthogonal matrices, roughly: Newton-Schulz on (n, a, b), singular values end between 0.7 and 1.2."""
    a, b, c = COEFFICIENTS
    wide = g.mT if g.shape[-2] > g.shape[-1] else g
    x = wide / (wide.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + torch.baddbmm(gram, gram, gram, beta=b, alpha=c) @ x
    return x.mT if g.shape[-2] > g.shape[-1] else x


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for the weights inside a model.

    Args:
        params: matrices, or kernels, which are seen as matrices (outputs, inputs times window).
        lr: learning rate, as of AdamW.
        dtype: in which updates are orthogonalised; bfloat16 is faster on processors that have it.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            momentum, alike = group["momentum"], defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                average = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                average.lerp_(p.grad, 1 - momentum)
                update = p.grad.lerp(average, momentum).flatten(1)
                alike[tuple(update.shape)].append((p, update))
            for shape, pairs in alike.items():
                size = 0.2 * max(shape) ** 0.5  # the root mean square of AdamW's update
                stacked = torch.stack([update for _, update in pairs]).to(self.dtype)
                for (p, _), update in zip(pairs, orthogonalised(stacked).to(pairs[0][0].dtype), strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update.view_as(p), alpha=-group["lr"] * size)
