"""A detector's verdict on calibration images, instead of what attention tells."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from infsplign.core.scenes import Scene
from infsplign.detection import check_units
from infsplign.evaluation.detectors import Detector
from infsplign.evaluation.detectors.protocol import best_first
from infsplign.evaluation.detectors.recorded import checked
from infsplign.evaluation.metrics import strict, visor
from infsplign.evaluation.metrics.box_relations import relations_hold
from infsplign.evaluation.metrics.names import plain
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.scoring.benchmarks import Threshold
from infsplign.prompts import parse_prompt

THRESHOLDS = {"owlvit": 0.1, "owlv2": 0.2, "grounding-dino": 0.3}
"""Least score of an object that counts as well drawn, by the detector's name."""


class Judge:
    """Tells whether an image shows what its prompt asks for.

    Args:
        detector: finds the objects.
        prompts: by their ids.
        least: score of an object that is well drawn; others only count as doubled.
    """

    def __init__(self, detector: Detector, prompts: Sequence[BenchmarkPrompt], *, least: float) -> None:
        self.detector, self.least = detector, least
        self.prompts: Mapping[str, BenchmarkPrompt] = {prompt.id: prompt for prompt in prompts}
        self.scenes = {prompt.id: _scene(prompt) for prompt in prompts}

    def __call__(self, key: str, image: Image.Image) -> dict[str, Any]:
        """Judges image `key`, a prompt's id and its number.

        Returns:
            `both`, `correct`, `strict` and `doubled`: see `infsplign.evaluation.metrics`.

        Raises:
            ValueError, TypeError: the detector's boxes are not in pixels of the image, or its scores not in [0, 1].
        """
        prompt = self.prompts[key.rpartition("_")[0]]
        scene = self.scenes[prompt.id]
        names = scene.objects
        (found,) = self.detector.detect([image], [names])
        seen = best_first([checked(each) for each in found])
        check_units(image.size, [each.box for each in seen])
        good = Threshold(self.least, inclusive=True).keep(seen)
        asked = scene.relations[0].relation
        if len(scene.relations) == 1 and asked.equation == "ordered" and len(asked.axes) == 1:
            verdict = visor.judge(good, names[0], asked, names[1])
            both, correct = verdict.both, verdict.correct
        else:
            boxes = {plain(each.name): each.box for each in reversed(good)}  # the best one last
            named = Scene(tuple(map(plain, names)), scene.relations)  # a prompt may write "A Cat", and a detector "cat"
            both = all(name in boxes for name in named.objects)
            correct = both and all(relations_hold(boxes, image.size, named))
        faith = strict.fidelity(seen, names, correct=correct, min_score=self.least)
        return {"both": both, "correct": correct, "strict": faith.strict, "doubled": faith.doubled}


def _scene(prompt: BenchmarkPrompt) -> Scene:
    """What to find in the prompt's image: all objects and relations of the text where there are several relations, as guidance reads it."""
    whole = parse_prompt(prompt.text)
    return whole if len(whole.relations) > 1 or len(whole.objects) > 2 else Scene.of([(prompt.first, prompt.relation, prompt.second)])
