"""Estimates the cost of all of SR2D on 8 and on 64 GPUs from counted FLOPs and stated assumptions, for `docs/scale.md`.

    python -m benchmarks.gpus

Nothing here was timed on a GPU. The time to write an image is measured on the machine that runs this. FLOPs a step come from
`docs/measured/flops.json`. Every value in `ASSUMED` is a guess that you can replace: `python -m benchmarks.gpus --sustained 200 --price 3`.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from infsplign.evaluation.running.method_folder import MethodFolder

PROMPTS, IMAGES = 25_280, 4
STEPS = {"SD1.5 at 512": 50, "SD2.1 at 768": 50, "SDXL at 1024": 50, "PixArt-XL at 1024": 20, "SD3-medium at 1024": 28}
"""Models with their pipelines' default numbers of steps."""
SIDE = {"SD1.5 at 512": 512, "SD2.1 at 768": 768, "SDXL at 1024": 1024, "PixArt-XL at 1024": 1024, "SD3-medium at 1024": 1024}
ASSUMED = {"sustained": 120.0, "price": 2.0, "load": 180.0, "bits": 13.0, "half": 0.5}
MEANING = {
    "sustained": "sustained TFLOP/s of a GPU in half precision on these models (A100 class; the peak is 312)",
    "price": "dollars for each GPU-hour",
    "load": "seconds to start a worker (container, imports, weights from a local disk)",
    "bits": "bits for each pixel of a photo-like image as PNG",
    "half": "fraction of the steps that is guided",
}
GPUS = (8, 64)
TRIED = 100
"""Number of files written to measure the time for each. The writing process hashes and writes them; the workers encode them."""


def plan(flops: dict, assumed: dict[str, float]) -> str:
    """Markdown: one row for each model; unguided and guided runs together."""
    lines = [
        "| model | steps | images, both methods | PFLOP | GPU-hours | hours on 8 | hours on 64 | dollars | images, GB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    made = PROMPTS * IMAGES
    for name, steps in STEPS.items():
        row = flops[name]
        step = row["unguided_tflop"] + (1 - assumed["half"]) * row["unguided_tflop"] + assumed["half"] * row["guided_tflop"]
        tflop = made * steps * step
        hours = tflop / assumed["sustained"] / 3600
        wall = [hours / gpus + assumed["load"] / 3600 for gpus in GPUS]
        size = 2 * made * SIDE[name] ** 2 * assumed["bits"] / 8 / 1e9
        cells = [name, steps, f"{2 * made:,}", f"{tflop / 1000:,.0f}", f"{hours:,.0f}", *(f"{w:,.1f}" for w in wall)]
        lines.append("| " + " | ".join(map(str, [*cells, f"{hours * assumed['price']:,.0f}", f"{size:,.0f}"])) + " |")
    return "\n".join(lines)


def writing(size: int) -> tuple[float, float]:
    """Measures the processor seconds to write one image of `size` bytes on this machine, and the bytes of its record."""
    with tempfile.TemporaryDirectory() as folder:
        method, data = MethodFolder(Path(folder), "m"), os.urandom(size)
        start = time.process_time()
        for number in range(TRIED):
            key = f"{number}_00"
            record = {"key": key, "prompt": "a potted plant to the left of a dining table", "seed": 2**31, "batch": 8, "inspected_by": ""}
            method.add([record | {"sha256": method.save(key, data)}])
        return (time.process_time() - start) / TRIED, method.lines.stat().st_size / TRIED


def limits(flops: dict, assumed: dict[str, float]) -> str:
    """Markdown: the load on the one writing process, for the fastest model."""
    name = "SD1.5 at 512"
    seconds = STEPS[name] * flops[name]["unguided_tflop"] / assumed["sustained"]
    size = SIDE[name] ** 2 * assumed["bits"] / 8
    spent, record = writing(int(size))
    lines = ["| GPUs | images per second | MB per second to the writer | processor load of the writer |", "|---|---|---|---|"]
    for gpus in GPUS:
        rate = gpus / seconds
        lines.append(f"| {gpus} | {rate:.1f} | {rate * size / 1e6:.1f} | {100 * rate * spent:.0f}% |")
    told = [
        f"Records of both methods: {2 * PROMPTS * IMAGES * record / 1e6:.0f} MB. One image of {name}: {seconds:.2f} s (assumed);",
        f"{1000 * spent:.1f} ms of processor time to write it, measured on this CPU with {size / 1e6:.2f} MB of noise.",
    ]
    return "\n".join([*lines, "", *told])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flops", type=Path, default=Path("docs/measured/flops.json"))
    for name, value in ASSUMED.items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"{MEANING[name]} (assumed: {value:g})")
    options = vars(parser.parse_args())
    flops = json.loads(options.pop("flops").read_text())
    print("\n".join(f"- assumed: {MEANING[name]}: {value:g}" for name, value in options.items()))
    print(f"\n{plan(flops, options)}\n\n{limits(flops, options)}")


if __name__ == "__main__":
    main()
