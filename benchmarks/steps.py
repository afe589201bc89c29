"""One step of a denoiser with real tensors, each way: called by `benchmarks.cost`, in processes of its own.

python -m benchmarks.steps time MODEL ROUNDS    a line of JSON a round: seconds of each way
python -m benchmarks.steps memory MODEL WAY     the most bytes that the process held
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks import published
from benchmarks.flops import CASES
from benchmarks.resident import peak
from infsplign.adapters import FAMILIES, backbone_for
from infsplign.cost.meta_inputs import Size, meta_call
from infsplign.cost.planner import SCENE
from infsplign.engine.config import PLANS
from infsplign.engine.guidance import Guidance
from infsplign.engine.pytree import map_tensors
from infsplign.shapes import PRESETS, load

SHIPPED = ("shapes", "shapes-pixart", "shapes-sd3")
RANDOM = {"SD1.5 at 512": ("SD1.5 at 512", 64), "SD1.5 at 256": ("SD1.5 at 512", 32)}
TOKENS = [[2], [6]]


def filled(x: torch.Tensor) -> torch.Tensor:
    """Numbers for a tensor that had none."""
    return torch.ones(x.shape) if x.ndim <= 2 else torch.randn(x.shape)


def ways(name: str) -> dict[str, Callable[[], Any]]:
    """Each way to run one step of the model, by name."""
    torch.manual_seed(0)
    if name in RANDOM:
        case, side = CASES[RANDOM[name][0]], RANDOM[name][1]
        denoiser, backbone = case.model(torch.float32, "cpu"), FAMILIES[case.family]
        size, config = Size(1, side, side, case.text), backbone.config(denoiser)
    else:
        pipe = load(name)
        backbone, config = backbone_for(pipe), PRESETS[name].config
        denoiser = getattr(pipe, backbone.denoiser)
        side = denoiser.config.sample_size
        size = Size(1, side, side, backbone.text_length(pipe) or 77)
    sample, kwargs = map_tensors(filled, meta_call(denoiser, size))
    _, both = map_tensors(filled, meta_call(denoiser, size._replace(rows=2)))
    layers = config.layers or backbone.layers(denoiser)
    joint = {"text": slice(64, None), "image": slice(0, 64), "grid": (8, 8)} if name == "shapes-sd3" else {}

    def unguided() -> None:
        with torch.no_grad():
            denoiser(torch.cat([sample] * 2), **both)

    def as_published() -> None:
        published.gradient(denoiser, sample, both, layers, TOKENS, scene=SCENE, **joint)

    def ours(plan: str) -> Callable[[], None]:
        engine = Guidance(denoiser, backbone.source(denoiser, layers), SCENE, TOKENS, config.with_(plan=plan))

        def step() -> None:
            if plan == "batched":
                engine.run(torch.cat([sample] * 2), (), both, rows=slice(1, 2))
                return
            with torch.no_grad():
                denoiser(sample, **kwargs)
            engine(sample, **kwargs)

        return step

    return {"unguided": unguided, "published": as_published} | {plan: ours(plan) for plan in PLANS}


def main() -> None:
    task, name, what = sys.argv[1:]
    steps = ways(name)
    if task == "memory":
        steps[what]()
        print(peak())
        return
    steps["unguided"]()  # warm up
    for _ in range(int(what)):
        seconds = {}
        for way, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[way] = time.perf_counter() - start
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
