"""What guidance did at each step, kept for looking at it afterwards."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepTrace:
    """One step of sampling. Rows are images: B = prompts x images a prompt.

    Attributes:
        step: number of the step, from 0.
        timestep: what the scheduler calls it.
        guided: False where the options left the step alone; everything below is then None or empty.
        loss: (B,), weighted sum of the terms.
        terms: per loss term (B,), unweighted.
        centroid: (B, O, 2), x then y in [0, 1], of each object's attention.
        variance: (B, O).
        gradient_norm: (B,), L2 norm of the loss gradient with respect to the denoiser's input.
        shift: (B,), root mean square of what was added to the model's prediction.
        maps: object maps a layer, (B, O, H, W) each, where `guide(keep_maps=True)`.
    """

    step: int
    timestep: float
    guided: bool
    loss: Tensor | None = None
    terms: dict[str, Tensor] | None = None
    centroid: Tensor | None = None
    variance: Tensor | None = None
    gradient_norm: Tensor | None = None
    shift: Tensor | None = None
    maps: tuple[Tensor, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON; the maps are left out."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "maps"}


def per_row(x: Tensor, *, mean: bool = False) -> Tensor:
    """L2 norm of each row, or its root mean square: (B, ...) to (B,)."""
    squares = x.float().square().flatten(1)
    return (squares.mean(1) if mean else squares.sum(1)).sqrt()


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().tolist()
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return value
