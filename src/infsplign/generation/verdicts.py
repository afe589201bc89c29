"""Verdicts on images of a shipped model's world: whether each relation holds, by the world's detector on the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from infsplign.core.scenes import Scene
from infsplign.shipped.loading import shipped
from infsplign.shipped.presets import PRESETS
from infsplign.shipped.worlds import World, world

TICK, CROSS = "\u2713", "\u2717"


@dataclass(frozen=True)
class Outcome:
    """One relation in one image. `missing` are its objects that the detector did not find; the relation then does not hold."""

    holds: bool
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "yes" if self.holds else f"no (no {' and no '.join(self.missing)} found)" if self.missing else "no"


@dataclass(frozen=True)
class Verdicts:
    """What the detector found in all images of a run.

    Attributes:
        relations: "A left of B", for each relation of the scene.
        seeds: of the images.
        outcomes: for each method, image and relation, the outcome.
        reason: why there is no verdict; empty when there is one.
    """

    relations: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    outcomes: Mapping[str, Sequence[Sequence[Outcome]]] = field(default_factory=dict)
    reason: str = ""

    def notes(self, method: str) -> list[str]:
        """Makes a short caption for each image of `method`."""
        return [_note(found) for found in self.outcomes[method]]

    def lines(self) -> list[str]:
        """Makes the printed lines: for several images one each and the totals, for a single image its verdict."""
        if self.reason:
            return [f"no verdict: {self.reason}"]
        if len(self.seeds) == 1:
            return self._of_image(0)
        lines = [f"seed {seed}: {line}" for number, seed in enumerate(self.seeds) for line in self._of_image(number)]
        for place, relation in enumerate(self.relations):
            totals = (f"{method} {sum(found[place].holds for found in all_)} of {len(all_)}" for method, all_ in self.outcomes.items())
            lines.append(f"{relation}: {', '.join(totals)}")
        return lines

    def _of_image(self, number: int) -> list[str]:
        return [
            f"{relation}: {', '.join(f'{method} {found[number][place]}' for method, found in self.outcomes.items())}"
            for place, relation in enumerate(self.relations)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Converts the verdicts for `trace.json`: one boolean for each relation, method and image."""
        if self.reason:
            return {"reason": self.reason}
        return {
            relation: {method: [found[place].holds for found in all_] for method, all_ in self.outcomes.items()}
            for place, relation in enumerate(self.relations)
        }


def judged(model: str, scene: Scene, seeds: Sequence[int], images: Mapping[str, Sequence[Image.Image]]) -> Verdicts:
    """Detects the scene's objects in each image.

    Args:
        model: the model of the images; the detector knows only the objects of shipped models.
        scene: the requested scene.
        seeds: of the images.
        images: method to its images.
    """
    if model not in shipped():
        return Verdicts(reason=f"the detector knows only what the shipped model draws, and {model!r} is another model")
    drawn = world(PRESETS[model].world)
    nouns = [" ".join(name.lower().split()) for name in scene.objects]
    if strange := [repr(name) for name, noun in zip(scene.objects, nouns, strict=True) if noun not in drawn.nouns]:
        verb = "is no noun" if len(strange) == 1 else "are no nouns"
        return Verdicts(reason=f"{' and '.join(strange)} {verb} of the shipped model's world ({', '.join(drawn.nouns)})")
    relations = tuple(scene.text(edge) for edge in scene.relations)
    outcomes = {method: [_outcomes(image, scene, nouns, drawn) for image in found] for method, found in images.items()}
    return Verdicts(relations, tuple(seeds), outcomes)


def _outcomes(image: Image.Image, scene: Scene, nouns: Sequence[str], drawn: World) -> list[Outcome]:
    """Judges orders on an axis by VISOR's rule (any pair of boxes), other relations by the best box of each object."""
    from infsplign.evaluation.metrics.box_relations import relations_hold
    from infsplign.evaluation.metrics.visor import judge

    detections = [found for found in drawn.detect([image])[0] if found.score >= drawn.min_score]
    there = {found.name: found.box for found in reversed(detections)}  # the best one last
    named = Scene(tuple(nouns), scene.relations)
    outcomes = []
    for edge, held in zip(scene.relations, relations_hold(there, image.size, named), strict=True):
        right, asked = held, edge.relation
        if edge.second is not None and asked.equation == "ordered" and len(asked.axes) == 1:
            right = judge(detections, nouns[edge.first], asked, nouns[edge.second]).correct
        outcomes.append(Outcome(right, tuple(nouns[number] for number in edge.objects if nouns[number] not in there)))
    return outcomes


def _note(found: Sequence[Outcome]) -> str:
    if all(outcome.holds for outcome in found):
        return f"{TICK} as asked"
    if missing := dict.fromkeys(name for outcome in found for name in outcome.missing):
        return f"{CROSS} no {', no '.join(missing)}"
    return f"{CROSS} {sum(o.holds for o in found)} of {len(found)} relations" if len(found) > 1 else f"{CROSS} not as asked"
