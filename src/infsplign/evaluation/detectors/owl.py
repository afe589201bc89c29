"""OWL-ViT and OWLv2: each name is a query, and each box gets the name of its best query."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import Owlv2ForObjectDetection, Owlv2Processor, OwlViTForObjectDetection, OwlViTProcessor

from infsplign.detection import Detection
from infsplign.evaluation.detectors.pretrained import LoadedDetector, heights_and_widths
from infsplign.evaluation.detectors.protocol import best_first

QUERY = "a photo of a {}"
"""The query of a name, as in VISOR: always with "a"."""
CLASSES = {"owlvit": (OwlViTForObjectDetection, OwlViTProcessor), "owlv2": (Owlv2ForObjectDetection, Owlv2Processor)}


class Owl:
    """An OWL detector; boxes with `score > threshold` are kept.

    Args:
        kind: "owlvit" or "owlv2".
        model: a folder or a hub id, such as "google/owlvit-base-patch32".
        threshold: least score, in [0, 1).
        device: a torch device.
        revision: of a hub id.

    Raises:
        DetectorError: the model cannot be loaded, or is of another kind.
    """

    def __init__(self, kind: str, model: str, *, threshold: float, device: str = "cpu", revision: str | None = None) -> None:
        architecture, processor = CLASSES[kind]
        classes = {"architecture": architecture, "processor": processor}
        self.loaded = LoadedDetector(model, model_type=kind, **classes, device=device, revision=revision)
        self.kind, self.threshold = kind, threshold

    def settings(self) -> Mapping[str, Any]:
        return {"name": self.kind, **self.loaded.settings(), "query": QUERY, "threshold": self.threshold}

    @torch.inference_mode()
    def detect(self, images: Sequence[Image.Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """See `Detector`. Images with equally many names form a batch: the processor would pad others with queries that match."""
        found: list[list[Detection]] = [[] for _ in images]
        for count in sorted({len(asked) for asked in names} - {0}):
            places = [place for place, asked in enumerate(names) if len(asked) == count]
            results = self._equal([images[place] for place in places], [list(names[place]) for place in places])
            for place, detections in zip(places, results, strict=True):
                found[place] = detections
        return found

    def _equal(self, images: list[Image.Image], names: list[list[str]]) -> list[list[Detection]]:
        """`names` are equally many for each image."""
        processor, rgb = self.loaded.processor, [image.convert("RGB") for image in images]
        queries = [[QUERY.format(name) for name in asked] for asked in names]
        outputs = self.loaded.network(**processor(images=rgb, text=queries, return_tensors="pt").to(self.loaded.device))
        sizes = heights_and_widths(images)
        results = processor.post_process_grounded_object_detection(outputs, threshold=self.threshold, target_sizes=sizes, text_labels=names)
        return [
            best_first([
                Detection(name, score, (box[0], box[1], box[2], box[3]))
                for name, score, box in zip(result["text_labels"], result["scores"].tolist(), result["boxes"].tolist(), strict=True)
            ])
            for result in results
        ]
