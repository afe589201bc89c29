"""The command `describe`: how a model would be guided, and the memory it would take."""

from typing import Any

from infsplign.cost.bounds import check_pixels
from infsplign.generation.memory import parse_memory
from infsplign.generation.models import Defaults, check_model, defaults_for, load_pipeline


def run(model: str, *, device: str, dtype: str, size: int | None, batch: int, memory: str | None) -> None:
    """Prints the description; with a size, a batch or an amount of memory, also the cost of each plan and the plan that fits.

    Raises:
        ValueError: an invalid option.
    """
    limit = parse_memory(memory) if memory is not None else None  # before a model is loaded
    check_model(model, device=device, dtype=dtype)
    if size is not None:
        check_pixels(batch, size, size)
    from infsplign.pipelines.description import describe

    pipe, own = load_pipeline(model, device=device, dtype=dtype), defaults_for(model)
    print(describe(pipe, own.config, own.call))
    if size is not None or batch > 1 or limit is not None:
        print(planned(pipe, own, size=size, batch=batch, memory=limit))


def planned(pipe: Any, own: Defaults, *, size: int | None, batch: int, memory: float | None) -> str:
    """Formats the part about memory."""
    from infsplign.cost.planner import plan_memory

    found = plan_memory(pipe, height=size, batch=batch, config=own.config, call=own.call)
    return f"\n{found}" if memory is None else f"\n{found}\n{'proposal':<10} {found.advice(memory)}"
