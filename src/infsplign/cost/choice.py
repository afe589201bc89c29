"""Which plan a call of a pipeline takes with `GuidanceConfig(plan="auto")`: decided from counts, before its first step.

One pass of the denoiser is counted on the meta device, with what the pipeline calls it with, but without numbers. Then:

1. "batched" where the average operator of the pass has less arithmetic than it takes to start one: both halves in one call save a
   call's operators, and pay with the gradient of the other half. Else "split".
2. Where the memory that is free may not do, what the plan keeps is counted too; the next of "batched", "split", "checkpoint" that fits
   is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psutil
import torch
from torch import Tensor, nn

from infsplign.adapters import Backbone
from infsplign.core.scenes import Scene
from infsplign.cost.counting import Meter, counted
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.guidance import Guidance
from infsplign.engine.pytree import map_tensors
from infsplign.engine.rows import Rows
from infsplign.engine.step_pass import StepPass

SCENE = Scene.of([("first", "left of", "second")])
STARTING = {"cpu": 3e7, "cuda": 5e8}
"""Operations that a device does in the time that it takes to start an operator. CPU: between the shipped models, which "batched" makes
faster, and Stable Diffusion 1.5 at 256 pixels, where it makes no difference. CUDA: 5 microseconds at 100 TFLOP/s, not measured."""
ROOM = {"batched": 25.0, "split": 12.0, "checkpoint": 3.0}
"""What a plan takes at the most, as a multiple of an unguided step's peak: above it in every case of docs/measured/cost.json."""
SPARE = 0.9
"""Part of the free memory that a plan may take: allocators round up, and operators have workspaces."""


class PlanChoice(NamedTuple):
    """The plan, and why it was chosen."""

    plan: str
    why: str


class Pass(NamedTuple):
    """What a pass of the denoiser is called with, and which rows of it are conditional."""

    sample: Tensor
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    rows: Rows


_COUNTED: Any = WeakKeyDictionary()
"""Denoiser to its copy without numbers, and to what passes of each size take."""


def choose_plan(denoiser: nn.Module, backbone: Backbone, config: GuidanceConfig, made: Pass, *, free: float | None) -> PlanChoice:
    """Chooses the plan of a call, by its first pass.

    Args:
        denoiser, backbone, config: what is guided, and how.
        made: the pass.
        free: bytes of memory that are free; None where it is not known.
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
        grid = backbone.grid(denoiser)
        if grid is not None:  # some adapters read it from values
            size = grid(made.sample, made.kwargs)
            backbone = replace(backbone, grid=lambda _model: lambda _sample, _kwargs: size)
        bare_pass = Pass(bare[0], bare[1], bare[2], made.rows)
        return by_memory(wanted, lambda plan: _guided(copy, backbone, config.with_(plan=plan), bare_pass).peak, free)
    except Exception as error:  # a denoiser that cannot be built from its configuration, or runs by values: guidance works all the same
        return PlanChoice("split", f"a pass could not be counted ({type(error).__name__})")


def by_arithmetic(flops: float, operators: int, device: str, *, others: bool) -> PlanChoice:
    """"batched" or "split", by the operations of a pass, the number of its operators, and whether it has `others` than conditional rows."""
    if not others:
        return PlanChoice("split", "all rows are conditional")
    each, least = flops / max(operators, 1), STARTING.get(device, 0.0)
    told = f"{each / 1e6:.0f} million operations an operator, {least / 1e6:.0f} are what it takes to start one ({device})"
    return PlanChoice("batched" if each < least else "split", told)


def by_memory(wanted: PlanChoice, needs: Callable[[str], float], free: float) -> PlanChoice:
    """The first plan that fits, from the wanted one on; "checkpoint", which needs least, where none does.

    Args:
        wanted: the plan where there is memory for it.
        needs: plan to the bytes of a guided step.
        free: bytes that are free.
    """
    order = ("batched", "split", "checkpoint")
    for plan in order[order.index(wanted.plan) : 2]:
        if needs(plan) <= SPARE * free:
            return wanted if plan == wanted.plan else PlanChoice(plan, f"{wanted.plan!r} does not fit in {free / 1e9:.2f} GB")
    return PlanChoice("checkpoint", f'"split" does not fit in {free / 1e9:.2f} GB')


def free_memory(device: torch.device) -> float | None:
    """Bytes that tensors on the device can have; None where it cannot be asked."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + held)
    return float(psutil.virtual_memory().available) if device.type == "cpu" else None


def _copy(denoiser: nn.Module) -> tuple[nn.Module, dict[str, Meter]]:
    if denoiser not in _COUNTED:
        kind: Any = type(denoiser)
        with torch.device("meta"):
            _COUNTED[denoiser] = nn.Module.to(kind.from_config(denoiser.config), next(denoiser.parameters()).dtype).eval(), {}
    return _COUNTED[denoiser]


def _unguided(copy: nn.Module, sample: Tensor, args: Any, kwargs: Any) -> Meter:
    with counted() as meter, torch.no_grad():
        copy(sample, *args, **kwargs)
    return meter


def _guided(copy: nn.Module, backbone: Backbone, config: GuidanceConfig, made: Pass) -> Meter:
    sample, args, kwargs, rows = made
    guidance = Guidance(copy, backbone.source(copy, config.layers), SCENE, [[0], [1]], config)
    rows = rows._replace(together=rows.together or config.plan == "batched")
    with counted() as meter, torch.no_grad():
        StepPass(guidance, rows, sample, args, kwargs).guided(times=1, move=lambda gradient: gradient)
    return meter
