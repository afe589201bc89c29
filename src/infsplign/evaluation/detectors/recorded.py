"""Detections in a JSON file: written so that scoring again needs no model, read from anyone who writes the same.

{"format": "infsplign detections 1",
 "detector": {"name": ..., "threshold": ...},
 "images": {"31_00": {"size": [512, 512], "names": ["cat", "dog"], "sha256": "...", "prompt": "a cat left of a dog",
                      "detections": [{"name": "cat", "score": 0.9, "box": [x0, y0, x1, y1]}]}}}

An image is called as its file is, without the ending. `names` (what was looked for), `sha256` (of the file) and `prompt` (that
it was judged by) may be missing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infsplign.detection import Detection, check_units
from infsplign.evaluation.detectors.protocol import ImageDetections, best_first
from infsplign.evaluation.files import write
from infsplign.evaluation.reading import member, parse_json, read_text, short

FORMAT = "infsplign detections 1"
LARGEST = 1e9
"""Pixels, more than any image has."""


class RecordingError(ValueError):
    """A file of detections that cannot be read."""


@dataclass(frozen=True)
class Seen:
    """One image: what was found, what was looked for, the hash of the file, and the text of the prompt; None: not told."""

    found: ImageDetections
    names: tuple[str, ...] | None = None
    sha256: str | None = None
    prompt: str | None = None


@dataclass
class Recording:
    """Detections of many images by one detector. `images` maps the file's name without its ending to what was found."""

    detector: Mapping[str, Any]
    images: dict[str, Seen] = field(default_factory=dict)


def write_recording(path: Path, recording: Recording) -> None:
    """Writes detections, whole or not at all; one image a line.

    Raises:
        OutputError: the file cannot be written.
    """
    head = f'{{"format": {json.dumps(FORMAT)},\n"detector": {json.dumps(dict(recording.detector), ensure_ascii=False)},\n"images": {{\n'
    rows = ((json.dumps(part, ensure_ascii=False) for part in (key, _row(seen))) for key, seen in recording.images.items())
    write(path, head + ",\n".join(map(": ".join, rows)) + "\n}}\n")


def read_recording(path: Path) -> Recording:
    """Reads what `write_recording`, or someone else, has written.

    Raises:
        RecordingError: not this format; the message names the line of broken JSON, or the image.
        OSError: the file cannot be read.
    """
    try:
        value = parse_json(read_text(path), finite=False)  # numbers are looked at below, image by image
    except ValueError as error:
        raise RecordingError(f"{str(path)!r} is no JSON: {error}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise RecordingError(f"{str(path)!r}: expected an object with `format` {FORMAT!r}; see docs/evaluation.md")
    detector, images = value.get("detector"), value.get("images")
    if not isinstance(detector, dict) or not isinstance(detector.get("name"), str):
        raise RecordingError(f"{str(path)!r}: expected `detector` to be an object with a `name`, got {short(detector)}")
    try:
        member(detector, "threshold", float, None, missing=True)
        parse_json(json.dumps(detector))
    except ValueError as error:
        raise RecordingError(f"{str(path)!r}, `detector`: {error}") from error
    if not isinstance(images, dict):
        raise RecordingError(f"{str(path)!r}: expected `images` to be an object, got {type(images).__name__}")
    recording = Recording(detector)
    for key, row in images.items():
        try:
            recording.images[key] = _seen(row)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise RecordingError(f"{str(path)!r}, image {short(key)}: {_reason(error)}") from error
    return recording


def _row(seen: Seen) -> dict[str, Any]:
    row: dict[str, Any] = {"size": list(seen.found.size)}
    if seen.names is not None:
        row["names"] = list(seen.names)
    if seen.sha256 is not None:
        row["sha256"] = seen.sha256
    if seen.prompt is not None:
        row["prompt"] = seen.prompt
    row["detections"] = [{"name": d.name, "score": d.score, "box": list(d.box)} for d in seen.found.detections]
    return row


def _seen(row: dict[str, Any]) -> Seen:
    width, height = row["size"]
    if not (_numbers(width, height) and width > 0 and height > 0):
        raise ValueError(f"expected `size` to be positive numbers [width, height], got {short(row['size'])}")
    names, digest = row.get("names"), row.get("sha256")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"expected `names` to be a list of texts, got {short(names)}")
    if digest is not None and not isinstance(digest, str):
        raise ValueError(f"expected `sha256` to be a text, got {short(digest)}")
    prompt = row.get("prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise ValueError(f"expected `prompt` to be a text, got {short(prompt)}")
    if not isinstance(row["detections"], list):
        raise TypeError(f"expected `detections` to be a list, got {short(row['detections'])}")
    found = [_detection(item) for item in row["detections"]]
    check_units((width, height), [detection.box for detection in found])
    return Seen(ImageDetections((width, height), tuple(best_first(found))), None if names is None else tuple(names), digest, prompt)


def _detection(item: dict[str, Any]) -> Detection:
    name, score, box = item["name"], item["score"], item["box"]
    x0, y0, x1, y1 = box
    if not isinstance(name, str):
        raise TypeError(f"expected `name` to be a text, got {short(name)}")
    if not _numbers(score) or not 0 <= score <= 1:
        raise ValueError(f"expected `score` to be a number from 0 to 1, got {short(score)}")
    if not _numbers(x0, y0, x1, y1) or x1 < x0 or y1 < y0:
        raise ValueError(f"expected `box` to be numbers [x0, y0, x1, y1] with x0 <= x1 and y0 <= y1, got {short(box)}")
    return Detection(name, score, (x0, y0, x1, y1))


def checked(found: Detection) -> Detection:
    """What a detector of one's own has found, in Python's numbers, and checked as what is in a file.

    Raises:
        ValueError, TypeError: a score that is not in [0, 1], or a box whose corners are the wrong way round, as one of [x, y, w, h] may be.
    """
    numbers: tuple[Any, ...] = (found.score, *found.box)
    score, *box = (number.item() if hasattr(number, "item") else number for number in numbers)  # of numpy or torch
    return _detection({"name": found.name, "score": score, "box": box})


def _numbers(*values: Any) -> bool:
    """Whether values of a box are numbers that can be computed with: their products must be finite too."""
    return all(type(value) in (int, float) and -LARGEST <= value <= LARGEST for value in values)


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
