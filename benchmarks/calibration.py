"""Calibration against truth, for every shipped model: are layers ranked as their images rank them, and how good is the preset?

python -m benchmarks.calibration --split tune --prompts 28 --images 2          (resumes; every shipped model)
python -m benchmarks.calibration --models shapes-sd3 --split heldout

For each model: `infsplign.calibrate` without labels, in out/calibration-MODEL; the sweep by truth, which correlates each layer's early
gaps with those of the objects that the world's detector finds in the same unguided images; then the calibrated preset beside the
hand-made one on a split. Writes docs/measured/calibration.md, and for each model the preset with its evidence, calibration-MODEL.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.measuring import commit, here, measured
from infsplign.calibration import Calibration, Sampling, calibrate
from infsplign.calibration.prompts import built_in
from infsplign.calibration.scoring import EARLY, correlation
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.image_reading import read_image
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.scoring.summary import cell
from infsplign.shipped import PRESETS, World, load, world

SHOWN = ("OA", "cond", "uncond", "strict", "doubled")
PROMPTS, IMAGES = 24, 2
"""Of a calibration."""


def drawn_gap(image: Any, prompt: BenchmarkPrompt, drawn: World) -> tuple[float, float] | None:
    """Returns the vector from the first object to the second in widths of the image; None unless each is there once."""
    (found,) = drawn.detect([image])
    boxes = [[d.box for d in found if d.name == name and d.score >= drawn.min_score] for name in (prompt.first, prompt.second)]
    if [len(each) for each in boxes] != [1, 1]:
        return None
    (ax, ay), (bx, by) = (((b[0][0] + b[0][2]) / 2 / image.width, (b[0][1] + b[0][3]) / 2 / image.height) for b in boxes)
    return bx - ax, by - ay


def truth(found: Calibration, folder: Path, asked: list[BenchmarkPrompt], drawn: World) -> tuple[list[float], int]:
    """Correlates each layer's early gaps with those of the images; and the number of images that it could be told from.

    Args:
        found: the calibration, of two objects a prompt.
        folder: of its unguided images.
        asked: its prompts.
        drawn: the model's world.
    """
    keys = [(prompt, f"{prompt.id}_{index:02d}") for prompt in asked for index in range(found.images)]
    gaps = [drawn_gap(read_image(folder / f"{key}.png"), prompt, drawn) for prompt, key in keys]
    told = [number for number, gap in enumerate(gaps) if gap is not None]
    where = np.array([gaps[number] for number in told], float).reshape(-1, 2)
    early = found.readings.between[found.readings.part(*EARLY)].mean(axis=0)
    return [correlation(layer[told], where) if told else 0.0 for layer in early], len(told)


def rank_correlation(a: Any, b: Any) -> float:
    """Spearman's correlation of two rankings."""
    result: Any = spearmanr(a, b)
    return float(result.statistic)


def one(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """Calibrates a model, compares with truth and with the hand-made preset; returns the figures."""
    preset, out = PRESETS[model], options.out / f"calibration-{model}"
    asked, drawn = built_in(model, PROMPTS), world(preset.world)
    sampling = Sampling(preset.steps, preset.guidance_scale, preset.call, batch=options.batch, progress=True)
    found = calibrate(load(model), asked, out=out, images=IMAGES, sampling=sampling)
    by_truth, images = truth(found, out / "attention" / "unguided", asked, drawn)
    methods = {"unguided": None, "preset": preset.config, "calibrated": found.config}
    chosen = {name: methods[name] for name in options.methods}
    where = options.out / f"calibrated-{model}-{options.split}"
    size = {"split": options.split, "prompts": options.prompts, "images": options.images, "batch": options.batch}
    quality = measured(model, chosen, where, **size) if options.prompts else {}
    found.write(options.docs / f"calibration-{model}.json", model=model)
    return {
        "model": model, "commit": commit(), **size,
        "layers": list(found.layers), "stop": found.config.stop, "bound": found.config.max_shift,
        "cost": found.cost, "spearman": rank_correlation(by_truth, found.scores.early), "told_by": images,
        "truth": dict(zip(found.readings.layers, by_truth, strict=True)),
        "early": dict(zip(found.readings.layers, map(float, found.scores.early), strict=True)), "quality": quality,
    }  # fmt: skip


def page(facts: list[dict[str, Any]]) -> str:
    """Formats docs/measured/calibration.md."""
    lines = ["# Calibration without labels, against truth", "", HEAD, "", "## Layers", ""]
    lines += ["| model | layers | Spearman | images | read | window | bound | a guided step |", "|---" * 8 + "|"]
    for f in facts:
        cost = "not counted" if f["cost"] is None else f"{f['cost']:.2f}"
        read = ", ".join(f"`{name}`" for name in f["layers"]) or "the family's"
        cells = [
            f"`{f['model']}`",
            len(f["truth"]),
            f"{f['spearman']:.2f}",
            f["told_by"],
            read,
            f"to {f['stop']:.0%}",
            f"{f['bound']:g}",
            cost,
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "| model | layer | by truth | without labels |", "|---|---|---|---|"]
    lines += [f"| `{f['model']}` | `{name}` | {f['truth'][name]:.2f} | {f['early'][name]:.2f} |" for f in facts for name in f["truth"]]
    lines += ["", "## The preset", "", f"| model | options | split | {' | '.join(SHOWN)} | commit |", "|---" * (4 + len(SHOWN)) + "|"]
    for f in facts:
        for name, quality in f["quality"].items():
            cells = " | ".join(cell(quality[measure]) for measure in SHOWN)
            lines.append(f"| `{f['model']}` | {name} | {f['split']}, {f['prompts']} x {f['images']} | {cells} | {f['commit']} |")
    return "\n".join([*lines, ""])


HEAD = """`python -m benchmarks.calibration --split SPLIT --prompts N --images M` makes this page and the presets
`calibration-MODEL.json`, with their evidence and a plot beside them. A calibration has 24 prompts of the split "tune" (of its second half),
2 unguided images of each, and one guided image a prompt for each bound. *By truth*: correlation of a layer's early gaps with those of the
objects in the images, where each is there once (*images*). *Without labels*: with the late consensus of all layers. *Spearman* compares
the two rankings. The rows *preset* have the hand-made options of `infsplign.shipped.PRESETS`. A `+` behind a commit: with changes that
were not committed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", help="all that are installed when not given")
    parser.add_argument("--split", default="tune", choices=("tune", "heldout"))
    parser.add_argument("--prompts", type=int, default=28, help="of the split; 0 calibrates only")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--methods", nargs="*", default=["unguided", "preset", "calibrated"], choices=("unguided", "preset", "calibrated"))
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    record = options.docs / "calibration.json"
    known = {f["model"]: f for f in json.loads(record.read_text("utf-8"))} if record.exists() else {}
    for model in here(options.models):
        known[model] = one(model, options)
        facts = [known[name] for name in PRESETS if name in known]
        write_json(record, facts)
        write(options.docs / "calibration.md", page(facts))
    print(page([known[name] for name in PRESETS if name in known]))


if __name__ == "__main__":
    main()
