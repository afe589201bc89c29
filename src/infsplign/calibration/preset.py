"""`Calibration`: the options that were chosen, and why; as a preset file, a table and a plot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.calibration.choosing import BoundScore
from infsplign.calibration.readings import Readings
from infsplign.calibration.scoring import LayerScores
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.files import finite, make_folder, write
from infsplign.evaluation.reading import short

SHOWN = (0.0, 0.2, 0.4, 0.6, 0.8)
"""Progress of the columns of the table."""
ROUNDED = 4
WIDE = 0.85
"""`LayerScores.spread` above which a map does not tell where its object is."""


@dataclass(frozen=True)
class Calibration:
    """The result of `calibrate`.

    Attributes:
        config: the options.
        readings: what unguided images showed.
        scores: of the layers.
        chosen: numbers of the layers that are read; empty where none tells enough, and the family's are kept.
        decided_at: progress at which positions are decided.
        bounds: each value of `max_shift` that was tried, and what came of it; empty if none was.
        cost: operations of a guided step in those of an unguided one; None if they cannot be counted.
        prompts, images: how many prompts were asked for, and unguided images of each.
        family: name of the pipeline's family.
        unread: layers that could not be read, and why.
        judged_by: settings of the detector; None where attention judged.
        left_out: texts of the prompts an image of which could not be made, and why: nothing is chosen by them.
    """

    config: GuidanceConfig
    readings: Readings
    scores: LayerScores
    chosen: tuple[int, ...]
    decided_at: float
    bounds: Mapping[float, BoundScore]
    cost: float | None
    prompts: int
    images: int
    family: str
    unread: Mapping[str, str] = field(default_factory=dict)
    judged_by: Mapping[str, Any] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that were chosen."""
        return tuple(self.readings.layers[k] for k in self.chosen)

    @property
    def ranking(self) -> list[int]:
        """Numbers of all layers, the best first."""
        return sorted(range(len(self.readings.layers)), key=lambda k: -self.scores.early[k])

    def evidence(self) -> dict[str, Any]:
        """Returns all figures as JSON types: layers x noise, the choice, the bounds, the cost."""
        readings, scores = self.readings, self.scores
        each = ("early", "weight", "sharpness", "separation", "spread")
        layers = [
            {"name": name, "grid": list(readings.grids[k]), "chosen": k in self.chosen}
            | {measure: _round(getattr(scores, measure)[k]) for measure in each}
            | {"agreement": [_round(value) for value in scores.agreement[:, k]]}
            for k, name in enumerate(readings.layers)
        ]
        tried = [{"max_shift": bound, **{k: _round(v) for k, v in vars(score).items()}} for bound, score in self.bounds.items()]
        return finite({
            "family": self.family, "prompts": self.prompts, "images": self.images,
            "progress": [_round(value) for value in readings.progress], "sigma": [_round(value) for value in readings.sigma],
            "layers": layers, "agreement_of_layers": _round(scores.final), "decided_at": _round(self.decided_at), "bounds": tried,
            "judged_by": self.judged_by, "step_cost": _round(self.cost), "unread": dict(self.unread),
            "left_out": dict(self.left_out),
        })  # fmt: skip

    def save(self, path: str | Path, **about: Any) -> None:
        """Writes the preset, which `GuidanceConfig.load` reads; the evidence is in it too.

        Args:
            path: of the JSON file; one that is there is replaced.
            about: what else it is to say, such as `model="owner/name"`.

        Raises:
            OSError: it cannot be written.
        """
        make_folder(Path(path).parent)
        self.config.save(path, **about, calibration=self.evidence())

    def table(self) -> str:
        """Formats layers x noise as Markdown, with what was chosen below it."""
        steps = [int((abs(self.readings.progress - at)).argmin()) for at in SHOWN]
        head = "".join(f" {100 * self.readings.progress[s]:.0f}% |" for s in steps)
        lines = [f"| layer | grid | early | sharp | apart |{head} read |", "|---" * (6 + len(steps)) + "|"]
        for k, name in enumerate(self.readings.layers):
            height, width = self.readings.grids[k]
            figures = [self.scores.early[k], self.scores.sharpness[k], self.scores.separation[k], *self.scores.agreement[steps, k]]
            cells = " | ".join(f"{value:.2f}" for value in figures)
            lines.append(f"| `{name}` | {height}x{width} | {cells} | {'yes' if k in self.chosen else ''} |")
        return "\n".join([*lines, "", *self.summary(), ""])

    def summary(self) -> list[str]:
        """Makes the lines that say what was chosen."""
        layers = ", ".join(self.layers) or "those of the family: no layer tells early where objects will be"
        found = [
            f"layers: {layers}",
            f"window: steps from 0% to {100 * self.config.stop:g}%; positions are decided at {self.decided_at:.0%}",
        ]
        for bound, score in self.bounds.items():
            told = ", ".join(f"{name} {getattr(score, name):.2f}" for name in ("holds", "whole", "apart", "clear"))
            judged = f", strict {score.strict:.2f}" if score.strict is not None else ""
            found.append(f"bound {bound:g}: {told}{judged}{'  <- taken' if bound == self.config.max_shift else ''}")
        if self.bounds and all(score.strict == 0 for score in self.bounds.values()):
            found.append("mind: the detector finds no image right under any bound, so attention chose; does it know the objects?")
        wide = [name for name, k in zip(self.layers, self.chosen, strict=True) if self.scores.spread[k] > WIDE]
        if wide:
            found.append(
                f"mind: in {', '.join(wide)} the map of one of the objects is spread over the whole picture until the end; guidance can "
                "only move the other one there"
            )
        if self.left_out:
            text, error = next(iter(self.left_out.items()))
            count = f"{len(self.left_out)} of {self.prompts} prompts"
            found.append(f"left out: {count}, of which an image failed: {short(text)}: {short(error)}")
        if not self.bounds:
            found.append(f"bound: {self.config.max_shift:g}, not searched")
        found.append(
            f"a guided step: {self.cost:.2f} times the operations of an unguided one" if self.cost else "a guided step: not counted"
        )
        return found

    def plot(self, title: str = "Which layers read positions") -> Image.Image:
        """Draws layers x noise, the window, and the bounds."""
        from infsplign.visuals.layers import layers_plot

        bounds = {bound: score.score for bound, score in self.bounds.items()}
        return layers_plot(
            self.readings.layers, self.readings.progress, self.scores.agreement, chosen=self.chosen, stop=self.config.stop,
            decided_at=self.decided_at, bounds=bounds, bound=self.config.max_shift, title=title,
        )  # fmt: skip

    def write(self, path: str | Path, **about: Any) -> list[Path]:
        """Writes the preset, and beside it the plot (.png) and the table (.md). Returns the paths.

        Raises:
            ValueError: `path` does not end in .json; ending as the plot or the table does, it would be replaced by them.
            OSError: a file cannot be written.
        """
        path = Path(path)
        if path.suffix != ".json":
            raise ValueError(f"`path` must be the name of a JSON file, such as preset.json, got {str(path)!r}")
        title = f"Which layers read positions: {about['model']}" if "model" in about else "Which layers read positions"
        self.save(path, **about)
        write(path.with_suffix(".md"), self.table())
        self.plot(title).save(path.with_suffix(".png"))
        return [path, path.with_suffix(".png"), path.with_suffix(".md")]


def _round(value: Any) -> Any:
    return None if value is None else round(float(value), ROUNDED)
