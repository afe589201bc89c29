"""Plots the loss curves of `training/runs` and tells how long each run took.

python -m training.report vae unet   writes docs/measured/training.png and training.json
"""

import csv
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from training.common import ROOT


def main() -> None:
    target = ROOT.parent / "docs" / "measured"
    names = sys.argv[1:] or sorted(path.parent.name for path in (ROOT / "runs").glob("*/loss.csv"))
    runs = {name: list(csv.DictReader((ROOT / "runs" / name / "loss.csv").open())) for name in names}
    figure, axes = plt.subplots(1, len(runs), figsize=(4.2 * len(runs), 3.2), squeeze=False, layout="constrained")
    facts = {}
    for axis, (name, rows) in zip(axes[0], runs.items(), strict=True):
        axis.semilogy([int(r["step"]) for r in rows], [float(r["loss"]) for r in rows], lw=1.2)
        axis.set(title=name, xlabel="step", ylabel="training loss")
        axis.grid(alpha=0.3, which="both")
        last = rows[-1]
        extra = ROOT / "runs" / name / "facts.json"
        facts[name] = {"steps": int(last["step"]), "loss": float(last["loss"]), "seconds": int(last["seconds"])}
        facts[name] |= json.loads(extra.read_text()) if extra.exists() else {}
    figure.savefig(target / "training.png", dpi=120)
    (target / "training.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    Path(ROOT.parent / "docs" / "measured").mkdir(parents=True, exist_ok=True)
    main()
