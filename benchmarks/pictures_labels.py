"""Whether the detector of the world of pictures judges generated pictures as a person does.

    python -m benchmarks.pictures_labels make      200 pictures of the shipped model, in sheets to be looked at, in out/labels
    python -m benchmarks.pictures_labels judge     compares the labels in docs/measured/pictures-labels.json with the detector

Half of the pictures are unguided, half guided, one for each of 100 prompts of the tune split. A label says what was seen, before the
detector was asked: whether each named object is there exactly once and well drawn, and nothing else is there.
"""

import argparse
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from infsplign import guide
from infsplign.evaluation.files import write
from infsplign.evaluation.metrics.strict import fidelity
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.shipped import PRESETS, load, world

MODEL, COUNT, BATCH = "pictures", 100, 20
OUT, LABELS, PAGE = Path("out/labels"), Path("docs/measured/pictures-labels.json"), Path("docs/measured/pictures-labels.md")
COLUMNS, ROWS, SIDE = 5, 4, 256
"""Of a sheet, in pictures and pixels."""


def make() -> None:
    """Samples the pictures, and writes them and their sheets."""
    OUT.mkdir(parents=True, exist_ok=True)
    pipe, preset = load(MODEL), PRESETS[MODEL]
    asked = prompts("tune", COUNT, preset.world)
    pictures: list[tuple[str, Image.Image]] = []
    for guided in (False, True):
        for start in range(0, COUNT, BATCH):
            texts = [p.text for p in asked[start : start + BATCH]]
            generators = [torch.Generator().manual_seed(seed("tune", text, 9)) for text in texts]
            options = {"num_inference_steps": preset.steps, "guidance_scale": preset.guidance_scale, "generator": generators}
            with guide(pipe, texts, config=preset.config) if guided else nullcontext():
                pictures += zip(texts, pipe(texts, **options, **preset.call).images, strict=True)
    for number, (_, picture) in enumerate(pictures):
        picture.save(OUT / f"{number:03d}.png")
    (OUT / "prompts.json").write_text(json.dumps([text for text, _ in pictures], indent=1))
    per_sheet = COLUMNS * ROWS
    for start in range(0, len(pictures), per_sheet):
        sheet = Image.new("RGB", (COLUMNS * SIDE, ROWS * (SIDE + 16)), "white")
        pen = ImageDraw.Draw(sheet)
        for k, (text, picture) in enumerate(pictures[start : start + per_sheet]):
            x, y = k % COLUMNS * SIDE, k // COLUMNS * (SIDE + 16)
            sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (x, y + 16))
            pen.text((x + 2, y + 2), f"{start + k}: {text}", fill="black")
        sheet.save(OUT / f"sheet-{start // per_sheet}.png")


def judge() -> None:
    """Compares the labels with the detector's verdicts."""
    drawn = world(PRESETS[MODEL].world)
    labels: dict[str, Any] = json.loads(LABELS.read_text("utf-8"))
    asked = [*prompts("tune", COUNT, drawn.name)] * 2
    found = drawn.detect([Image.open(OUT / f"{number:03d}.png") for number in range(len(asked))])
    pairs = []
    for number, (prompt, seen) in enumerate(zip(asked, found, strict=True)):
        faith = fidelity(seen, (prompt.first, prompt.second), correct=True, min_score=drawn.min_score)
        pairs.append((number in labels["once"], faith.strict))
    agree = sum(a == b for a, b in pairs)
    both, eye, machine = (sum(map(test, pairs)) for test in (all, lambda p: p[0], lambda p: p[1]))
    differ = [number for number, (a, b) in enumerate(pairs) if a != b]
    lines = [
        "# Does the detector see what a person sees?",
        "",
        f"{len(pairs)} pictures of `{MODEL}`, half of them guided; labelled by {labels['by']}, before the detector was asked. Command: "
        "`python -m benchmarks.pictures_labels make`, then `judge`; the labels are in [pictures-labels.json](pictures-labels.json).",
        "",
        "The question: is each named object there exactly once and well drawn, and nothing else?",
        "",
        f"- The person says yes to {eye}, the detector to {machine}, both to {both}.",
        f"- They agree on {agree} of {len(pairs)}, {100 * agree / len(pairs):.1f}%.",
        f"- They differ on pictures {', '.join(map(str, differ)) or 'none'}.",
    ]
    write(PAGE, "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "judge"))
    {"make": make, "judge": judge}[parser.parse_args().what]()
