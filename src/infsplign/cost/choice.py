"""Chooses the plan of a pipeline's call for `GuidanceConfig(plan="auto")` from counts, before the first step.

One pass of the denoiser is counted on the meta device, with the shapes and types of the pipeline's own arguments. Then:

1. The plan is "batched" if the average operator of the pass takes less time to compute than to start. One call for both halves saves the
   operators of a call, and costs the gradient of the other half. Otherwise the plan is "split".
2. If the free memory may be too small, the memory of the plan is counted too. The first of "batched", "split" and "checkpoint" that fits
   is chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psutil
import torch
from torch import Tensor, nn

from infsplign.adapters import Backbone
from infsplign.cost.counting import Meter, counted
from infsplign.cost.meta_model import meta_copy, meta_guidance
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.pytree import map_tensors
from infsplign.engine.rows import Rows
from infsplign.engine.step_pass import StepPass

STARTING = {"cpu": 3e7, "cuda": 5e8}
"""Operations that a device computes in the time it needs to start an operator. The CPU's value lies between the shipped models,
which "batched" makes faster, and Stable Diffusion 1.5 at 256 pixels, where it makes no difference. CUDA: 5 microseconds at 100 TFLOP/s,
not measured."""
ROOM = {"batched": 25.0, "split": 12.0, "checkpoint": 4.0}
"""Upper bound on the memory of a plan, as a multiple of an unguided step's peak. It holds in every case of docs/measured/cost.json."""
SPARE = 0.9
"""Fraction of the free memory that a plan may take, because allocators round up and operators have workspaces."""


class PlanChoice(NamedTuple):
    """The chosen plan and the reason."""

    plan: str
    why: str


class Pass(NamedTuple):
    """The arguments of a pass of the denoiser, and its conditional rows."""

    sample: Tensor
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    rows: Rows


_COUNTED: Any = WeakKeyDictionary()
"""For each denoiser and type of its weights: its copy on the meta device, and the counts of a pass of each size."""


def choose_plan(denoiser: nn.Module, backbone: Backbone, config: GuidanceConfig, made: Pass, *, free: float | None) -> PlanChoice:
    """Chooses the plan of a call from its first pass.

    Args:
        denoiser, backbone, config: the guided denoiser, its family and the options.
        made: the pass.
        free: free memory in bytes; None if it is not known.
    """
    try:
        copy, known = _copy(denoiser)
        bare = map_tensors(lambda x: x.to("meta"), (made.sample, tuple(made.args), dict(made.kwargs)))
        key = str(map_tensors(lambda x: (tuple(x.shape), x.dtype), bare))
        if key not in known:
            known[key] = _unguided(copy, *bare)
        meter: Meter = known[key]
        others = made.rows.size < len(made.sample) and not made.rows.together
        wanted = by_arithmetic(meter.flops, meter.operators, made.sample.device.type, others=others)
        if free is None or ROOM[wanted.plan] * meter.peak <= free:
            return wanted
        find_grid = backbone.grid(denoiser)
        grid = None if find_grid is None else find_grid(made.sample, made.kwargs)  # some families read it from values
        bare_pass = Pass(bare[0], bare[1], bare[2], made.rows)
        return by_memory(wanted, lambda plan: _guided(copy, backbone, config.with_(plan=plan), bare_pass, grid).peak, free)
    except Exception as error:  # a denoiser that cannot be built from its configuration, or runs by values: guidance works all the same
        return PlanChoice("split", f"a pass could not be counted ({type(error).__name__})")


def by_arithmetic(flops: float, operators: int, device: str, *, others: bool) -> PlanChoice:
    """Chooses "batched" or "split" from the operations and operators of a pass; `others` says whether it also has unconditional rows."""
    if not others:
        return PlanChoice("split", "all rows are conditional")
    each, least = flops / max(operators, 1), STARTING.get(device, 0.0)
    told = f"{each / 1e6:.0f} million operations an operator, {least / 1e6:.0f} are what it takes to start one ({device})"
    return PlanChoice("batched" if each < least else "split", told)


def by_memory(wanted: PlanChoice, needs: Callable[[str], float], free: float) -> PlanChoice:
    """Returns the first plan that fits, starting at `wanted`. If none fits, returns "checkpoint", which needs the least memory.

    Args:
        wanted: the plan if memory suffices.
        needs: function from a plan to the bytes of a guided step.
        free: free memory in bytes.
    """
    order = ("batched", "split", "checkpoint")
    for plan in order[order.index(wanted.plan) : 2]:
        if needs(plan) <= SPARE * free:
            return wanted if plan == wanted.plan else PlanChoice(plan, f"{wanted.plan!r} does not fit in {free / 1e9:.2f} GB")
    return PlanChoice("checkpoint", f'"split" does not fit in {free / 1e9:.2f} GB')


def free_memory(device: torch.device) -> float | None:
    """Returns the bytes available for tensors on the device; None if the device cannot tell."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + held)
    return float(psutil.virtual_memory().available) if device.type == "cpu" else None


def _copy(denoiser: nn.Module) -> tuple[nn.Module, dict[str, Meter]]:
    dtype = next(denoiser.parameters()).dtype  # `pipe.to` may change it between calls
    copies = _COUNTED.setdefault(denoiser, {})
    if dtype not in copies:
        copies[dtype] = meta_copy(denoiser, dtype), {}
    return copies[dtype]


def _unguided(copy: nn.Module, sample: Tensor, args: Any, kwargs: Any) -> Meter:
    with counted() as meter, torch.no_grad():
        copy(sample, *args, **kwargs)
    return meter


def _guided(copy: nn.Module, backbone: Backbone, config: GuidanceConfig, made: Pass, grid: tuple[int, int] | None) -> Meter:
    sample, args, kwargs, rows = made
    guidance = meta_guidance(copy, backbone, config, grid)
    rows = rows._replace(together=rows.together or config.plan == "batched")
    with counted() as meter, torch.no_grad():
        StepPass(guidance, rows, sample, args, kwargs).guided(times=1, move=lambda gradient: gradient)
    return meter
