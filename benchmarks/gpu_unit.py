"""One model in one type on one device, each way: called by `benchmarks.gpu`, in a process of its own.

python -m benchmarks.gpu_unit MODEL TYPE STAGE DEVICE SECONDS HAVE    lines of JSON, each as soon as it is known

STAGE is "eager", "compiled" or "planned"; SECONDS bounds the timing; HAVE is the number of rounds that have been measured.
"""

import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_cases import ALL, REAL, sides, sized, weighted
from benchmarks.steps import Made, ways
from infsplign.adapters import kernels
from infsplign.adapters.fused import works
from infsplign.cost.counting import counted
from infsplign.cost.planner import guided_step, unguided_step
from infsplign.engine.config import PLANS
from infsplign.engine.guidance import GuidedPass

PIECES, COMPILED = "split, maps in pieces", "unguided, compiled"
ROUNDS = (3, 9)
"""Of each way: at least, and at most where there is time."""
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaMemcpyAsync", "cudaMemsetAsync", "cudaGraphLaunch")
Step = Callable[[], Any]


def measured(name: str, dtype: torch.dtype, stage: str, device: str, *, seconds: float, have: int) -> Iterator[dict[str, Any]]:
    """What is found, one part at a time: {"side"}, {"way", ...}, {"difference"}, {"round"}."""
    case = ALL[name]
    if stage == "planned":
        yield from planned(name)
        return
    try:
        denoiser = weighted(case, dtype, device)
    except torch.OutOfMemoryError:
        yield {"error": "its weights do not fit"}
        return
    model, steps = fitting(name, denoiser, dtype, device)
    yield {"side": 8 * model.size.height, "weights": sum(p.numel() * p.element_size() for p in model.denoiser.parameters())}
    if stage == "compiled":
        backend = "inductor" if name in REAL else "eager"
        compiled = torch.compile(model.denoiser, backend=backend)
        steps = {"unguided": steps["unguided"], COMPILED: ways(model, compiled)["unguided"]}
    else:
        steps[PIECES] = in_pieces(steps["split"])
    usable = {}
    for way, step in steps.items():
        found = facts(step, device)
        yield {"way": way} | found
        if "error" not in found:
            usable[way] = step
    if PIECES in usable and "split" in usable:
        yield {"difference": difference(usable["split"](), usable[PIECES]())}
    end = time.monotonic() + seconds
    for number in range(have, ROUNDS[1]):
        if number >= ROUNDS[0] and time.monotonic() > end:
            break
        yield {"round": {way: timed(step, device) for way, step in usable.items()}}


def fitting(name: str, denoiser: Any, dtype: torch.dtype, device: str) -> tuple[Made, dict[str, Step]]:
    """The model at the first of its sizes at which a guided step fits, or at the last."""
    for side in sides(name):
        model = sized(ALL[name], denoiser, side, dtype, device)
        steps = ways(model)
        try:
            if side != sides(name)[-1]:
                steps["split"]()
            return model, steps
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    raise AssertionError("`sides` is never empty")


def in_pieces(step: Step) -> Step:
    """The step with no fused operator that gives the log-sum-exp, so that maps are made from pieces of the attention matrix."""

    def run() -> Any:
        with patch.dict(kernels.KERNELS, clear=True):
            return step()

    return run


def facts(step: Step, device: str) -> dict[str, Any]:
    """Bytes above weights and inputs at the peak, launches, and what waits for the device; an error where the step fails.

    Without a GPU, bytes of tensors and operators are counted instead, and waiting is not looked for.
    """
    try:
        step()
        if device == "cpu":
            with counted() as meter:
                step()
            return {"peak": meter.peak, "launches": meter.operators, "waits": None}
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated() - before
        return {"peak": peak, "launches": launches(step), "waits": waits(step)}
    except Exception as error:  # out of memory, a compiler that is not there, an operator that the device lacks: the other ways go on
        if device != "cpu":
            torch.cuda.empty_cache()
        said = [*str(error).strip().splitlines(), ""][0]
        return {"error": f"{type(error).__name__}: {said}"[:200].replace("|", "/")}


def launches(step: Step) -> int | None:
    """Kernels and copies that the host launches; None where the profiler sees none."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        step()
        torch.cuda.synchronize()
    return sum(event.count for event in profiler.key_averages() if event.key.startswith(LAUNCHES)) or None


def waits(step: Step) -> dict[str, int]:
    """Places in Python to how often the host waits for the device there."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    found = [warning for warning in caught if "synchroniz" in str(warning.message)]
    return dict(Counter(f"{'/'.join(Path(warning.filename).parts[-2:])}:{warning.lineno}" for warning in found))


def timed(step: Step, device: str) -> float:
    """Seconds of one step, by events on the device."""
    if device == "cpu":
        start = time.perf_counter()
        step()
        return time.perf_counter() - start
    begun, done = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    begun.record()
    step()
    done.record()
    torch.cuda.synchronize()
    return begun.elapsed_time(done) / 1000


def difference(found: GuidedPass, expected: GuidedPass) -> float | None:
    """How far two gradients are apart, as a part of the second's length; None where it is 0 or not finite."""
    a, b = found.gradient.double(), expected.gradient.double()
    apart, length = float(torch.linalg.vector_norm(a - b)), float(torch.linalg.vector_norm(b))
    return apart / length if 0 < length < float("inf") and apart < float("inf") else None


def planned(name: str) -> Iterator[dict[str, Any]]:
    """What the planner's counts foresee in half precision, on tensors without memory."""
    case = ALL[name]
    model = case.model()
    made = sized(case, model, case.latents, torch.float16, "meta")
    plain = unguided_step(model, made.size, made.together)
    yield {"side": 8 * case.latents, "way": "unguided", "peak": plain.peak, "operators": plain.operators, "flops": plain.flops}
    for plan in PLANS if made.together else (plan for plan in PLANS if plan != "batched"):
        meter = guided_step(model, made.backbone, made.size, made.config.with_(plan=plan), made.together)
        yield {"side": 8 * case.latents, "way": plan, "peak": meter.peak, "operators": meter.operators, "flops": meter.flops}


def checks(device: str) -> dict[str, dict[str, bool]]:
    """For each type and fused operator, whether it passes its check on the device."""
    place = torch.device(device)
    types = (torch.float32, torch.float16, torch.bfloat16)
    known = kernels.KERNELS.get(place.type, ())
    return {str(t).removeprefix("torch."): {k.name: works(k, place, t) for k in known if t in k.dtypes} for t in types}


def machine(device: str) -> dict[str, Any]:
    """What was measured on."""
    told = {"torch": torch.__version__, "device": "CPU", "memory": None, "cuda": None}
    if device != "cpu":
        found = torch.cuda.get_device_properties(0)
        told |= {"device": found.name, "memory": found.total_memory, "cuda": torch.version.cuda, "capability": [found.major, found.minor]}
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    name, kind, stage, device, seconds, have = sys.argv[1:] if arguments is None else arguments
    for part in measured(name, getattr(torch, kind), stage, device, seconds=float(seconds), have=int(have)):
        print(json.dumps(part), flush=True)


if __name__ == "__main__":
    main()
