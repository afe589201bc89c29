"""Does the recipe carry over? Leave one out: constants are chosen on the other models, and reported on this one.

python -m benchmarks.transfer --prompts 28 --images 2 --report-prompts 24 --report-images 2        (resumes; every shipped model)
python -m benchmarks.transfer --models pictures-xl ...      measures this one on its tune split, and takes the others from transfer.json

1. Each candidate of the recipe's constants is measured on the tune split of every model, on the layers of its preset. They are the recipe
   with a bound of 0.1, *base*, and with one constant turned. `RECOMMENDED` is the one that most models chose, *bound-0.15*;
   `RECOMMENDED_JOINT`, for joint attention, is *base*.
2. For each model left out, the candidate is chosen that is best on the others: the greatest mean of *strict* and *uncond*, each as a part
   of the best that the model reaches with any candidate, so that no model counts more because its figures are high.
3. On the held-out split of the model left out: that choice, the model's own best on its tune split, the paper's method and unguided.

Writes docs/measured/transfer.md.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.layers import of_family
from benchmarks.measuring import commit, here, measured, percent
from benchmarks.recipes import TURNED
from infsplign.engine.config import PAPER, RECOMMENDED, GuidanceConfig
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.scoring.summary import cell
from infsplign.shipped import PRESETS

CANDIDATES = (
    "bound-0.05", "bound-0.15", "bound-0.2", "quarter", "third", "all-steps", "unity-0.5", "unity-2", "no-unity", "no-excite",
    "margin-0.05", "margin-0.2", "spatial-1", "spatial-4", "no-rest",
)  # fmt: skip
"""One constant of "base" turned at a time, see `benchmarks.recipes`."""
BASE = RECOMMENDED.with_(max_shift=0.1)
JUDGED = ("strict", "uncond")
SHOWN = ("OA", "cond", "uncond", "strict", "doubled")
HEAD = """For each model, the recipe's constants were chosen by the tune splits of all other models (*left out*), and are reported on
its own held-out split, beside what its own tune split would choose (*own best*), the default, the paper's method and
unguided. All read the layers of the model's preset, but the paper's method those of the family where the model has them.
Candidates: the recipe with a bound of 0.1 (*base*), and with one constant turned. The default is *bound-0.15*, `RECOMMENDED`,
and for joint attention, of which there is one model, *base*, `RECOMMENDED_JOINT`. 95% bootstrap intervals. Command:
`python -m benchmarks.transfer`."""

Scores = Mapping[str, Mapping[str, float]]
"""Model to candidate to its score in [0, 1]."""


def candidates(model: str) -> dict[str, GuidanceConfig]:
    """Returns the candidates by name, on the layers of the model's preset."""
    own = BASE.with_(layers=PRESETS[model].config.layers)
    return {"base": own} | {name: own.with_(**TURNED[name]) for name in CANDIDATES}


def default(model: str) -> str:
    """Returns the candidate that the default of the model's family is."""
    own = PRESETS[model].config
    return next(name for name, config in candidates(model).items() if config == own)


def scores(quality: Mapping[str, Any]) -> dict[str, float]:
    """Scores the candidates of one model: mean over `JUDGED` of a measure as a part of the best candidate's."""
    best = {measure: max(percent(found, measure) for found in quality.values()) or 1.0 for measure in JUDGED}
    return {name: sum(percent(found, m) / best[m] for m in JUDGED) / len(JUDGED) for name, found in quality.items()}


def choose(found: Scores, models: Sequence[str]) -> str:
    """Returns the candidate with the greatest mean score over `models`; of equal ones the first.

    Raises:
        ValueError: no model.
    """
    if not models:
        raise ValueError("`models` must name at least one other model: nothing can be chosen by none")
    names = list(found[models[0]])
    return max(names, key=lambda name: sum(found[model][name] for model in models))


def reported(model: str, left_out: str, own_best: str) -> dict[str, GuidanceConfig | None]:
    """Returns what is measured on the held-out split; a candidate that is chosen twice is sampled once."""
    known = candidates(model)
    chosen = {name: known[name] for name in dict.fromkeys((left_out, own_best, default(model)))}
    return {"unguided": None, "paper": of_family(model, PAPER)[0], **chosen}


def table(facts: Mapping[str, Any]) -> str:
    """Formats docs/measured/transfer.md."""
    lines = ["# The recipe on a model that it was not chosen by", "", HEAD, ""]
    lines += [f"| model | options | constants | {' | '.join(SHOWN)} |", "|---" * (3 + len(SHOWN)) + "|"]
    for model, found in facts.items():
        rows = {"unguided": "unguided", "the paper's": "paper", "left out": found["left_out"], "own best": found["own_best"]}
        for label, name in (rows | {"the default": default(model)}).items():
            cells = " | ".join(cell(found["heldout"][name][measure]) for measure in SHOWN)
            lines.append(f"| `{model}` | {label} | {name} | {cells} |")
    lines += [
        "",
        "Tune split, by which they were chosen (strict / uncond / doubled):",
        "",
        "| constants | " + " | ".join(f"`{m}`" for m in facts) + " |",
    ]
    lines.append("|---" * (1 + len(facts)) + "|")
    names = list(next(iter(facts.values()))["tune"])
    for name in names:
        cells = (" / ".join(f"{percent(f['tune'][name], measure):.1f}" for measure in (*JUDGED, "doubled")) for f in facts.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", help="all that are installed when not given; at least two")
    parser.add_argument("--prompts", type=int, default=28, help="of the tune split")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--report-prompts", type=int, default=64, help="of the held-out split")
    parser.add_argument("--report-images", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    record = options.docs / "transfer.json"
    kept = json.loads(record.read_text("utf-8")) if options.models and record.exists() else {}
    named = here(options.models)
    models = [m for m in PRESETS if m in {*named, *kept}]
    if len(models) < 2:
        parser.error("`--models` must name at least two models: one is left out, the others choose")
    if any(facts["size"] != [options.prompts, options.images] for facts in kept.values()):
        parser.error(f"`--prompts` and `--images` must be those of {record}, or leave `--models` out")
    size = {"prompts": options.prompts, "images": options.images, "batch": options.batch}
    tune: dict[str, Any] = {}
    for m in models:
        out = options.out / f"transfer-{m}-tune"
        tune[m] = measured(m, candidates(m), out, split="tune", **size) if m in named else kept[m]["tune"]
    found = {model: scores(quality) for model, quality in tune.items()}
    size = {"prompts": options.report_prompts, "images": options.report_images, "batch": options.batch}
    measures = [options.prompts, options.images]
    facts: dict[str, Any] = {}
    for model in models:
        left_out, own_best = choose(found, [m for m in models if m != model]), choose(found, [model])
        chosen = reported(model, left_out, own_best)
        heldout = measured(model, chosen, options.out / f"transfer-{model}-heldout", split="heldout", **size)
        facts[model] = {"left_out": left_out, "own_best": own_best, "tune": tune[model], "heldout": heldout, "commit": commit()}
        facts[model] |= {"size": measures}
    write_json(record, facts)
    write(options.docs / "transfer.md", table(facts))
    print(table(facts))


if __name__ == "__main__":
    main()
