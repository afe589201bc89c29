"""Whether the detector of the world of pictures agrees with labels that were made by looking.

    python -m benchmarks.pictures_labels make                    200 pictures of the shipped model, in sheets to be looked at, in out/labels
    python -m benchmarks.pictures_labels judge                   compares docs/measured/pictures-labels.json with the detector
    python -m benchmarks.pictures_labels judge --labels new.txt --by "who looked"     the same with new labels, which are kept there
    python -m benchmarks.pictures_labels thresholds              agreement on the even numbers by MIN_SCORE and SEEN

Half of the pictures are unguided, half guided, one for each of 100 prompts of the tune split. A label says what was seen, before the
detector was asked: whether each named object is there exactly once and well drawn, and nothing else is there. The relation is not asked.

A file of labels is JSON like the one that is kept, or a text with two lines; what is not named there is wrong:

    right: 0 4 6 9-12
    doubtful: 6 30

"doubtful" are those, right or wrong, that others might label otherwise. Even and odd numbers share their prompts neither among
unguided nor among guided pictures, so a threshold that was chosen on the even ones can be judged on the odd ones.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import torch
from infsplign_models import WEIGHTS
from infsplign_models.world.detector import MIN_SCORE, SEEN, Found, detect
from PIL import Image, ImageDraw, ImageFont

from infsplign import guide
from infsplign.detection import Detection
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.metrics.strict import fidelity
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.shipped import PRESETS, load

MODEL, COUNT, BATCH = "pictures", 100, 20
OUT, DOCS = Path("out/labels"), Path("docs/measured")
COLUMNS, ROWS, SIDE, LINE = 5, 4, 256, 18
"""Of a sheet: pictures, and pixels of a picture and of the line below it."""
QUESTION = "is each named object there exactly once and well drawn, and nothing else?"
LEAST, EXTRA = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7), (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
"""Of MIN_SCORE and SEEN, where `thresholds` looks."""


def weights_hash(model: str = MODEL) -> str:
    """First digits of the SHA-256 of the denoiser's weights: labels belong to the pictures of one training."""
    return hashlib.sha256((WEIGHTS / model / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()[:16]


def make(out: Path) -> None:
    """Samples the pictures, and writes them and their sheets."""
    out.mkdir(parents=True, exist_ok=True)
    pipe, preset = load(MODEL), PRESETS[MODEL]
    asked = prompts("tune", COUNT, preset.world)
    pictures: list[Image.Image] = []
    for guided in (False, True):
        for start in range(0, COUNT, BATCH):
            texts = [p.text for p in asked[start : start + BATCH]]
            generators = [torch.Generator().manual_seed(seed("tune", text, 9)) for text in texts]
            options = {"num_inference_steps": preset.steps, "guidance_scale": preset.guidance_scale, "generator": generators}
            with guide(pipe, texts, config=preset.config) if guided else nullcontext():
                pictures += pipe(texts, **options, **preset.call).images
    for number, picture in enumerate(pictures):
        picture.save(out / f"{number:03d}.png")
    (out / "weights.txt").write_text(weights_hash())
    sheets([(p.first, p.second) for p in asked] * 2, pictures, out)


def sheets(objects: Sequence[tuple[str, str]], pictures: Sequence[Image.Image], out: Path) -> list[Path]:
    """Writes sheets of numbered pictures with the two nouns that were asked for below each, and without any verdict."""
    font, paths = ImageFont.load_default(14), []
    for start in range(0, len(pictures), COLUMNS * ROWS):
        sheet = Image.new("RGB", (COLUMNS * SIDE, ROWS * (SIDE + LINE)), "white")
        pen = ImageDraw.Draw(sheet)
        for k, picture in enumerate(pictures[start : start + COLUMNS * ROWS]):
            x, y = k % COLUMNS * SIDE, k // COLUMNS * (SIDE + LINE)
            sheet.paste(picture.resize((SIDE - 4, SIDE), Image.Resampling.LANCZOS), (x, y))
            pen.text((x + 2, y + SIDE), f"{start + k}: {', '.join(objects[start + k])}", fill="black", font=font)
        paths.append(out / f"sheet-{start // (COLUMNS * ROWS)}.png")
        sheet.save(paths[-1])
    return paths


def read_labels(path: Path, count: int, by: str) -> dict[str, Any]:
    """Reads labels from JSON, or from a text with the lines "right:" and "doubtful:".

    Args:
        path: of the file.
        count: of pictures.
        by: who looked, for a text.

    Raises:
        ValueError: a line that says neither, a word that is no number or range, or a number that no picture has.
    """
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        labels = json.loads(text)
    else:
        labels = {"by": by, "question": QUESTION, "once": [], "doubtful": []}
        for line in filter(None, map(str.strip, text.splitlines())):
            kind, _, numbers = line.partition(":")
            if kind not in ("right", "doubtful"):
                raise ValueError(f'a line of {path} must begin with "right:" or "doubtful:", got {line[:40]!r}')
            labels["once" if kind == "right" else kind] += _numbers(numbers, path)
    wrong = sorted({n for key in ("once", "doubtful") for n in labels.get(key, []) if not 0 <= n < count})
    if wrong:
        raise ValueError(f"{path} must name pictures 0 to {count - 1}, got {', '.join(map(str, wrong))}; correct these numbers")
    return labels


def _numbers(text: str, path: Path) -> list[int]:
    found: list[int] = []
    for word in re.split(r"[\s,]+", text.strip()):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
        if word and not match:
            raise ValueError(f"{path} must list numbers such as 4 or ranges such as 9-12, got {word!r}")
        if match:
            found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def verdict(found: Sequence[Found], objects: Sequence[str], min_score: float = MIN_SCORE, seen: float = SEEN) -> bool:
    """Whether the detector says what a label says."""
    blobs = [Detection(name, score, (box[0], box[1], box[2], box[3])) for name, score, box in found if score >= seen]
    return fidelity(blobs, objects, correct=True, min_score=min_score).strict


def look(out: Path) -> tuple[list[tuple[str, str]], list[list[Found]]]:
    """What each picture was to show, and all that the detector sees in it above the least of EXTRA."""
    asked = [(p.first, p.second) for p in prompts("tune", COUNT, PRESETS[MODEL].world)] * 2
    return asked, detect([Image.open(out / f"{number:03d}.png") for number in range(len(asked))], min_score=min(EXTRA))


def agreement(pairs: Sequence[tuple[bool, bool]]) -> str:
    """Pairs of the label and the detector's verdict in words."""
    agree = sum(a == b for a, b in pairs)
    both, label, detector = (sum(map(test, pairs)) for test in (all, lambda p: p[0], lambda p: p[1]))
    ends = f"both say right {both}, both wrong {len(pairs) - label - detector + both}, "
    ends += f"right only by the label {label - both}, only by the detector {detector - both}"
    return f"{agree} of {len(pairs)}, {100 * agree / max(len(pairs), 1):.1f}% ({ends})"


def page(labels: dict[str, Any], asked: Sequence[tuple[str, str]], found: Sequence[Sequence[Found]]) -> str:
    """The comparison as a page."""
    pairs = [(number in labels["once"], verdict(seen, nouns)) for number, (nouns, seen) in enumerate(zip(asked, found, strict=True))]
    doubtful = labels.get("doubtful", [])
    lines = [
        "# Does the detector agree with labels made by looking?",
        "",
        f"{len(pairs)} pictures of `{MODEL}`, half of them guided; labelled by {labels['by']}, before the detector was asked. Command: "
        "`python -m benchmarks.pictures_labels make`, then `judge`; the labels are in [pictures-labels.json](pictures-labels.json).",
        "",
        f"The question: {labels['question']}",
        "",
        f"- All pictures: they agree on {agreement(pairs)}.",
    ]
    if labels.get("chosen_on") == "even":
        lines.append(f"- Even numbers, on which the detector's thresholds were chosen: {agreement(pairs[::2])}.")
        lines.append(f"- Odd numbers, which nothing was chosen on: {agreement(pairs[1::2])}.")
    if doubtful:
        sure = [pair for number, pair in enumerate(pairs) if number not in doubtful]
        lines.append(f"- Without {len(doubtful)} that are labelled doubtful: {agreement(sure)}.")
    lines += ["", "| they differ on | asked | label | detector saw |", "|---|---|---|---|"]
    for number, (label, detector) in enumerate(pairs):
        if label != detector:
            saw = ", ".join(f"{name} {score:.2f}" for name, score, _ in found[number] if score >= SEEN)
            lines.append(f"| {number} | {', '.join(asked[number])} | {'right' if label else 'wrong'} | {saw or 'nothing'} |")
    return "\n".join(lines) + "\n"


def judge(labels: Path, out: Path, docs: Path, by: str) -> None:
    """Compares the labels with the detector's verdicts, and keeps both.

    Raises:
        ValueError: the labels are of other pictures, see `read_labels` too.
    """
    asked, found = look(out)
    known, made = read_labels(labels, len(asked), by), (out / "weights.txt").read_text().strip()
    if known.setdefault("weights", made) != made:
        raise ValueError(f"{labels} is about pictures of the weights {known['weights']}, but {out} has those of {made}; label these anew")
    text = page(known, asked, found)
    write_json(docs / "pictures-labels.json", known)
    write(docs / "pictures-labels.md", text)
    print(text)


def thresholds(labels: Path, out: Path) -> None:
    """Prints the agreement on the even numbers, in percent: a row for each MIN_SCORE, a column for each SEEN."""
    asked, found = look(out)
    right = set(read_labels(labels, len(asked), "")["once"])
    print("least   " + "  ".join(f"{seen:5.2f}" for seen in EXTRA))
    table = {
        (least, seen): sum((n in right) == verdict(found[n], asked[n], least, seen) for n in range(0, len(asked), 2)) / (len(asked) / 2)
        for least, seen in product(LEAST, EXTRA)
    }
    for least in LEAST:
        print(f"{least:5.2f}   " + "  ".join(f"{100 * table[least, seen]:5.1f}" for seen in EXTRA))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "judge", "thresholds"))
    parser.add_argument("--labels", type=Path, default=DOCS / "pictures-labels.json")
    parser.add_argument("--by", default="one of the authors of this repository (a language model that looked at the sheets)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the pictures and sheets")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the labels and the page that are kept")
    options = parser.parse_args()
    if options.what == "make":
        make(options.out)
    elif options.what == "judge":
        judge(options.labels, options.out, options.docs, options.by)
    else:
        thresholds(options.labels, options.out)
