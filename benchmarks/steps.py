"""One step of a denoiser with real tensors, each way: called by `benchmarks.cost`, in processes of its own.

python -m benchmarks.steps time MODEL ROUNDS    a line of JSON a round: seconds of each way
python -m benchmarks.steps memory MODEL WAY     the most bytes that the process held
python -m benchmarks.steps auto [ROUNDS [MODEL ...]]    a table in docs/performance.md: CPU time of each plan, and of the one that "auto"
    chooses; MODEL:4 is a batch of four images. Models of random weights, which are slow, take a fifth of the rounds.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from benchmarks import published
from benchmarks.flops import CASES
from benchmarks.pages import fill
from benchmarks.resident import peak
from infsplign.adapters import FAMILIES, backbone_for
from infsplign.cost.choice import Pass, choose_plan, free_memory
from infsplign.cost.meta_inputs import Size, meta_call
from infsplign.cost.meta_model import SCENE
from infsplign.engine.config import PLANS, GuidanceConfig
from infsplign.engine.freezing import FrozenWeights
from infsplign.engine.guidance import Guidance
from infsplign.engine.pytree import first_tensor, map_tensors
from infsplign.engine.rows import Rows
from infsplign.shipped import PRESETS, load

PAGE = Path("docs/performance.md")
SHIPPED = ("shapes", "shapes-pixart", "shapes-sd3")
RANDOM = {"SD1.5 at 512": ("SD1.5 at 512", 64), "SD1.5 at 256": ("SD1.5 at 512", 32)}
CHOICES = ("shapes", "shapes:4", "shapes-pixart", "shapes-pixart:2", "shapes-sd3", "shapes-sd3:3", "pictures", "SD1.5 at 256")
"""What `auto` times: on either side of the limit, and next to it."""
TOKENS = [[2], [6]]


class Made(NamedTuple):
    """A denoiser with weights, and how it is called.

    Attributes:
        denoiser, backbone, config: the model, its family, the options.
        size: of the conditional rows.
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
    side, preset = denoiser.config.sample_size, PRESETS[name]
    lengths = [preset.call.get("max_sequence_length", part.length(pipe)) if part.limit == "call" else part.length(pipe)
               for part in backbone.segments if not part.beside]  # fmt: skip
    joint = {"text": slice(64, None), "image": slice(0, 64), "grid": (8, 8)} if name == "shapes-sd3" else {}
    return Made(denoiser, backbone, preset.config, Size(1, side, side, sum(lengths)), joint=joint)


def ways(model: Made, unguided_by: Callable[..., Any] | None = None) -> dict[str, Callable[[], Any]]:
    """Each way to run one step of the model, by name. `unguided_by` is called in place of the denoiser where nothing is guided."""
    denoiser, backbone, config, size, together, joint, device = model
    sample, kwargs = map_tensors(lambda x: filled(x, device), meta_call(denoiser, size))
    batch, both = map_tensors(lambda x: filled(x, device), meta_call(denoiser, size._replace(rows=(1 + together) * size.rows)))
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
                return engine.run(batch, (), both, rows=slice(size.rows, 2 * size.rows))
            if together:
                with torch.no_grad():
                    denoiser(sample, **kwargs)
            return engine(sample, **kwargs)

        return step

    plans = {plan: ours(plan) for plan in PLANS if together or plan != "batched"}
    return {"unguided": unguided, "published": as_published} | plans


def bare(model: Made) -> Callable[[], Any]:
    """What a gradient takes without this package: the halves one by one, and torch's gradient of the output with respect to the input.

    The plan "split" does the same, adds maps and loss, and leaves out what lies behind the last tapped layer.
    """
    sample, kwargs = map_tensors(lambda x: filled(x, model.device), meta_call(model.denoiser, model.size))
    weights = FrozenWeights(model.denoiser)

    def step() -> Any:
        if model.together:
            with torch.no_grad():
                model.denoiser(sample, **kwargs)
        with weights.frozen(), torch.enable_grad():
            leaf = sample.detach().requires_grad_()
            return torch.autograd.grad(first_tensor(model.denoiser(leaf, **kwargs)).sum(), leaf)

    return step


def chosen(model: Made) -> str:
    """The plan that "auto" takes for a step of the model."""
    rows = model.size.rows
    size = model.size._replace(rows=(1 + model.together) * rows)
    batch, both = map_tensors(lambda x: filled(x, model.device), meta_call(model.denoiser, size))
    made = Pass(batch, (), both, Rows(slice(len(batch) - rows, len(batch))))
    return choose_plan(model.denoiser, model.backbone, model.config, made, free=free_memory(batch.device)).plan


def auto(names: Sequence[str], rounds: int) -> str:
    """A table of each plan's CPU time, as a multiple of an unguided step's, and of the plan that is chosen; the ways take turns."""
    torch.set_num_threads(1)
    lines = ["| one step | unguided, ms | split | batched | checkpoint | auto | of the best | bare gradient |", "|---" * 8 + "|"]
    for name in names:
        kind, _, images = name.partition(":")
        model = made(kind)
        model = model._replace(size=model.size._replace(rows=int(images or 1)))
        steps, plan = ways(model), chosen(model)
        steps = {way: steps[way] for way in ("unguided", *PLANS)} | {"auto": steps[plan], "bare": bare(model)}
        seconds: dict[str, list[float]] = {way: [] for way in steps}
        for number in range(1 + (max(3, rounds // 5) if kind in RANDOM else rounds)):
            for way, step in steps.items():
                start = time.process_time()
                step()
                if number:  # the first round warms up
                    seconds[way].append(time.process_time() - start)
        middle = {way: median(found) for way, found in seconds.items()}
        figures = [f"{middle[way] / middle['unguided']:.2f}" for way in PLANS]
        figures += [f"{middle['auto'] / middle['unguided']:.2f} ({plan})", f"{middle['auto'] / min(middle[way] for way in PLANS):.3f}"]
        figures.append(f"{middle['bare'] / middle['unguided']:.2f}")
        lines.append(f"| {name} | {1e3 * middle['unguided']:.1f} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    for task, what in (("time", "rounds"), ("memory", "way")):
        one = tasks.add_parser(task)
        one.add_argument("model", choices=(*CHOICES, *RANDOM))
        one.add_argument(what, type=int if what == "rounds" else str)
    table = tasks.add_parser("auto")
    table.add_argument("rounds", type=int, nargs="?", default=15)
    table.add_argument("models", nargs="*", default=CHOICES)
    options = parser.parse_args()
    if options.task == "auto":
        print(fill(PAGE, "auto", auto(options.models, options.rounds)))
        return
    steps = ways(made(options.model))
    if options.task == "memory":
        if options.way not in steps:
            parser.error(f"`way` must be one of {', '.join(steps)}, got {options.way!r}")
        steps[options.way]()
        print(peak())
        return
    steps["unguided"]()  # warm up
    for _ in range(options.rounds):
        seconds = {}
        for way, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[way] = time.perf_counter() - start
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
