"""Chooses plan and offloading for `generate --memory`."""

from dataclasses import replace
from typing import Any

from infsplign.cost.planner import MemoryPlan, amount, plan_memory
from infsplign.generation.memory import parse_memory
from infsplign.generation.models import defaults_for, image_size
from infsplign.generation.options import GenerateOptions


def fitted(pipe: Any, options: GenerateOptions, device: str) -> tuple[GenerateOptions, str]:
    """Returns the options with the plan, and the way to offload, that fit `options.memory`, and a line about it; unchanged when it is None.

    Args:
        pipe: loaded, anywhere.
        options: of the command.
        device: type of the device. On a CPU nothing can be offloaded.

    Raises:
        ValueError: nothing fits.
    """
    if options.memory is None:
        return options, ""
    limit = parse_memory(options.memory)
    own = defaults_for(options.model)
    config = options.guided_by(own.config) if own.config is not None else options.loaded
    size = image_size(pipe, options.height, options.width)
    found = plan_memory(pipe, height=size.get("height"), width=size.get("width"), config=config, call=own.call)
    if options.plan is not None:
        found = replace(found, plans=tuple(plan for plan in found.plans if plan.name == options.plan))
    ways = (True,) if options.offload else (False,) if device == "cpu" else (False, True)
    for offloaded in ways:
        for plan in found.plans:
            if (need := found.need(plan, offloaded=offloaded)) <= limit:
                offload = options.offload or ("model" if offloaded else None)
                told = f"memory: {_told(plan.name, offload)} takes {amount(need)} of {amount(limit)}, by the planner's count"
                return replace(options, plan=plan.name, offload=offload), told
    raise ValueError(f"`--memory` {options.memory!r} does not suffice: {_least(found, ways)}")


def _told(plan: str, offload: str | None) -> str:
    return f"plan {plan}" + (f" with offload {offload}" if offload else "")


def _least(found: MemoryPlan, ways: tuple[bool, ...]) -> str:
    if not found.plans:
        return "this pipeline has no such plan"
    plan = min(found.plans, key=lambda plan: plan.extra)
    need = amount(found.need(plan, offloaded=ways[-1]))
    return f"plan {plan.name} takes {need}; use smaller images or another `--dtype`"
