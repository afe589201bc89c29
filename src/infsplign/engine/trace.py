"""The record of what guidance did at each step."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepTrace:
    """One step of sampling. Rows are images: B = prompts x images a prompt.

    Attributes:
        step: number of the step, from 0.
        timestep: the scheduler's value.
        guided: False if the options did not guide the step. All fields below are then None or empty, except loss, terms, centroid,
            variance and maps of a watched step, and the shift of a step that reuses a gradient.
        watched: attention was read without a gradient, as during a pause of `patience`.
        reused: the step was shifted by the last guided step's gradient.
        loss: (B,), weighted sum of the terms that read a layer, averaged over all layers.
        terms: (B,) for each loss term, unweighted, averaged over the layers that it reads.
        centroid: (B, O, 2), x then y in [0, 1], of each object's attention.
        variance: (B, O).
        gradient_norm: (B,), L2 norm of the loss gradient with respect to the denoiser's input; with `repeats`, of the sum of gradients.
        shift: (B,), root mean square of the shift of the model's prediction.
        bounded: (B,), factor that `max_shift` applied to it.
        weight: value of `schedule` at the step.
        repeated: loss (B,) at each further gradient of the step.
        holds: (B,), whether the scene held; only with `patience`.
        actions: "guided", "watched" or "plain" for each row; only where `patience` treats rows differently.
        plan: how a guided step was computed: "split", "batched" or "checkpoint".
        objects: number of objects of each row. Where prompts of a batch have different numbers, `centroid`, `variance` and `maps` are
            padded.
        maps: object maps of each layer, (B, O, H, W), in the order in which the layers run; only with `guide(keep_maps=True)`.
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
    watched: bool = False
    reused: bool = False
    bounded: Tensor | None = None
    weight: float = 1.0
    repeated: tuple[Tensor, ...] = ()
    holds: Tensor | None = None
    actions: tuple[str, ...] | None = None
    plan: str | None = None
    objects: tuple[int, ...] | None = None

    def to_dict(self, row: int | None = None) -> dict[str, Any]:
        """Converts the step to numbers and lists for JSON, without the maps. With `row`, only the values of that image and its objects."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("maps", "objects")}
        found = {name: _plain(value if row is None else _of_row(value, row)) for name, value in values.items()}
        if row is not None and self.objects is not None:
            found |= {name: found[name][: self.objects[row]] for name in ("centroid", "variance") if found[name] is not None}
        if row is not None and self.actions is not None:  # the step is guided if any of its rows is
            found |= {"guided": found["actions"] == "guided", "watched": found["actions"] == "watched"}
        if row is not None and self.reused:  # a row that was not shifted by the gradient is not shifted by it again
            found["reused"] = found["shift"] != 0
        return found

    def with_shift(self, shift: Any, *, reused: bool, weight: float, gradient_norm: Tensor | None) -> "StepTrace":
        """The same step, shifted."""
        size = row_norm(shift.output, mean=True)
        made = {"gradient_norm": gradient_norm, "shift": size, "bounded": shift.bounded, "weight": weight}
        return replace(self, guided=not reused, reused=reused, watched=False, **made)


def row_norm(x: Tensor, *, mean: bool = False) -> Tensor:
    """Computes the L2 norm of each row, or its root mean square: (B, ...) to (B,)."""
    squares = x.float().square().flatten(1)
    return (squares.mean(1) if mean else squares.sum(1)).sqrt()


def _of_row(value: Any, row: int) -> Any:
    if isinstance(value, torch.Tensor):
        return value[row]
    if isinstance(value, dict):
        return {key: item[row] for key, item in value.items()}
    if isinstance(value, tuple):  # of tensors, or an action a row
        return value[row] if value and isinstance(value[0], str) else tuple(item[row] for item in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().tolist()
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value
