"""Detectors with one protocol. Large libraries are imported only by `load_detector`."""

from infsplign.evaluation.detectors.protocol import Detector, ImageDetections

MODELS = {
    "owlvit": "google/owlvit-base-patch32",
    "owlv2": "google/owlv2-base-patch16-ensemble",
    "grounding-dino": "IDEA-Research/grounding-dino-tiny",
}
"""The default model of each kind."""
KINDS = (*MODELS, "world")

__all__ = ["KINDS", "MODELS", "Detector", "ImageDetections", "load_detector"]


def load_detector(
    kind: str, model: str | None = None, *, threshold: float, device: str = "cpu", revision: str | None = None
) -> Detector:
    """A detector by name.

    Args:
        kind: "owlvit", "owlv2", "grounding-dino", or "world", that of the shapes world.
        model: a folder or a hub id; the kind's own of `MODELS` when None. The world has none.
        threshold: boxes with a higher score are kept; "world" keeps all.
        device: a torch device.
        revision: of a hub id: a branch, tag or commit.

    Raises:
        ValueError: an unknown kind, a threshold out of range, a model for the world.
        DetectorError: the model cannot be loaded.
    """
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(KINDS)}, got {kind!r}")
    if not 0 <= threshold < 1:
        raise ValueError(f"`threshold` must lie in [0, 1), got {threshold!r}")
    if kind == "world":
        if model is not None or revision is not None:
            raise ValueError(f"the detector of the shapes world has no model, got {model or revision!r}")
        from infsplign.evaluation.detectors.world import World

        return World()
    options = {"threshold": threshold, "device": device, "revision": revision}
    if kind == "grounding-dino":
        from infsplign.evaluation.detectors.grounding_dino import GroundingDino

        return GroundingDino(model or MODELS[kind], **options)
    from infsplign.evaluation.detectors.owl import Owl

    return Owl(kind, model or MODELS[kind], **options)
