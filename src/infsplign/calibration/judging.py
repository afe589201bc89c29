"""A detector's verdict on calibration images, instead of what attention tells."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from infsplign.core.scenes import Scene
from infsplign.core.spellings import relation
from infsplign.evaluation.detectors import Detector
from infsplign.evaluation.metrics import strict, visor
from infsplign.evaluation.metrics.box_relations import relations_hold
from infsplign.evaluation.prompts import BenchmarkPrompt

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

    def __call__(self, key: str, image: Image.Image) -> dict[str, Any]:
        """Judges image `key`, a prompt's id and its number.

        Returns:
            `both`, `correct`, `strict` and `doubled`: see `infsplign.evaluation.metrics`.
        """
        prompt = self.prompts[key.rpartition("_")[0]]
        names = (prompt.first, prompt.second)
        (seen,) = self.detector.detect([image], [names])
        good = [found for found in seen if found.score >= self.least]
        asked = relation(prompt.relation)
        if asked.equation == "ordered" and len(asked.axes) == 1:
            verdict = visor.judge(good, prompt.first, asked, prompt.second)
            both, correct = verdict.both, verdict.correct
        else:
            boxes = {found.name: found.box for found in reversed(good)}  # the best one last
            both = all(name in boxes for name in names)
            correct = both and all(relations_hold(boxes, image.size, Scene.of([(prompt.first, prompt.relation, prompt.second)])))
        faith = strict.fidelity(seen, names, correct=correct, min_score=self.least)
        return {"both": both, "correct": correct, "strict": faith.strict, "doubled": faith.doubled}
