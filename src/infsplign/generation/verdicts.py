"""Verdicts on images of a shipped model's world: whether they show what was asked for and nothing else, by the world's detector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from infsplign.core.scenes import Scene
from infsplign.prompts.named import beside, plural
from infsplign.shipped.loading import shipped
from infsplign.shipped.presets import PRESETS
from infsplign.shipped.worlds import World, world

TICK, CROSS = "\u2713", "\u2717"
COUNTS = ("no", "one", "two", "three", "four", "five")
RIGHT = "as asked"


@dataclass(frozen=True)
class Outcome:
    """What was found in one image.

    Attributes:
        holds: for each relation, whether it holds.
        wrong: what differs from the prompt, such as "two circles" or "no square"; nothing when each object is there exactly once and well
            drawn, every relation holds, and nothing else is there.
    """

    holds: tuple[bool, ...]
    wrong: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.wrong) or RIGHT


@dataclass(frozen=True)
class Verdicts:
    """What the detector found in all images of a run.

    Attributes:
        relations: "A left of B", for each relation of the scene.
        seeds: of the images.
        outcomes: for each method, the outcome of each image.
        reason: why there is no verdict; empty when there is one.
    """

    relations: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    outcomes: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    reason: str = ""

    def notes(self, method: str) -> list[str]:
        """Makes a short caption for each image of `method`."""
        return [f"{TICK} {RIGHT}" if not found.wrong else f"{CROSS} {', '.join(found.wrong[:2])}" for found in self.outcomes[method]]

    def lines(self) -> list[str]:
        """Makes the printed lines: the verdict on each image, and for several images the totals."""
        if self.reason:
            return [f"no verdict: {self.reason}"]
        if len(self.seeds) == 1:
            return [f"{method}: {found[0]}" for method, found in self.outcomes.items()]
        lines = []
        for number, seed in enumerate(self.seeds):
            lines.append(f"seed {seed}: " + "; ".join(f"{method}: {found[number]}" for method, found in self.outcomes.items()))
        for place, relation in enumerate(self.relations):
            lines.append(f"{relation}: {self._totals(lambda outcome, place=place: outcome.holds[place])}")
        return [*lines, f"exactly {RIGHT}: {self._totals(lambda outcome: not outcome.wrong)}"]

    def _totals(self, counts: Any) -> str:
        return ", ".join(f"{method} {sum(map(counts, found))} of {len(found)}" for method, found in self.outcomes.items())

    def to_dict(self) -> dict[str, Any]:
        """Converts the verdicts for `trace.json`: per method, one entry an image."""
        if self.reason:
            return {"reason": self.reason}
        relations = {
            relation: {method: [outcome.holds[place] for outcome in found] for method, found in self.outcomes.items()}
            for place, relation in enumerate(self.relations)
        }
        return {
            "relations": relations,
            "strict": {method: [not outcome.wrong for outcome in found] for method, found in self.outcomes.items()},
            "wrong": {method: [list(outcome.wrong) for outcome in found] for method, found in self.outcomes.items()},
        }


def judged(model: str, scene: Scene, seeds: Sequence[int], images: Mapping[str, Sequence[Image.Image]], *, prompt: str = "") -> Verdicts:
    """Detects the scene's objects in each image.

    Args:
        model: the model of the images; the detector knows only the objects of shipped models.
        scene: the requested scene.
        seeds: of the images.
        images: method to its images.
        prompt: what it names beside the scene's objects, as where relations are given by hand, is asked for too, in any number.
    """
    if model not in shipped():
        return Verdicts(reason=f"the detector knows only what the shipped model draws, and {model!r} is another model")
    drawn = world(PRESETS[model].world)
    nouns = [" ".join(name.lower().split()) for name in scene.objects]
    if strange := [repr(name) for name, noun in zip(scene.objects, nouns, strict=True) if noun not in drawn.nouns]:
        verb = "is no noun" if len(strange) == 1 else "are no nouns"
        return Verdicts(reason=f"{' and '.join(strange)} {verb} of the shipped model's world ({', '.join(drawn.nouns)})")
    relations = tuple(scene.text(edge) for edge in scene.relations)
    told = beside(prompt, drawn.nouns, nouns)
    outcomes = {method: [_outcome(image, scene, nouns, drawn, told) for image in found] for method, found in images.items()}
    return Verdicts(relations, tuple(seeds), outcomes)


def _outcome(image: Image.Image, scene: Scene, nouns: Sequence[str], drawn: World, told: Mapping[str, bool]) -> Outcome:
    """Judges orders on an axis by VISOR's rule (any pair of boxes), other relations by the best box of each object."""
    from infsplign.evaluation.metrics.box_relations import relations_hold
    from infsplign.evaluation.metrics.visor import judge

    blobs = drawn.detect([image])[0]
    detections = [found for found in blobs if found.score >= drawn.min_score]
    there = {found.name: found.box for found in reversed(detections)}  # the best one last
    named, holds = Scene(tuple(nouns), scene.relations), []
    for edge, held in zip(scene.relations, relations_hold(there, image.size, named), strict=True):
        right, asked = held, edge.relation
        if edge.second is not None and asked.equation == "ordered" and len(asked.axes) == 1:
            right = judge(detections, nouns[edge.first], asked, nouns[edge.second]).correct
        holds.append(right)
    broken = [
        f"not {scene.text(edge)}"
        for edge, right in zip(scene.relations, holds, strict=True)
        if not right and all(nouns[number] in there for number in edge.objects)
    ]
    wrong = [*_miscounted(blobs, nouns, drawn.min_score, told), *broken]
    return Outcome(tuple(holds), tuple(wrong))


def _miscounted(blobs: Sequence[Any], nouns: Sequence[str], least: float, told: Mapping[str, bool] = {}) -> list[str]:
    """What is there too often, not at all, badly drawn, or without having been asked for."""
    wrong = []
    for noun in dict.fromkeys(nouns):
        found = [blob for blob in blobs if blob.name == noun]
        if len(found) > 1:
            wrong.append(f"{COUNTS[len(found)] if len(found) < len(COUNTS) else len(found)} {plural(noun)}")
        elif not found:
            wrong.append(f"no {noun}")
        if found and found[0].score < least:
            wrong.append(f"{noun} misshapen")
    for noun in (noun for noun, asked in told.items() if asked):
        scores = [blob.score for blob in blobs if blob.name == noun]
        if not scores or max(scores) < least:
            wrong.append(f"{noun} misshapen" if scores else f"no {noun}")
    others = dict.fromkeys(blob.name for blob in blobs if blob.name not in nouns and blob.name not in told)
    return [*wrong, *(f"{_one(name)} too" for name in others)]


def _one(name: str) -> str:
    if name == "malformed":  # the detector's class of what is there, but like no noun
        return "one malformed"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
