"""Grounding DINO: the names form one text, and each box is labelled with the words of it that match."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from infsplign.detection import Detection
from infsplign.evaluation.detectors.pretrained import LoadedDetector, heights_and_widths
from infsplign.evaluation.detectors.protocol import best_first

TEXT_THRESHOLD = 0.25
"""Least score of a word that becomes part of a box's label; the model's published value."""


class GroundingDino:
    """A Grounding DINO detector; boxes with `score > threshold` are kept.

    Args:
        model: a folder or a hub id, such as "IDEA-Research/grounding-dino-tiny".
        threshold: least score, in [0, 1).
        device: a torch device.
        revision: of a hub id.

    Raises:
        DetectorError: the model cannot be loaded, or is of another kind.
    """

    def __init__(self, model: str, *, threshold: float, device: str = "cpu", revision: str | None = None) -> None:
        classes = {"architecture": GroundingDinoForObjectDetection, "processor": GroundingDinoProcessor}
        self.loaded = LoadedDetector(model, model_type="grounding-dino", **classes, device=device, revision=revision)
        self.threshold = threshold

    def settings(self) -> Mapping[str, Any]:
        thresholds = {"threshold": self.threshold, "text_threshold": TEXT_THRESHOLD}
        return {"name": "grounding-dino", **self.loaded.settings(), "query": "{}. {}.", **thresholds}

    @torch.inference_mode()
    def detect(self, images: Sequence[Image.Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """See `Detector`. A box that matches several names is called "a, b".

        Raises:
            ValueError: a name with a full stop, which ends a name in the model's text.
        """
        if dotted := [name for asked in names for name in asked if "." in name]:
            raise ValueError(f"`names` must not contain a full stop, got {dotted[0]!r}")
        places = [place for place, asked in enumerate(names) if asked]
        found: list[list[Detection]] = [[] for _ in images]
        if places:
            results = self._some([images[place] for place in places], [list(names[place]) for place in places])
            for place, detections in zip(places, results, strict=True):
                found[place] = detections
        return found

    def _some(self, images: list[Image.Image], names: list[list[str]]) -> list[list[Detection]]:
        processor, rgb = self.loaded.processor, [image.convert("RGB") for image in images]
        inputs = processor(images=rgb, text=names, padding=True, return_tensors="pt").to(self.loaded.device)
        outputs = self.loaded.network(**inputs)
        results = processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=self.threshold, text_threshold=TEXT_THRESHOLD, target_sizes=heights_and_widths(images)
        )
        return [
            best_first([
                Detection(called(label, asked), score, (box[0], box[1], box[2], box[3]))
                for label, score, box in zip(result["text_labels"], result["scores"].tolist(), result["boxes"].tolist(), strict=True)
            ])
            for result, asked in zip(results, names, strict=True)
        ]


def called(label: str, names: Sequence[str]) -> str:
    """The requested name that a label means. Labels are the words of the text with high scores, so they may be joined or cut.

    A label that is a name gives that name. Several names in sequence give "a, b". A part of exactly one name gives that name. Any other
    label stays unchanged, and no measure counts it as a name.

    >>> called("bear", ["teddy bear", "bear"]), called("teddy", ["teddy bear", "bear"]), called("cat dog", ["dog", "cat"])
    ('bear', 'teddy bear', 'cat, dog')
    """
    spelled = {_plain(name): name for name in names}
    label = _plain(label)
    if label in spelled:
        return spelled[label]
    longest_first = sorted(spelled, key=len, reverse=True)
    parts = re.findall("|".join(rf"\b{re.escape(name)}\b" for name in longest_first), label) if spelled else []
    if parts:
        return ", ".join(dict.fromkeys(spelled[part] for part in parts))
    within = [name for name in spelled if label and label in name]
    return spelled[within[0]] if len(within) == 1 else label


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
