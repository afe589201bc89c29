"""Whether detections that were made elsewhere can be those of the objects that are asked for, before they are scored."""

import warnings
from collections.abc import Iterable, Mapping, Sequence

from infsplign.evaluation.detectors.protocol import ImageDetections
from infsplign.evaluation.detectors.recorded import Recording, RecordingError
from infsplign.evaluation.metrics.names import listed, nearest, plain, unmatched
from infsplign.evaluation.scoring.benchmarks import Benchmark

PERCENT = 100
"""Largest coordinate of boxes in percent."""


def check_names(benchmark: Benchmark, asked: Mapping[str, Sequence[str]], recording: Recording) -> None:
    """Warns of names that are never found while there are labels that nobody asked for, and of boxes that may be in percent.

    Args:
        benchmark: the rule.
        asked: key of each image that is scored to the names that are looked for in it.
        recording: what was found.

    Raises:
        RecordingError: something was found, and nothing of it bears an asked name. Images that tell in `names` that these were looked
            for are believed: a detector of fixed classes may find other things alone.
    """
    found = {key: recording.images[key].found for key in asked}
    never, others = unmatched(asked, {key: picture.detections for key, picture in found.items()}, benchmark.parts)
    told = all(recording.images[key].names is not None for key in asked)
    wanted = {name for names in asked.values() for name in names}
    if others and len(never) == len(wanted) and not told:
        raise RecordingError(
            f"none of the detections bears a name that is asked for: they are named {listed(others)}, asked for is {listed(never)}; "
            "rename them, or give `names`, what was looked for, with each image"
        )
    likely = {name: label for name in never if (label := _likely(name, others, benchmark))}
    if likely or (never and others and not told):
        like = f", such as {', '.join(f'{label!r} for {name!r}' for name, label in likely.items())}" if likely else ""
        _warn(
            f"asked for, never found and so scored 0: {listed(never)}; found and never asked for: {listed(others)}{like}. Names must be "
            "the same but for case and blanks"
        )
    if look_like_percent(found.values()):
        _warn(f"no box reaches beyond {PERCENT} pixels, in images at least twice as large: boxes must be in pixels, not in percent")


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)


def _likely(name: str, labels: Sequence[str], benchmark: Benchmark) -> str | None:
    """The label that may mean a name: what the rule calls so ("girl" is looked for as "person"), or what is spelled like it."""
    return next((label for label in labels if benchmark.label(plain(label)) == name), None) or nearest(name, labels)


def look_like_percent(images: Iterable[ImageDetections]) -> bool:
    """Tells whether no box of larger images reaches beyond 100 although there are several: they may be in percent."""
    found = [(picture.size, found.box) for picture in images for found in picture.detections]
    large = all(min(size) >= 2 * PERCENT for size, _ in found)
    return len(found) >= 2 and large and max(abs(side) for _, box in found for side in box) <= PERCENT
