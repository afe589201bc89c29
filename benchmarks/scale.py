"""How the cost of guidance grows: with batch, resolution and tapped layers (counted), with objects and relations (timed).

python -m benchmarks.scale            three minutes on two quiet cores
python -m benchmarks.scale --timed    the timings alone, the counts as they were

Counted on Stable Diffusion 1.5 in half precision, see `infsplign.cost.counting`. Timed: the core functions on 64 x 64 maps in float32, the
median of many runs, one thread. Writes docs/measured/scale.json, the tables of docs/performance.md and docs/images/scale.png.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import array_api_compat.torch as xp
import torch
from matplotlib.ticker import LogLocator
from torch import Tensor

from benchmarks.flops import CASES
from benchmarks.layers import reading
from benchmarks.pages import fill
from infsplign.adapters import FAMILIES
from infsplign.adapters.streamed import StreamedAttention
from infsplign.core import Scene, SceneRelation, paper_loss, relation, scene_arrays, token_weights
from infsplign.cost.planner import guided_step, unguided_step
from infsplign.visuals.style import INK, LABEL, OBJECT_COLOURS, drawing, light_axes, rendered

RESULT, PAGE, IMAGE = Path("docs/measured/scale.json"), Path("docs/performance.md"), Path("docs/images/scale.png")
CASE = CASES["SD1.5 at 512"]
BATCHES, SIDES, LAYERS = (1, 2, 4, 8), (256, 384, 512, 768, 1024), (1, 2, 3, 4, 5, 6)
OBJECTS, RELATIONS = (2, 4, 8, 16, 32, 64), (1, 4, 16, 63, 256)
GRID = (64, 64)


class Given:
    """Object maps that are there already, as the attention of a layer."""

    layer, text_length = "given", 77

    def __init__(self, maps: Tensor, level: str) -> None:
        self.maps, self.like, self.level = maps, maps, level

    def object_maps(self, weights: Tensor) -> Tensor:
        return self.maps


def counted_step(batch: int = 1, side: int = 512, layers: int = 6) -> dict[str, float]:
    """Operations and bytes that guidance adds to a step."""
    model, backbone = CASE.model(), FAMILIES[CASE.family]
    size = CASE.size(rows=batch)._replace(height=side // 8, width=side // 8)
    names = [(level, name) for level, found in backbone.layers(model).items() for name in found][:layers]
    tapped = {level: tuple(name for at, name in names if at == level) for level in dict(names)}
    plain = unguided_step(model, size, True)
    found: dict[str, float] = {"unguided_tflop": plain.flops / 1e12}
    for plan in ("split", "checkpoint"):
        meter = guided_step(model, backbone, size, reading(backbone.config(model).with_(plan=plan), tapped), True)
        found |= {f"{plan}_tflop": (meter.flops - meter.again - plain.flops) / 1e12, f"{plan}_gb": (meter.peak - plain.peak) / 1e9}
    return found


def chain(objects: int, relations: int) -> Scene:
    """Objects in a row, each left of some further on."""
    pairs = [(first, first + apart) for apart in range(1, objects) for first in range(objects - apart)][:relations]
    left = relation("left of")
    return Scene(tuple(f"object {n}" for n in range(objects)), tuple(SceneRelation(a, left, b) for a, b in pairs))


def milliseconds(work: Callable[[], Any], *, seconds: float = 1.0) -> float:
    """Median time of `work`, over at least five runs and `seconds`."""
    work()
    found: list[float] = []
    begun = time.perf_counter()
    while len(found) < 5 or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - start))
    return median(found)


def timed_core(objects: int, relations: int, grid: tuple[int, int] = GRID, layers: int = 1) -> dict[str, float]:
    """Milliseconds of the reduction from queries and keys to maps, and of what comes after the maps, its gradient included."""
    torch.manual_seed(0)
    cells = grid[0] * grid[1]
    query, key = torch.randn(1, 8, cells, 40), torch.randn(1, 8, 77, 40)
    tokens = [[[1 + n % 76] for n in range(objects)]]
    weights = token_weights(tokens, 77, xp=xp, dtype=torch.float32)
    arrays = scene_arrays([chain(objects, relations)], xp=xp, dtype=torch.float32)
    maps = [torch.rand(1, objects, *grid, requires_grad=True) for _ in range(layers)]
    given, loss = [Given(m, level) for m, level in zip(maps, ("coarse", "middle", "middle"), strict=False)], paper_loss()

    def after() -> None:
        torch.autograd.grad(loss(given, weights, arrays).total.sum(), maps)

    with torch.no_grad():
        attention = StreamedAttention(query, key, 0.16, (0, 77), grid)
        reduced = milliseconds(lambda: attention.object_maps(weights))
    return {"maps_ms": reduced, "after_ms": milliseconds(after)}


def share_after_maps() -> dict[str, float]:
    """What comes after the maps in a guided step of SDXL at 1024, against the step at this machine's own rate of matrix products."""
    case = CASES["SDXL at 1024"]
    after = timed_core(2, 1, (32, 32), layers=3)["after_ms"]
    a = torch.randn(1024, 1024)
    rate = 2 * 1024**3 / milliseconds(lambda: a @ a)  # operations a millisecond
    step = unguided_step(case.model(), case.size(), True).flops / rate
    return {"after_ms": after, "step_ms": step, "share": after / step}


def exponent(points: dict[str, dict[str, float]], name: str) -> float:
    """Slope between first and last in logarithms: 1 where cost is in proportion."""
    (x0, first), *_, (x1, last) = points.items()
    return math.log(last[name] / first[name]) / math.log(float(x1) / float(x0))


def tables(record: dict[str, Any]) -> str:
    lines = ["| SD1.5 | unguided TFLOP | split adds | checkpoint adds | split adds | checkpoint adds |", "|---|---|---|---|---|---|"]
    for what, unit in (("batch", "images"), ("resolution", "pixels"), ("layers", "tapped layers")):
        for value, r in record[what].items():
            lines.append(
                f"| {value} {unit} | {r['unguided_tflop']:.2f} | {r['split_tflop']:.2f} TFLOP | {r['checkpoint_tflop']:.2f} TFLOP | "
                f"{r['split_gb']:.2f} GB | {r['checkpoint_gb']:.2f} GB |"
            )
    lines += ["", "| 64 x 64 maps, one layer | to maps, ms | after the maps, with gradient, ms |", "|---|---|---|"]
    lines += [f"| {n} objects, {int(n) - 1} relations | {r['maps_ms']:.2f} | {r['after_ms']:.2f} |" for n, r in record["objects"].items()]
    lines += [f"| 64 objects, {n} relations | {r['maps_ms']:.2f} | {r['after_ms']:.2f} |" for n, r in record["relations"].items()]
    share = record["sdxl"]
    lines += [
        "",
        f"After the maps, a step of SDXL at 1024 spends {share['after_ms']:.1f} ms here; its matrix products alone would take "
        f"{share['step_ms'] / 1000:.0f} s: {100 * share['share']:.4f}%.",
    ]
    return "\n".join(lines)


def plot(record: dict[str, Any]) -> None:
    """Five panels, one a quantity; both axes logarithmic, so that proportion is a slope of 1."""
    panels: Sequence[tuple[str, str, str, dict[str, str]]] = (
        ("batch", "images in a batch", "added TFLOP", {"split": "split_tflop", "checkpoint": "checkpoint_tflop"}),
        ("resolution", "pixels a side", "added TFLOP", {"split": "split_tflop", "checkpoint": "checkpoint_tflop"}),
        ("resolution", "pixels a side", "added GB", {"split": "split_gb", "checkpoint": "checkpoint_gb"}),
        ("layers", "tapped layers", "added TFLOP", {"split": "split_tflop", "checkpoint": "checkpoint_tflop"}),
        ("objects", "objects", "milliseconds", {"to maps": "maps_ms", "after the maps": "after_ms"}),
        ("relations", "relations of 64 objects", "milliseconds", {"to maps": "maps_ms", "after the maps": "after_ms"}),
    )
    with drawing(9.6, 5.4) as figure:
        for number, (what, label, unit, curves) in enumerate(panels):
            axes = figure.add_axes((0.075 + 0.33 * (number % 3), 0.58 - 0.48 * (number // 3), 0.235, 0.34))
            light_axes(axes)
            x = [float(value) for value in record[what]]
            lines = {name: [r[column] for r in record[what].values()] for name, column in curves.items()}
            lower = min(lines, key=lambda name: lines[name][-1])
            for (name, y), colour in zip(lines.items(), OBJECT_COLOURS, strict=False):
                axes.plot(x, y, color=colour, linewidth=1.8, marker="o", markersize=3.5)
                # above the end of the upper curve, below the beginning of the lower one: neither lies on a curve
                end, side, away = (0, "left", -7) if name == lower else (-1, "right", 5)
                place = {"xytext": (0, away), "textcoords": "offset points", "ha": side, "va": "top" if name == lower else "bottom"}
                axes.annotate(name, (x[end], y[end]), color=colour, fontsize=LABEL, weight="bold", **place)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(x, [f"{value:g}" for value in x])
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.minorticks_off()
            axes.margins(y=0.2)
            axes.set_xlabel(label, color=INK)
            axes.set_title(unit, fontsize=LABEL, loc="left")
        IMAGE.parent.mkdir(parents=True, exist_ok=True)
        rendered(figure).quantize(64).save(IMAGE, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timed", action="store_true", help="keep what has been counted")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = json.loads(RESULT.read_text()) if options.timed else {}
    if not options.timed:
        record["batch"] = {str(n): counted_step(batch=n) for n in BATCHES}
        record["resolution"] = {str(n): counted_step(side=n) for n in SIDES}
        record["layers"] = {str(n): counted_step(layers=n) for n in LAYERS}
    record["objects"] = {str(n): timed_core(n, n - 1) for n in OBJECTS}
    record["relations"] = {str(n): timed_core(64, n) for n in RELATIONS}
    record["sdxl"] = share_after_maps()
    record["exponents"] = {f"{what} {name}": exponent(record[what], name) for what, name in (
        ("batch", "split_tflop"), ("batch", "split_gb"), ("resolution", "split_tflop"), ("resolution", "split_gb"),
        ("objects", "maps_ms"), ("objects", "after_ms"), ("relations", "after_ms"))}  # fmt: skip
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=1) + "\n")
    plot(record)
    print(fill(PAGE, "scale", tables(record)))
    print(json.dumps(record["exponents"], indent=1))


if __name__ == "__main__":
    main()
