"""What an image costs under each method of `benchmarks.compare`, each in a process of its own: FLOPs, passes, seconds, memory.

python -m benchmarks.image_cost --model shapes --method infsplign      (prints JSON; `benchmarks.compare` calls it)

FLOPs are the denoiser's, over whole samplings, relative to the unguided image: rows that ran plain, watched and guided, each times what
such a row costs, counted by `infsplign.cost.counting`. Rows are counted as if each image were sampled alone (`PipelineGuidance.needed`).
Options that leave the plan to the machine ("auto") are measured with "split", the plan of the fewest FLOPs.
"""

import argparse
import json
import subprocess
import sys
import time
from contextlib import nullcontext
from typing import Any

import torch

from benchmarks.methods import methods
from benchmarks.resident import peak
from infsplign.cost.counting import counted
from infsplign.engine.config import AUTO, GuidanceConfig
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.pipelines.guide import guide
from infsplign.shipped import PRESETS, load


def sample(pipe: Any, preset: Any, texts: list[str], config: GuidanceConfig | None, *, steps: int) -> Any:
    """Latents of one batch, and the guidance that made them (None if unguided)."""
    generators = [torch.Generator().manual_seed(seed("tune", text, 0)) for text in texts]
    options = {"num_inference_steps": steps, "guidance_scale": preset.guidance_scale, "generator": generators, "output_type": "latent"}
    with guide(pipe, texts, config=config) if config is not None else nullcontext() as guidance:
        pipe(texts, **options, **preset.call)
    return guidance


def row_costs(pipe: Any, preset: Any, text: str, config: GuidanceConfig) -> dict[str, float]:
    """FLOPs of one row of the denoiser: plain, guided, watched."""
    denoiser = getattr(pipe, "unet", None) or pipe.transformer
    seen: list[Any] = []
    handle = denoiser.register_forward_pre_hook(lambda _module, args, kwargs: seen.append((args, kwargs)), with_kwargs=True)
    first = config.with_(start=0.0, stop=1.0, every=1, repeats=1, schedule=None)
    try:
        guidance = sample(pipe, preset, [text], first, steps=1)
    finally:
        handle.remove()
    args, kwargs = seen[0]
    name = None if args else ("sample" if "sample" in kwargs else "hidden_states")
    whole = args[0] if name is None else kwargs[name]
    rest = {key: half(value, len(whole)) for key, value in kwargs.items() if key != name}
    engine, row, others = guidance._calls.call.steps.guidance, whole[len(whole) // 2 :], tuple(half(a, len(whole)) for a in args[1:])
    costs = {}
    with counted() as meter, torch.no_grad():
        denoiser(row, *others, **rest)
    costs["plain"] = meter.flops
    with counted() as meter:
        engine.watch(row, others, rest)
    costs["watched"] = meter.flops
    with counted() as meter:
        engine.run(row, others, rest)
    costs["guided"] = meter.flops
    return costs


def half(value: Any, rows: int) -> Any:
    """The conditional half of whatever has a row for each row of the batch."""
    if isinstance(value, torch.Tensor) and value.ndim and len(value) == rows:
        return value[rows // 2 :]
    return {key: half(v, rows) for key, v in value.items()} if isinstance(value, dict) else value


def measure(model: str, method: str, count: int) -> dict[str, Any]:
    pipe, preset, config = load(model), PRESETS[model], methods(model)[method]
    if config is not None and config.plan == AUTO:
        config = config.with_(plan="split")
    pipe.set_progress_bar_config(disable=True)
    texts = [p.text for p in prompts("tune", count, preset.world)]
    sample(pipe, preset, texts, config, steps=1)  # warm
    before = peak()
    began = time.process_time()
    guidance = sample(pipe, preset, texts, config, steps=preset.steps)
    seconds = time.process_time() - began
    most = peak()
    whole = 2 * preset.steps
    if guidance is None:
        rows, ratio = {"plain": whole, "watched": 0.0, "guided": 0.0}, 1.0
    else:
        rows = {kind: getattr(guidance.needed, kind) / count for kind in ("plain", "watched", "guided")}
        costs = row_costs(pipe, preset, texts[0], config)  # type: ignore[arg-type]
        ratio = sum(rows[kind] * costs[kind] for kind in rows) / (whole * costs["plain"])
    memory = {"peak_mib": most / 2**20, "above_start_mib": (most - before) / 2**20}
    return {"rows": rows, "flops": ratio, "cpu_seconds": seconds / count} | memory


def in_own_process(model: str, method: str, count: int) -> dict[str, Any]:
    """`measure` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.image_cost", "--model", model, "--method", method, "--prompts", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shapes", choices=tuple(PRESETS))
    parser.add_argument("--method", default="infsplign")
    parser.add_argument("--prompts", type=int, default=16)
    options = parser.parse_args()
    print(json.dumps(measure(options.model, options.method, options.prompts)))


if __name__ == "__main__":
    main()
