"""One step of a denoiser with real tensors, each way: called by `benchmarks.cost`, in processes of its own.

python -m benchmarks.steps time MODEL ROUNDS    a line of JSON a round: seconds of each way
python -m benchmarks.steps memory MODEL WAY     the most bytes that the process held
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from benchmarks import published
from benchmarks.flops import CASES
from benchmarks.resident import peak
from infsplign.adapters import FAMILIES, backbone_for
from infsplign.cost.meta_inputs import Size, meta_call
from infsplign.cost.meta_model import SCENE
from infsplign.engine.config import PLANS, GuidanceConfig
from infsplign.engine.guidance import Guidance
from infsplign.engine.pytree import map_tensors
from infsplign.shipped import PRESETS, load

SHIPPED = ("shapes", "shapes-pixart", "shapes-sd3")
RANDOM = {"SD1.5 at 512": ("SD1.5 at 512", 64), "SD1.5 at 256": ("SD1.5 at 512", 32)}
TOKENS = [[2], [6]]


class Made(NamedTuple):
    """A denoiser with weights, and how it is called.

    Attributes:
        denoiser, backbone, config: the model, its family, the options.
        size: of one row.
        together: both halves of classifier-free guidance are rows of one pass.
        joint: for the published way, where text and image are in joint attention.
        device: of the weights.
    """

    denoiser: Any
    backbone: Any
    config: GuidanceConfig
    size: Size
    together: bool = True
    joint: Mapping[str, Any] = {}
    device: str = "cpu"


def filled(x: torch.Tensor, device: str = "cpu") -> torch.Tensor:
    """Numbers for a tensor that had none."""
    return (torch.ones if x.ndim <= 2 else torch.randn)(x.shape, dtype=x.dtype, device=device)


def made(name: str) -> Made:
    """A model that is timed on the CPU, in float32."""
    torch.manual_seed(0)
    if name in RANDOM:
        case, side = CASES[RANDOM[name][0]], RANDOM[name][1]
        denoiser, backbone = case.model(torch.float32, "cpu"), FAMILIES[case.family]
        return Made(denoiser, backbone, backbone.config(denoiser), Size(1, side, side, case.text))
    pipe = load(name)
    backbone = backbone_for(pipe)
    denoiser = getattr(pipe, backbone.denoiser)
    side = denoiser.config.sample_size
    joint = {"text": slice(64, None), "image": slice(0, 64), "grid": (8, 8)} if name == "shapes-sd3" else {}
    return Made(denoiser, backbone, PRESETS[name].config, Size(1, side, side, backbone.text_length(pipe) or 77), joint=joint)


def ways(model: Made, unguided_by: Callable[..., Any] | None = None) -> dict[str, Callable[[], Any]]:
    """Each way to run one step of the model, by name. `unguided_by` is called in place of the denoiser where nothing is guided."""
    denoiser, backbone, config, size, together, joint, device = model
    sample, kwargs = map_tensors(lambda x: filled(x, device), meta_call(denoiser, size))
    batch, both = map_tensors(lambda x: filled(x, device), meta_call(denoiser, size._replace(rows=1 + together)))
    layers = config.layers or backbone.layers(denoiser)

    def unguided() -> None:
        with torch.no_grad():
            (denoiser if unguided_by is None else unguided_by)(batch, **both)

    def as_published() -> Any:
        return published.gradient(denoiser, sample, both, layers, TOKENS, scene=SCENE, conditional=int(together), **joint)

    def ours(plan: str) -> Callable[[], Any]:
        engine = Guidance(denoiser, backbone.source(denoiser, layers), SCENE, TOKENS, config.with_(plan=plan))

        def step() -> Any:
            if plan == "batched":
                return engine.run(batch, (), both, rows=slice(1, 2))
            if together:
                with torch.no_grad():
                    denoiser(sample, **kwargs)
            return engine(sample, **kwargs)

        return step

    plans = {plan: ours(plan) for plan in PLANS if together or plan != "batched"}
    return {"unguided": unguided, "published": as_published} | plans


def main() -> None:
    task, name, what = sys.argv[1:]
    steps = ways(made(name))
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
