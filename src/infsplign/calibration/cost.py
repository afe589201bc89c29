"""What a guided step costs with the chosen layers, counted and not timed."""

from collections.abc import Mapping
from typing import Any

from infsplign.adapters import Backbone
from infsplign.cost.planner import plan_memory
from infsplign.engine.config import GuidanceConfig


def step_cost(pipe: Any, backbone: Backbone, config: GuidanceConfig, call: Mapping[str, Any] | None = None) -> float | None:
    """Returns the operations of a guided step under the plan "split", in those of an unguided one at the model's own size.

    `call` holds arguments of the pipeline's call, such as `max_sequence_length`.

    None if the arguments of the denoiser are not known, as for a class of your own.
    """
    try:
        plans = plan_memory(pipe, config=config, backbone=backbone, call=call).plans
    except (ValueError, TypeError, RuntimeError, KeyError, AttributeError):  # a denoiser that differs from its class's usual arguments
        return None
    return next((plan.flops for plan in plans if plan.name == "split"), None)
