"""The table that readers see: default, calibrated preset, unguided and the paper's method on the split "final", which nothing else reads.

python -m benchmarks.final --prompts 64 --images 4          (resumes; every shipped model)

`guide(pipe, prompt)` with nothing else is the row "default". Each reading is one line in docs/measured/final-log.jsonl: when, at which
commit, what. Files that decide images must be committed first, so that the commit says what was read. Writes docs/measured/final.md.
"""

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from benchmarks.layers import of_family
from benchmarks.measuring import commit, here, measured
from infsplign.adapters import backbone_for
from infsplign.adapters.backbone import uncompiled
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.files import append, make_folder, write, write_json
from infsplign.evaluation.scoring.summary import cell
from infsplign.shipped import PRESETS, load

SHOWN = ("OA", "cond", "uncond", "VISOR-4", "strict", "doubled", "shape")
METHODS = ("unguided", "default", "calibrated", "paper")
LOG = "final-log.jsonl"
HEAD = """The split "final" has prompts and seeds that nothing was chosen by. `python -m benchmarks.final` reads it and notes each
reading in [final-log.jsonl](final-log.jsonl): when, at which commit, which models. *default* is `guide(pipe, prompt)` with nothing else;
*calibrated* has the preset of `infsplign calibrate` ([calibration.md](calibration.md)); *paper* has the published constants; *preset* is
the default with layers that were chosen by hand, on models that name some. Both *default* and *paper* read the layers of the family, but
on `pictures-xl`, which does not have them, those of its preset. 95% bootstrap intervals."""


def methods(model: str, docs: Path) -> dict[str, GuidanceConfig | None]:
    """Returns the methods by name; "preset" is the model's own where it names layers.

    Raises:
        OSError: the model has no calibrated preset; `python -m benchmarks.calibration` makes it.
    """
    pipe = load(model)
    backbone = backbone_for(pipe)
    denoiser = uncompiled(getattr(pipe, backbone.denoiser))
    default, published = backbone.config(denoiser), backbone.published
    calibrated = GuidanceConfig.load(docs / f"calibration-{model}.json")
    default, published = of_family(model, default, published)
    found = dict(zip(METHODS, (None, default, calibrated, published), strict=True))
    own = PRESETS[model].config
    return found if own.layers in (None, default.layers) else found | {"preset": own}


def note(path: Path, facts: dict[str, Any]) -> None:
    """Adds a line to the log, before anything is sampled: a reading that fails is one too."""
    make_folder(path.parent)
    append(path, json.dumps({"read": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **facts}) + "\n")


def table(found: dict[str, Any]) -> str:
    """Formats docs/measured/final.md."""
    shown = [m for m in SHOWN if any(m in quality for facts in found.values() for quality in facts["quality"].values())]
    lines = [
        "# On prompts and seeds never used",
        "",
        HEAD,
        "",
        f"| model | method | {' | '.join(shown)} |",
        "|---" * (2 + len(shown)) + "|",
    ]
    for model, facts in found.items():
        for name, quality in facts["quality"].items():
            cells = " | ".join(cell(quality[measure]) if measure in quality else "" for measure in shown)
            lines.append(f"| `{model}` | {name} | {cells} |")
    lines += ["", *(f"`{model}`: {f['prompts']} prompts x {f['images']} images, commit {f['commit']}." for model, f in found.items()), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", help="all that are installed when not given")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    models, at = here(options.models), commit()
    if at.endswith("+"):
        parser.error("files under src, models or benchmarks are not committed: commit them first, so that the log says what was read")
    chosen = {model: methods(model, options.docs) for model in models}  # raises before the log has a line
    size = {"prompts": options.prompts, "images": options.images}
    record = options.docs / "final.json"
    known = json.loads(record.read_text("utf-8")) if record.exists() else {}
    for model in models:
        note(options.docs / LOG, {"commit": at, "model": model, **size, "methods": list(chosen[model])})
        quality = measured(model, chosen[model], options.out / f"final-{model}", split="final", batch=options.batch, **size)
        known[model] = {"commit": at, **size, "quality": quality}
        found = {name: known[name] for name in PRESETS if name in known}
        write_json(record, found)
        write(options.docs / "final.md", table(found))
    print(table(known))


if __name__ == "__main__":
    main()
