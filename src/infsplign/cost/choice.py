"""Chooses the plan of a pipeline's call for `GuidanceConfig(plan="auto")`, the default, from counts, before the first step.

One unguided pass of the denoiser is counted on the meta device, with the shapes and types of the pipeline's own arguments. Then:

1. One call for both halves saves the operators of a call, and costs the gradient of the unconditional half. The plan is "batched" if that
   gradient, divided by the operators saved, is less than a device computes in the time it takes to start an operator. Otherwise the plan is
   "split". The gradient is about as much as the pass up to the last tapped layer, for the rows that are not conditional.
2. If the free memory may be too small, the memory of the plan is counted too. The first of "batched", "split" and "checkpoint" that fits
   is chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor, nn

from infsplign.adapters import Backbone
from infsplign.cost.counting import Meter, counted
from infsplign.cost.meta_model import meta_copy, meta_guidance
from infsplign.engine.checkpointing import changes_weights
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.pytree import map_tensors
from infsplign.engine.rows import Rows
from infsplign.engine.step_pass import StepPass

STARTING = {"cpu": 8e5, "cuda": 5e8}
"""Operations that a device computes in the time it takes to call an operator from Python. The CPU's value is measured, for one thread:
`python -m benchmarks.steps auto`. CUDA: 5 microseconds at 100 TFLOP/s, not measured."""
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


class Counts(NamedTuple):
    """Counts of an unguided pass.

    Attributes:
        flops, operators, peak: see `Meter`.
        tapped: operations up to the last tapped layer, inclusive.
    """

    flops: int
    operators: int
    peak: int
    tapped: int


_COUNTED: dict[Any, tuple[nn.Module, dict[str, Counts]]] = {}
"""For each class and configuration of a denoiser and type of its weights: its copy on the meta device, and the counts of a pass of each
size. Counting takes a tenth of a second for a small model, so it is not done again for the next pipeline of the kind."""
_KEPT = 16
"""The most that `_COUNTED` holds."""


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
        layers = config.layers or backbone.layers(denoiser)
        key = str((map_tensors(lambda x: (tuple(x.shape), x.dtype), bare), layers))
        if key not in known:
            known[key] = _unguided(copy, [name for names in layers.values() for name in names], *bare)
        counts: Counts = known[key]
        others = 0 if made.rows.together else len(made.sample) - made.rows.size
        wanted = by_arithmetic(counts.tapped * others / len(made.sample), counts.operators, made.sample.device.type)
        if free is None or ROOM[wanted.plan] * counts.peak <= free:
            return wanted
        find_grid = backbone.grid(denoiser)
        grid = None if find_grid is None else find_grid(made.sample, made.kwargs)  # some families read it from values
        bare_pass = Pass(bare[0], bare[1], bare[2], made.rows)
        found = by_memory(wanted, lambda plan: _guided(copy, backbone, config.with_(plan=plan), bare_pass, grid).peak, free)
        if found.plan == "checkpoint" and (hook := changes_weights(denoiser.modules())):
            return PlanChoice("split", f"{found.why}, but {hook} does not allow to run blocks again")
        return found
    except Exception as error:  # a denoiser that cannot be built from its configuration, or runs by values: guidance works all the same
        return PlanChoice("split", f"a pass could not be counted ({type(error).__name__})")


def by_arithmetic(gradient: float, operators: int, device: str) -> PlanChoice:
    """Chooses "batched" or "split".

    Args:
        gradient: operations of the gradient of the rows that are not conditional; 0 if there are none that could run by themselves.
        operators: of a pass.
        device: type of the device.
    """
    if not gradient:
        return PlanChoice("split", "there are no unconditional rows to run by themselves")
    each, least = gradient / max(operators, 1), STARTING.get(device, 0.0)
    told = (
        f"the gradient of the unconditional half takes {each / 1e6:.2g} million operations for each operator of a pass, and calling one "
        f"takes as long as {least / 1e6:g} million ({device})"
    )
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


def _copy(denoiser: Any) -> tuple[nn.Module, dict[str, Counts]]:
    dtype = next(denoiser.parameters()).dtype  # `pipe.to` may change it between calls
    key = (type(denoiser), str(dict(denoiser.config)), dtype)
    if key not in _COUNTED:
        if len(_COUNTED) >= _KEPT:
            _COUNTED.clear()
        _COUNTED[key] = meta_copy(denoiser, dtype), {}
    return _COUNTED[key]


def _unguided(copy: nn.Module, layers: Sequence[str], sample: Tensor, args: Any, kwargs: Any) -> Counts:
    tapped = [0]
    with ExitStack() as stack:
        meter = stack.enter_context(counted())
        for name in layers:
            stack.callback(copy.get_submodule(name).register_forward_hook(lambda *_: tapped.append(meter.flops)).remove)
        with torch.no_grad():
            copy(sample, *args, **kwargs)
    return Counts(meter.flops, meter.operators, meter.peak, max(tapped))


def _guided(copy: nn.Module, backbone: Backbone, config: GuidanceConfig, made: Pass, grid: tuple[int, int] | None) -> Meter:
    sample, args, kwargs, rows = made
    guidance = meta_guidance(copy, backbone, config, grid)
    rows = rows._replace(together=rows.together or config.plan == "batched")
    with counted() as meter, torch.no_grad():
        StepPass(guidance, rows, sample, args, kwargs).guided(times=1, move=lambda gradient: gradient)
    return meter
