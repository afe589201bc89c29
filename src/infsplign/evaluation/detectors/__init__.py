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


def load_detector(kind: str, model: str | None = None, *, threshold: float, device: str = "cpu", revision: str | None = None) -> Detector:
    """A detector by name.

    Args:
        kind: "owlvit", "owlv2", "grounding-dino", or "world", that of a shipped model's world.
        model: a folder or a hub id, the kind's own of `MODELS` when None; for "world" its name, that of the default model when None.
        threshold: boxes with a higher score are kept; "world" keeps all that it sees.
        device: a torch device.
        revision: of a hub id: a branch, tag or commit.

    Raises:
        ValueError: an unknown kind or world, a threshold out of range, a revision of a world.
        DetectorError: the model cannot be loaded.
    """
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(KINDS)}, got {kind!r}")
    if not 0 <= threshold < 1:
        raise ValueError(f"`threshold` must lie in [0, 1), got {threshold!r}")
    if kind == "world":
        if revision is not None:
            raise ValueError(f"the detector of a world has no revision, got {revision!r}")
        from infsplign.evaluation.detectors.world import WorldDetector
        from infsplign.shipped.presets import DEFAULT, PRESETS

        return WorldDetector(model or PRESETS[DEFAULT].world)
    options = {"threshold": threshold, "device": device, "revision": revision}
    if kind == "grounding-dino":
        from infsplign.evaluation.detectors.grounding_dino import GroundingDino

        return GroundingDino(model or MODELS[kind], **options)
    from infsplign.evaluation.detectors.owl import Owl

    return Owl(kind, model or MODELS[kind], **options)
