"""Scores a folder of images with a detector, or with recorded detections."""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infsplign.detection import check_units
from infsplign.evaluation.detectors.protocol import Detector, ImageDetections
from infsplign.evaluation.detectors.recorded import Recording, RecordingError, Seen
from infsplign.evaluation.image_reading import read_size
from infsplign.evaluation.metrics.names import plain
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS, Benchmark, Threshold, judge_all
from infsplign.evaluation.scoring.detecting import detect_all
from infsplign.evaluation.scoring.image_files import evenly, find_images, group_by_prompt
from infsplign.evaluation.scoring.labels import check_names
from infsplign.evaluation.scoring.metadata import prompts_of_folders
from infsplign.evaluation.scoring.scored_folder import Scored
from infsplign.shipped.worlds import WORLDS

Prompts = Sequence[BenchmarkPrompt]


def threshold_for(benchmark: str, world: str | None, asked: float | None = None) -> Threshold:
    """The requested threshold; else that of the detector of `world`; else, for other detectors, the published one of the benchmark."""
    own = BENCHMARKS[world if world in WORLDS else benchmark].threshold
    return own if asked is None else Threshold(asked, own.inclusive)


def score_images(
    benchmark: str,
    prompts: Prompts,
    folder: Path,
    detector: Detector,
    *,
    threshold: Threshold,
    count: int | None = None,
    keep: Path | None = None,
    batch: int = 8,
    progress: bool = True,
    files: Mapping[str, Path] | None = None,
    label: str | None = None,
) -> Scored:
    """Runs the detector on the images of a folder and scores them.

    Args:
        benchmark: a name of `BENCHMARKS`.
        prompts: that it measures; images of other prompts, and other files, are ignored.
        folder: of images, see `group_by_prompt` for their names.
        detector: keeps at least what `threshold` keeps.
        threshold: least score.
        count: images a prompt; all when None, and then each prompt must have the same number.
        keep: file of detections, see `detect_all`.
        batch: images at once.
        progress: show a bar.
        files: key of each image to its file, instead of those in `folder`.
        label: of the method that made the images; the name of `folder` when None.

    Raises:
        ValueError: no image of any prompt, prompts with fewer images than others, a file that is no image, a threshold below what the
            detector keeps, or boxes that are not in pixels.
        OSError: the folder or a file cannot be read or written.
    """
    files, prompts = find_images(folder) if files is None else files, tuple(prompts)
    _check_arguments(prompts, threshold)
    groups = evenly(group_by_prompt(files, prompts, prompts_of_folders(files, prompts)), count)
    _check_kept(detector.settings(), threshold, "give a `--threshold` that is not below it")
    names = _names(BENCHMARKS[benchmark], prompts, groups)
    texts = _texts(prompts, groups)
    recording = detect_all({key: files[key] for key in names}, names, detector, keep=keep, batch=batch, progress=progress, texts=texts)
    for key in names:  # of a detector of one's own; those of a file are checked when it is read
        found = recording.images[key].found
        check_units(found.size, [detection.box for detection in found.detections])
    check_names(BENCHMARKS[benchmark], names, recording)
    return _judged(label or label_of(folder), benchmark, prompts, groups, recording, threshold)


def _texts(prompts: Prompts, groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Key of each image to the text of its prompt."""
    return {key: prompt.text for prompt in prompts for key in groups.get(prompt.id, ())}


def _check_arguments(prompts: Prompts, threshold: Any) -> None:
    """Raises an error for prompts of one id, all of whose images would be judged by the last of them, and for a bare number."""
    if not isinstance(threshold, Threshold):
        raise TypeError(f"`threshold` must be a `Threshold`, such as `threshold_for(benchmark, None, 0.1)`, got {threshold!r}")
    if twice := [key for key, count in Counter(prompt.id for prompt in prompts).items() if count > 1]:
        raise ValueError(f"`prompts` must have different ids, and {len(twice)} of them are there several times, such as {twice[0]!r}")


def label_of(folder: Path) -> str:
    """The name of a folder, also of one that is a link: reports find the scores of a method by its name."""
    return Path(os.path.abspath(folder)).name


def score_recording(
    benchmark: str,
    prompts: Prompts,
    recording: Recording,
    *,
    label: str,
    threshold: Threshold,
    count: int | None = None,
    files: Mapping[str, Path] | None = None,
) -> Scored:
    """Scores recorded detections; see `score_images`.

    Args:
        recording: detections of one detector.
        label: of the method that made the images.
        files: if given, the images to score, key to file: all must be in `recording`, and unchanged.

    Raises:
        RecordingError: an image is not in it, has changed, was looked at for other names, or with a higher threshold than this one; or
            nothing in it bears a name that is asked for.
        ValueError: a `metadata.jsonl` of GenEval contradicts the prompts.
    """
    prompts = tuple(prompts)
    _check_arguments(prompts, threshold)
    folders = None if files is None else prompts_of_folders(files, prompts)
    groups = evenly(group_by_prompt(recording.images if files is None else files, prompts, folders), count)
    _check_kept(recording.detector, threshold, "look again")
    asked, texts = _names(BENCHMARKS[benchmark], prompts, groups), _texts(prompts, groups)
    for key, names in asked.items():
        seen = recording.images.get(key)
        if seen is None:
            raise RecordingError(f"the image {key!r} is not among the detections")
        if seen.prompt is not None and seen.prompt.split() != texts[key].split():
            raise RecordingError(
                f"the image {key!r} was looked at for the prompt {seen.prompt!r}, and would be judged by {texts[key]!r}; give the prompts "
                "that the images were made from, or `--images` too"
            )
        if seen.names is not None and not set(map(plain, names)) <= set(map(plain, seen.names)):
            raise RecordingError(f"in the image {key!r} {', '.join(seen.names)} was looked for, and {', '.join(names)} is needed")
        if files is not None and changed(seen, files[key]):
            raise RecordingError(f"the image {str(files[key])!r} has changed since it was looked at")
    if files is not None:
        _tell_sizes(recording, {key: files[key] for key in asked})
    check_names(BENCHMARKS[benchmark], asked, recording)
    return _judged(label, benchmark, prompts, groups, recording, threshold)


def _tell_sizes(recording: Recording, files: Mapping[str, Path]) -> None:
    """Warns of images that are of another size than that which their boxes are said to be in: a rule that measures would be wrong."""
    sizes = ((key, recording.images[key].found.size, read_size(path)) for key, path in files.items())
    others = [(key, told, real) for key, told, real in sizes if real is not None and real != told]
    if others:
        key, told, real = others[0][0], *(f"{size[0]} x {size[1]}" for size in others[0][1:])
        more = f", and so are {len(others) - 1} others" if len(others) > 1 else ""
        warnings.warn(
            f"the detections of {key!r} are said to be in an image of {told}, and the file is of {real}{more}: boxes must be in "
            "pixels of the size that is said", stacklevel=3,
        )  # fmt: skip


def changed(seen: Seen, file: Path) -> bool:
    """Tells whether a file is not the one that was looked at; False where that is not known."""
    return seen.sha256 is not None and seen.sha256.lower() != hashlib.sha256(file.read_bytes()).hexdigest()


def _check_kept(detector: Mapping[str, Any], threshold: Threshold, remedy: str) -> None:
    there = detector.get("threshold")
    if isinstance(there, int | float) and np.float32(there) > np.float32(threshold.value):  # as scores are compared with it
        raise RecordingError(f"the detections are kept above a score of {there:g}, and {threshold.value:g} is needed; {remedy}")


def _names(rule: Benchmark, prompts: Prompts, groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Key of each image to the names that the detector must look for in it."""
    return {key: rule.names(prompt) for prompt in prompts for key in groups.get(prompt.id, ())}


def _judged(
    label: str, benchmark: str, prompts: Prompts, groups: Mapping[str, Sequence[str]], recording: Recording, threshold: Threshold
) -> Scored:
    found: dict[str, ImageDetections] = {key: seen.found for key, seen in recording.images.items()}
    verdicts = judge_all(BENCHMARKS[benchmark], prompts, groups, found, threshold)
    detector: Mapping[str, Any] = recording.detector
    hashes = {key: seen.sha256 for key, seen in recording.images.items() if seen.sha256 is not None}
    return Scored(label, benchmark, detector, threshold, prompts, groups, verdicts, hashes)
