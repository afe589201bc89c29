"""Looks for the objects of prompts in images, and keeps what was found: looking again is needed for new or changed images alone."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from infsplign.evaluation.detectors.protocol import Detector, ImageDetections, best_first
from infsplign.evaluation.detectors.recorded import Recording, RecordingError, Seen, checked, read_recording, write_recording
from infsplign.evaluation.fingerprint import differences
from infsplign.evaluation.image_reading import read_image

OFTEN = 2000
"""Images between two writings of the file, so that little is lost when the process dies."""


def detect_all(
    files: Mapping[str, Path],
    names: Mapping[str, Sequence[str]],
    detector: Detector,
    *,
    keep: Path | None = None,
    batch: int = 8,
    progress: bool = True,
    texts: Mapping[str, str] | None = None,
) -> Recording:
    """Detections of all images.

    Args:
        files: key of an image to its file.
        names: key to what to look for.
        detector: looks.
        keep: file of detections; what it holds of the same images is not looked for again, and what is new is added.
        batch: images at once.
        progress: show a bar.
        texts: key to the prompt, which is kept with what is found.

    Raises:
        ValueError, TypeError: a file that is no image, detections in `keep` by a detector with other settings, or what no detector finds.
        OutputError: `keep` cannot be written.
    """
    settings = json.loads(json.dumps(dict(detector.settings())))
    recording = _kept(keep, settings)
    digests = {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in files.items()}
    missing = [key for key in files if not _holds(recording, key, names[key], digests[key])]
    if others := [key for key in missing if key in recording.images and recording.images[key].sha256 not in (None, digests[key])]:
        told = f"{str(keep)!r} held detections of {len(others)} other images of these names, such as {others[0]!r}, which are replaced"
        warnings.warn(f"{told}; give each folder of images a file of its own", stacklevel=2)
    unsaved = 0
    for key in texts or {}:  # of what is kept: the same image may have been looked at for another prompt of the same objects
        if key in recording.images and key not in missing and recording.images[key].prompt != (texts or {})[key]:
            recording.images[key] = replace(recording.images[key], prompt=(texts or {})[key])
            unsaved += 1
    try:
        with tqdm(total=len(files), initial=len(files) - len(missing), desc="detecting", unit="image", disable=not progress) as bar:
            for start in range(0, len(missing), batch):
                group = missing[start : start + batch]
                images = [read_image(files[key]) for key in group]
                for key, image, found in zip(group, images, detector.detect(images, [names[key] for key in group]), strict=True):
                    seen = ImageDetections(image.size, tuple(best_first([checked(each) for each in found])))
                    recording.images[key] = Seen(seen, tuple(names[key]), digests[key], (texts or {}).get(key))
                bar.update(len(group))
                unsaved += len(group)
                if keep is not None and unsaved >= OFTEN:
                    write_recording(keep, recording)
                    unsaved = 0
    finally:
        if keep is not None and unsaved:
            write_recording(keep, recording)
    return recording


def _kept(keep: Path | None, settings: dict) -> Recording:
    if keep is None or not keep.exists():
        return Recording(settings)
    recording = read_recording(keep)
    if lines := differences(dict(recording.detector), settings):
        raise RecordingError(f"{str(keep)!r} holds detections with other settings; choose another file:\n  " + "\n  ".join(lines))
    return recording


def _holds(recording: Recording, key: str, names: Sequence[str], digest: str) -> bool:
    seen = recording.images.get(key)
    return seen is not None and seen.names == tuple(names) and seen.sha256 == digest
