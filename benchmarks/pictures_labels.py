"""Whether the detector of the world of pictures agrees with labels that raters made by looking, and the raters with each other.

    python -m benchmarks.pictures_labels make                    200 pictures of the shipped model, in sheets to be looked at, in out/labels
    python -m benchmarks.pictures_labels judge                   compares docs/measured/pictures-labels.json with the detector
    python -m benchmarks.pictures_labels judge --labels A.txt B.txt --by "who A is" "who B is"     keeps new labels, then the same
    python -m benchmarks.pictures_labels thresholds              agreement with all raters by MIN_SCORE and SEEN, on the even numbers

Half of the pictures are unguided, half guided, one for each of 100 prompts of the tune split. A label says what was seen, before the
detector was asked: whether each named object is there exactly once and well drawn, and nothing else is there. The relation is not asked.

A file of labels is a text of two lines; a picture that is not named is wrong:

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
from pathlib import Path
from typing import Any

import torch
from infsplign_models import WEIGHTS
from infsplign_models.world.detector import MIN_SCORE, SEEN, Found, detect
from PIL import Image, ImageDraw, ImageFont

from infsplign import guide
from infsplign.detection import Detection
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.fingerprint import differences, plain
from infsplign.evaluation.metrics.strict import fidelity
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.shipped import PRESETS, load

MODEL, COUNT, BATCH = "pictures", 100, 20
OUT, DOCS = Path("out/labels"), Path("docs/measured")
COLUMNS, ROWS, SIDE, LINE = 5, 4, 256, 18
"""Of a sheet: pictures, and pixels of a picture and of the line below it."""
MADE, KEPT = "made.json", "pictures-labels.json"
QUESTION = "is each named object there exactly once and well drawn, and nothing else?"
ALIVE = frozenset(("person", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"))
LEAST, EXTRA = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7), (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
"""Of MIN_SCORE and SEEN, where `thresholds` looks."""


def made_by(model: str = MODEL) -> dict[str, Any]:
    """What decides the pictures, as plain JSON: the first digits of the SHA-256 of the denoiser's weights, and the options of guidance."""
    weights = (WEIGHTS / model / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    return {"weights": hashlib.sha256(weights).hexdigest()[:16], "config": plain(PRESETS[model].config)}


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
    write_json(out / MADE, made_by())
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
    """Reads one rater's labels from a text with the lines "right:" and "doubtful:".

    Args:
        path: of the file.
        count: of pictures.
        by: who looked.

    Raises:
        ValueError: a line that says neither, a word that is no number or range, or a number that no picture has.
    """
    labels: dict[str, Any] = {"by": by, "once": [], "doubtful": []}
    for line in filter(None, map(str.strip, path.read_text("utf-8").splitlines())):
        kind, _, numbers = line.partition(":")
        if kind not in ("right", "doubtful"):
            raise ValueError(f'a line of {path} must begin with "right:" or "doubtful:", got {line[:40]!r}')
        labels["once" if kind == "right" else kind] += _numbers(numbers, path)
    wrong = sorted({n for key in ("once", "doubtful") for n in labels[key] if not 0 <= n < count})
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


def percent(same: Sequence[bool]) -> str:
    """A share in percent, or a dash for that of nothing."""
    return f"{100 * sum(same) / len(same):.1f}" if same else "-"


def page(kept: dict[str, Any], asked: Sequence[tuple[str, str]], found: Sequence[Sequence[Found]]) -> str:
    """The comparison as a page."""
    raters, count = kept["raters"], len(asked)
    labels = {f"rater {chr(ord('A') + k)}": [n in rater["once"] for n in range(count)] for k, rater in enumerate(raters)}
    detector = [verdict(seen, nouns) for nouns, seen in zip(asked, found, strict=True)]
    half = count // 2
    lines = [
        "# Does the detector agree with labels made by looking?",
        "",
        f"{count} pictures of `{MODEL}`, the first half unguided, the second half guided. Each rater looked at all of them, without the "
        "verdicts of the detector or of another rater. Command: `python -m benchmarks.pictures_labels make`, then `judge`. The labels: "
        "[pictures-labels.json](pictures-labels.json).",
        "",
        f"The question: {kept['question']}",
        "",
        *(f"- {name}: {rater['by']}." for name, rater in zip(labels, raters, strict=True)),
        "",
        f"| says right, % | all | unguided | guided | agrees with the detector | {' | '.join(f'with {name}' for name in labels)} |",
        "|---" * (5 + len(labels)) + "|",
    ]
    for name, said in ({"detector": detector} | labels).items():
        others = [percent(_same(said, other)) if other is not said else "" for other in labels.values()]
        shares = [percent(part) for part in (said, said[:half], said[half:])]
        with_detector = percent(_same(said, detector)) if said is not detector else ""
        lines.append(f"| {' | '.join([name, *shares, with_detector, *others])} |")
    clear = [n for n in range(count) if len({said[n] for said in labels.values()}) == 1]
    first = next(iter(labels.values()))
    agreed = percent([first[n] == detector[n] for n in clear])
    lines += ["", f"Where all raters agree, {len(clear)} pictures, the detector agrees on {agreed}%.", ""]
    lines += ["| pictures of | number | raters agree, % | where they do, the detector agrees, % |", "|---|---|---|---|"]
    for words, some in (
        ("an animal or a person", [n for n in range(count) if ALIVE & set(asked[n])]),
        ("things only", [n for n in range(count) if not ALIVE & set(asked[n])]),
    ):
        unanimous = percent([n in clear for n in some])
        agreed = percent([first[n] == detector[n] for n in some if n in clear])
        lines.append(f"| {words} | {len(some)} | {unanimous} | {agreed} |")
    lines += ["", "Pictures on which all raters differ from the detector:", ""]
    lines += ["| picture | asked | raters | detector saw |", "|---|---|---|---|"]
    for number in clear:
        if first[number] != detector[number]:
            saw = ", ".join(f"{name} {score:.2f}" for name, score, _ in found[number] if score >= SEEN)
            lines.append(f"| {number} | {', '.join(asked[number])} | {'right' if first[number] else 'wrong'} | {saw or 'nothing'} |")
    return "\n".join(lines) + "\n"


def _same(a: Sequence[bool], b: Sequence[bool]) -> list[bool]:
    return [x == y for x, y in zip(a, b, strict=True)]


def judge(files: Sequence[Path], by: Sequence[str], out: Path, docs: Path) -> None:
    """Compares the labels with the detector's verdicts, and keeps both.

    Args:
        files: new labels, one of each rater; none for those that are kept.
        by: who made each.
        out: folder of the pictures.
        docs: folder of the labels and the page that are kept.

    Raises:
        ValueError: the labels are of other pictures, not one `by` for each file, see `read_labels` too.
    """
    if len(files) != len(by):
        raise ValueError(f"--by must name one rater for each of the {len(files)} files of --labels, got {len(by)}")
    asked, found = look(out)
    made = json.loads((out / MADE).read_text("utf-8"))
    if files:
        kept = {"question": QUESTION} | made | {"raters": [read_labels(path, len(asked), who) for path, who in zip(files, by, strict=True)]}
    else:
        kept = json.loads((docs / KEPT).read_text("utf-8"))
    if wrong := differences({key: kept[key] for key in made}, made):
        raise ValueError(f"{docs / KEPT} is about other pictures than those in {out}: {'; '.join(wrong)}. Label these anew")
    text = page(kept, asked, found)
    write_json(docs / KEPT, kept)
    write(docs / "pictures-labels.md", text)
    print(text)


def thresholds(out: Path, docs: Path) -> None:
    """Prints the mean agreement with the raters on the even numbers, in percent: a row for each MIN_SCORE, a column for each SEEN."""
    asked, found = look(out)
    even = range(0, len(asked), 2)
    raters = [set(rater["once"]) for rater in json.loads((docs / KEPT).read_text("utf-8"))["raters"]]
    print("least   " + "  ".join(f"{seen:5.2f}" for seen in EXTRA))
    for least in LEAST:
        row = []
        for seen in EXTRA:
            said = {n: verdict(found[n], asked[n], least, seen) for n in even}
            row.append(percent([(n in right) == said[n] for right in raters for n in even]))
        print(f"{least:5.2f}   " + "  ".join(f"{value:>5}" for value in row))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "judge", "thresholds"))
    parser.add_argument("--labels", type=Path, nargs="+", default=(), help="new labels, a file of each rater; without, those that are kept")
    parser.add_argument("--by", nargs="+", default=(), help="who made each of them")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the pictures and sheets")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the labels and the page that are kept")
    options = parser.parse_args()
    if options.what == "make":
        make(options.out)
    elif options.what == "judge":
        judge(options.labels, options.by, options.out, options.docs)
    else:
        thresholds(options.out, options.docs)
