"""What a step of guidance costs: unguided, as published, and by each plan of ours, counted and timed in the same run.

python -m benchmarks.cost                 everything (on two quiet cores about a quarter of an hour); run again, it goes on where it was,
                                          or from the beginning if the package or torch has changed
python -m benchmarks.cost --part counted  operations and bytes of real configurations on meta tensors, half precision
python -m benchmarks.cost --part image    the first table again, from the counts that are kept
python -m benchmarks.cost --quick         the counts, and short timings of the shipped models

Counted: see `infsplign.cost.counting`. Timed: real tensors, float32, random weights where none ship; the ways take turns, and ratios are of
medians. Resident memory: each way in a process of its own, the most that the process ever held, above what the unguided one did.

Writes docs/measured/cost.json and the tables of docs/performance.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    PNDMScheduler,
)

from benchmarks import published, steps
from benchmarks.flops import CASES, Case
from benchmarks.pages import fill
from benchmarks.steps import RANDOM
from infsplign.adapters import FAMILIES
from infsplign.cost.counting import SavedTensors, counted
from infsplign.cost.meta_inputs import meta_call
from infsplign.cost.meta_model import SCENE
from infsplign.cost.planner import guided_step, unguided_step
from infsplign.engine.config import PLANS, RECOMMENDED
from infsplign.evaluation.fingerprint import guidance_source
from infsplign.pipelines.noise_schedule import timeline_of

WAYS = ("unguided", "published", *PLANS)
RESULT, PAGE = Path("docs/measured/cost.json"), Path("docs/performance.md")
SCHEDULES: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "SD1.5 at 512": (PNDMScheduler(skip_prk_steps=True, steps_offset=1), 50, {}),
    "SD2.1 at 768": (DDIMScheduler(steps_offset=1), 50, {}),
    "SDXL at 1024": (EulerDiscreteScheduler(steps_offset=1, timestep_spacing="leading"), 50, {}),
    "PixArt-XL at 1024": (DPMSolverMultistepScheduler(), 20, {}),
    "SD3-medium at 1024": (FlowMatchEulerDiscreteScheduler(shift=3.0), 28, {}),
    "Flux-dev at 1024, one call": (FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True), 28, {"mu": 1.15}),
}
"""The scheduler that each model is published with, the pipeline's own number of steps, and what it tells the scheduler at this size. Betas
are left out: the window of their schedulers is one of the timesteps."""
ROUNDS = {"SD1.5 at 512": 5, "SD1.5 at 256": 7, "shapes": 15, "shapes-pixart": 15, "shapes-sd3": 15}
"""Repetitions of what is timed."""
JOINT = {
    "sd3": {"text": slice(4096, None), "image": slice(0, 4096), "grid": (64, 64)},
    "flux": {"text": slice(0, 512), "image": slice(512, None), "grid": (64, 64)},
}
"""Where the published way finds text and image in joint attention at 1024 pixels."""


def counts(name: str) -> dict[str, dict[str, float]]:
    """For each way: operations relative to the unguided step (needed, and executed), bytes saved for the gradient, bytes at the peak,
    operators that run."""
    case = CASES[name]
    model, backbone = case.model(), FAMILIES[case.family]
    plain = unguided_step(model, case.size(), case.together)
    found = {"unguided": {"tflop": plain.flops / 1e12, "flops": 1.0, "executed": 1.0, "saved": 0, "peak": plain.peak}}
    found["unguided"]["operators"] = plain.operators
    for way in WAYS[1:] if case.together else (way for way in WAYS[1:] if way != "batched"):
        saved = SavedTensors(model.parameters())
        if way == "published":
            meter = _published(case, model, saved)
        else:
            config = backbone.config(model).with_(plan=way)
            meter = guided_step(model, backbone, case.size(), config, case.together, saved=saved)
        found[way] = {
            "flops": (meter.flops - meter.again) / plain.flops, "executed": meter.flops / plain.flops,
            "saved": saved.peak, "peak": meter.peak, "operators": meter.operators,
        }  # fmt: skip
    return found


def _published(case: Case, model: Any, saved: SavedTensors) -> Any:
    one = case.size()
    latents, _ = meta_call(model, one)
    _, kwargs = meta_call(model, one._replace(rows=1 + case.together))
    layers = FAMILIES[case.family].layers(model)
    with counted() as meter, saved.hooks():
        published.gradient(
            model, latents, kwargs, layers, [[2], [6]], scene=SCENE, conditional=int(case.together), **JOINT.get(case.family, {})
        )
    return meter


def timed(record: dict[str, Any], names: list[str], rounds: dict[str, int]) -> None:
    """Adds seconds of each way, taking turns in one process a model, and resident memory, one process a way."""
    for name in names:
        kept = record["timed"].setdefault(name, {"threads": torch.get_num_threads(), "seconds": [], "resident": {}})
        missing = rounds[name] - len(kept["seconds"])
        if missing > 0:
            command = [sys.executable, "-m", "benchmarks.steps", "time", name, str(missing)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout or ():
                    kept["seconds"].append(json.loads(line))
                    save(record)
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, command)
        for way in WAYS:
            if way not in kept["resident"]:
                command = [sys.executable, "-m", "benchmarks.steps", "memory", name, way]
                kept["resident"][way] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                save(record)
        if name in RANDOM and "planned" not in kept:
            kept["planned"] = planned(name)
            save(record)


def planned(name: str) -> dict[str, float]:
    """Bytes above the unguided step that the counts foresee, in float32: what `infsplign describe --memory` plans with."""
    place, side = RANDOM[name]
    case, backbone = CASES[place], FAMILIES[CASES[place].family]
    model = case.model(torch.float32)
    size = case.size(torch.float32)._replace(height=side, width=side)
    plain = unguided_step(model, size, True).peak
    plans = {way: guided_step(model, backbone, size, backbone.config(model).with_(plan=way), True).peak for way in WAYS[2:]}
    return {way: peak - plain for way, peak in plans.items()}


def save(record: dict[str, Any]) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    partial = RESULT.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    partial.replace(RESULT)


def counted_table(record: dict[str, Any]) -> str:
    lines = [
        "| one step | way | operations | executed | operators | saved for the gradient | of published | peak above unguided "
        "| of published |",
        "|---" * 9 + "|",
    ]
    for name, ways in record["counted"].items():
        base = ways["unguided"]
        for way in (way for way in WAYS if way in ways):
            found, reference = ways[way], ways["published"]
            if way == "unguided":
                lines.append(f"| {name} | {way} | {base['tflop']:.3f} TFLOP | | {base['operators']:,} | | | | |")
                continue
            extra, most = found["peak"] - base["peak"], reference["peak"] - base["peak"]
            lines.append(
                f"| | {way} | x{found['flops']:.3f} | x{found['executed']:.3f} | x{found['operators'] / base['operators']:.2f} "
                f"| {found['saved'] / 1e9:.2f} GB | "
                f"{found['saved'] / reference['saved']:.3f} | {extra / 1e9:+.2f} GB | {extra / most:.3f} |"
            )
    return "\n".join(lines)


def guided_steps(name: str) -> tuple[int, int]:
    """How many steps of an image the default options guide, and how many there are; it depends on the scheduler's noise levels."""
    scheduler, count, more = SCHEDULES[name]
    if more:
        scheduler.set_timesteps(sigmas=[1 - i / count for i in range(count)], **more)  # as the pipeline of Flux does
    else:
        scheduler.set_timesteps(count)
    timeline = timeline_of(scheduler)
    guided = sum(RECOMMENDED.start <= timeline.of(i).progress < RECOMMENDED.stop for i in range(len(timeline)))
    return guided, len(timeline)


def image_table(record: dict[str, Any]) -> str:
    """What a reader wants first: whole images with the default options, by the plan "split"."""
    names = list(record["counted"])
    columns, guided = [record["counted"][name] for name in names], [guided_steps(name) for name in names]
    operations = [f"x{1 + part / count * (ways['split']['flops'] - 1):.2f}" for ways, (part, count) in zip(columns, guided, strict=True)]
    extra = [[max(0, ways[plan]["peak"] - ways["unguided"]["peak"]) / 1e9 for plan in ("split", "checkpoint")] for ways in columns]
    memory = [" or ".join(f"{gigabytes:.1f}" for gigabytes in each) for each in extra]
    rows = [["half precision", *names], ["---"] * (len(names) + 1)]
    rows += [["guided steps", *(f"{part} of {count}" for part, count in guided)], ["operations", *operations]]
    rows.append(["GB more memory, split or checkpoint", *memory])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def timed_table(record: dict[str, Any]) -> str:
    columns = "| one step, float32 | way | seconds | ratio | range of ratios | resident above unguided | planned | rounds |"
    lines = [columns, "|---" * 8 + "|"]
    for name, kept in record["timed"].items():
        rounds = kept["seconds"]
        base = kept["resident"].get("unguided")
        for way in WAYS:
            ratios = [r[way] / r["unguided"] for r in rounds]
            resident = kept["resident"].get(way)
            extra = f"{(resident - base) / 1e6:+.0f} MB" if resident is not None and base is not None else ""
            middle = median(r[way] for r in rounds)
            ratio = middle / median(r["unguided"] for r in rounds)
            span = f"{min(ratios):.2f} to {max(ratios):.2f}"
            foreseen = f"{kept['planned'][way] / 1e6:+.0f} MB" if way in kept.get("planned", {}) else ""
            figures = [f"{middle:.3f}", f"{ratio:.2f}", span, extra, foreseen, str(len(rounds))]
            lines.append(" | ".join([f"| {name if way == 'unguided' else ''}", way, *figures]) + " |")
    return "\n".join(lines)


def earlier() -> dict[str, Any]:
    """What has been measured of the present source with the present torch; a record of another one is forgotten."""
    now = {"torch": torch.__version__, "source": guidance_source()}
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    if any(kept.get(key) != value for key, value in now.items()):
        kept = {}
    return {**now, "counted": {}, "timed": {}} | kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("all", "counted", "timed", "image"), default="all")
    parser.add_argument("--models", nargs="*", default=None, help=f"of what is timed: {', '.join(ROUNDS)}")
    parser.add_argument("--rounds", type=int, default=None, help="repetitions of each")
    parser.add_argument("--quick", action="store_true", help="the shipped models alone, three rounds")
    parser.add_argument("--again", action="store_true", help="forget what has been measured")
    options = parser.parse_args()
    if options.part == "image":  # from the counts that are kept: only the part of the steps may have changed
        print(fill(PAGE, "image", image_table(json.loads(RESULT.read_text()))))
        return
    record = earlier()
    if options.again:
        record |= {"counted": {}, "timed": {}}
    if options.part != "timed":
        for name in CASES:
            if name not in record["counted"]:
                record["counted"][name] = counts(name)
                save(record)
        print(fill(PAGE, "image", image_table(record)))
        print(fill(PAGE, "cost", counted_table(record)))
    if options.part != "counted":
        names = options.models or (list(steps.SHIPPED) if options.quick else list(ROUNDS))
        each = options.rounds or (3 if options.quick else None)
        timed(record, names, {name: each or ROUNDS[name] for name in names})
        print(fill(PAGE, "timed", timed_table(record)))


if __name__ == "__main__":
    main()
