"""Images and records of one method in the folder of a run."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.evaluation.files import OutputError, append, finite, make_folder, stopped, write, write_json
from infsplign.evaluation.image_reading import read_image
from infsplign.evaluation.reading import member, parse_json, read_text, short

Record = dict[str, Any]
RECORD = {"key": str, "prompt": str, "seed": int, "sha256": str, "batch": int}
"""What the record of an image has at least."""
FAILURE = {"key": str, "prompt": str, "seed": int, "error": str}
"""What the record of a failure has."""


class MethodFolder:
    """Images and records of one method.

    Args:
        out: folder of the run.
        name: of the method.
        reduced: how many images are made together since memory ran out; None when it has not.
        on_reduced: keeps that number.

    Attributes:
        records: key of an image to its record; images that are gone, cut short or changed are left out.
        failures: key of an image that could not be made to its record, which has an `error`.
    """

    def __init__(self, out: Path, name: str, *, reduced: int | None = None, on_reduced: Callable[[int], None] | None = None) -> None:
        self.images, self.lines, self.failed = out / name, out / f"{name}.jsonl", out / f"{name}.failed.json"
        self.reduced, self._on_reduced = reduced, on_reduced
        try:
            make_folder(self.images)
        except OSError as error:
            raise stopped(self.images, error) from error
        kept = read_lines(self.lines) if self.lines.exists() else []
        self.records: dict[str, Record] = {r["key"]: r for r in kept if self._hash(r["key"]) == r["sha256"]}
        self.failures: dict[str, Record] = {r["key"]: r for r in read_failures(self.failed)}
        self.keep_failures(self.failures)
        if self.lines.exists():
            self.compact()
        self._clear()

    def path(self, key: str) -> Path:
        return self.images / f"{key}.png"

    def load(self, key: str) -> Image.Image:
        return read_image(self.path(key))

    def save(self, key: str, data: bytes) -> str:
        """Writes an image and returns its hash, which belongs into its record as `sha256`."""
        write(self.path(key), data, make=False)
        return hashlib.sha256(data).hexdigest()

    def save_trace(self, key: str, trace: Any) -> None:
        """Writes what guidance did at each step of an image."""
        write(self.trace_path(key), json.dumps(finite(trace), allow_nan=False) + "\n", make=False)

    def trace_path(self, key: str) -> Path:
        return self.images / f"{key}.trace.json"

    def has_trace(self, key: str) -> bool:
        """Whether the trace of an image is there, and was not cut short."""
        try:
            with self.trace_path(key).open("rb") as file:
                file.seek(-2, os.SEEK_END)
                return file.read() == b"]\n"
        except OSError:
            return False

    def gone(self) -> list[str]:
        """Keys of images that have been removed since they were made."""
        return [key for key in self.records if not self.path(key).is_file()]

    def add(self, records: Iterable[Record]) -> None:
        """Appends records (`key` and `sha256` are required) whose images have been saved."""
        new = {record["key"]: record for record in records}
        if not new:
            return
        append(self.lines, "".join(map(_line, new.values())))
        self.records |= new
        if new.keys() & self.failures.keys():
            self._write_failures({key: record for key, record in self.failures.items() if key not in new})

    def fail(self, records: Iterable[Record]) -> None:
        """Keeps why images (`key` and `error` are required) could not be made."""
        new = {record["key"]: record for record in records}
        if new:
            self._write_failures(self.failures | new)

    def keep_failures(self, asked: Iterable[str]) -> None:
        """Forgets failures of images that are there by now, and of those that are not asked for any more."""
        kept = {key: self.failures[key] for key in asked if key in self.failures and key not in self.records}
        if kept != self.failures:
            self._write_failures(kept)

    def reduce(self, batch: int) -> None:
        """From here on `batch` images are made together, when the run is gone on with too."""
        self.reduced = batch
        if self._on_reduced:
            self._on_reduced(batch)

    def compact(self) -> None:
        """Rewrites the records in the order of their keys, each once."""
        write(self.lines, "".join(_line(self.records[key]) for key in sorted(self.records)), make=False)

    def _write_failures(self, failures: dict[str, Record]) -> None:
        self.failures = failures
        if failures:
            write_json(self.failed, [failures[key] for key in sorted(failures)], make=False)
        else:
            self.failed.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Takes away what a killed process has left half written."""
        for partial in (*self.images.glob(".*.partial"), *self.lines.parent.glob(".infsplign-*.partial")):
            with suppress(OSError):
                partial.unlink()

    def _hash(self, key: str) -> str | None:
        path = self.path(key)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def png(image: Image.Image) -> bytes:
    """An image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def read_lines(path: Path) -> list[Record]:
    """Records of a file; a last line without its end was being written when the process died.

    Raises:
        OutputError: another line is no record.
    """
    records = []
    try:
        data = path.read_bytes()
        lines = data[: data.rfind(b"\n") + 1].decode("utf-8").split("\n")[:-1]
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be read: {error}; delete it to have its images made anew") from error
    for number, line in enumerate(lines, start=1):
        try:
            record = parse_json(line, surrogates=True)
            for name, kind in RECORD.items():
                member(record, name, kind)
            check_key(record["key"])
            records.append(record)
        except ValueError as error:
            remedy = "delete the line to have its image made anew"
            raise OutputError(f"{str(path)!r}, line {number}, is no record of a run: {error}; {remedy}") from error
    return records


def read_failures(path: Path) -> list[Record]:
    """What failed before; what cannot be read is forgotten, since it all is tried again."""
    try:
        found = parse_json(read_text(path), surrogates=True)
    except (OSError, ValueError):
        return []
    kept = []
    for record in found if isinstance(found, list) else ():
        with suppress(ValueError):
            for name, kind in FAILURE.items():
                member(record, name, kind)
            check_key(record["key"])
            kept.append(record)
    return kept


def check_key(key: str) -> None:
    """Refuses keys that name no file of the method's folder.

    Raises:
        ValueError: such a key.
    """
    if not key or os.path.basename(key) != key or "\0" in key or key.startswith("."):
        raise ValueError(f"`key` {short(key)} cannot name a file")


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
