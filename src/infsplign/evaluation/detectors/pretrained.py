"""Loads open-vocabulary detectors through transformers, and raises errors for models whose results would be meaningless."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import transformers
from PIL import Image

from infsplign.evaluation.model_hash import model_hash


class DetectorError(OSError):
    """A detector that cannot be loaded."""


class LoadedDetector:
    """A detector's network with its processor of images and text.

    Images are prepared with PIL and numpy, with or without torchvision, so that the network gets the same pixels on every machine.

    Args:
        model: a folder or a hub id.
        model_type: that its configuration must name, such as "owlvit".
        architecture: class of the network, with `from_pretrained`.
        processor: class that joins the image processor and the tokenizer.
        device: a torch device.
        revision: of a hub id: a branch, tag or commit.

    Raises:
        DetectorError: it cannot be loaded, is of another type, or lacks some of its weights.
    """

    def __init__(self, model: str, *, model_type: str, architecture: Any, processor: Any, device: str, revision: str | None) -> None:
        where = {"revision": revision} if revision else {}
        try:
            config = transformers.AutoConfig.from_pretrained(model, **where)
            if config.model_type != model_type:
                raise ValueError(f"it is of type {config.model_type!r}, and {model_type!r} was asked for")
            network, report = architecture.from_pretrained(model, dtype=torch.float32, output_loading_info=True, **where)
            if missing := sorted(report["missing_keys"]):
                raise ValueError(f"{len(missing)} of its weights are missing, such as {missing[0]!r}")
            images = transformers.AutoImageProcessor.from_pretrained(model, backend="pil", **where)
            tokenizer = transformers.AutoTokenizer.from_pretrained(model, **where)
        except Exception as error:  # transformers and the hub's client raise all sorts here
            raise DetectorError(f"the detector {model!r} could not be loaded: {error}") from error
        self.name, self.device = model, torch.device(device)
        self.network: Any = network.to(self.device).eval()
        self.processor: Any = processor(image_processor=images, tokenizer=tokenizer)
        self.commit = getattr(config, "_commit_hash", None)

    def settings(self) -> Mapping[str, Any]:
        """Model, version and weights: `commit` is that of the hub, None for a folder."""
        parts = {"network": self.network, "tokenizer": self.processor.tokenizer, "images": self.processor.image_processor}
        return {
            "model": self.name,
            "commit": self.commit,
            "weights": model_hash(SimpleNamespace(components=parts)),
            "images": type(self.processor.image_processor).__name__,
            "dtype": "float32",
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        }


def heights_and_widths(images: Sequence[Image.Image]) -> list[tuple[int, int]]:
    """Sizes as `post_process_grounded_object_detection` wants them."""
    return [(image.height, image.width) for image in images]
