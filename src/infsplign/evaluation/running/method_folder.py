"""Images and records of one method in the folder of a run."""

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.evaluation.files import OutputError, append, finite, write

Record = dict[str, Any]


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
        kept = read_lines(self.lines) if self.lines.exists() else []
        self.records: dict[str, Record] = {r["key"]: r for r in kept if self._hash(r["key"]) == r["sha256"]}
        self.failures: dict[str, Record] = {r["key"]: r for r in self._read_failures() if r["key"] not in self.records}
        if self.lines.exists():
            self.compact()
        self._clear()

    def path(self, key: str) -> Path:
        return self.images / f"{key}.png"

    def load(self, key: str) -> Image.Image:
        with Image.open(self.path(key)) as image:
            return image.convert("RGB")

    def save(self, key: str, data: bytes) -> str:
        """Writes an image and returns its hash, which belongs into its record as `sha256`."""
        write(self.path(key), data)
        return hashlib.sha256(data).hexdigest()

    def save_trace(self, key: str, trace: Any) -> None:
        """Writes what guidance did at each step of an image."""
        write(self.images / f"{key}.trace.json", json.dumps(finite(trace), allow_nan=False) + "\n")

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

    def reduce(self, batch: int) -> None:
        """From here on `batch` images are made together, when the run is gone on with too."""
        self.reduced = batch
        if self._on_reduced:
            self._on_reduced(batch)

    def compact(self) -> None:
        """Rewrites the records in the order of their keys, each once."""
        write(self.lines, "".join(_line(self.records[key]) for key in sorted(self.records)))

    def _write_failures(self, failures: dict[str, Record]) -> None:
        self.failures = failures
        if failures:
            write(self.failed, json.dumps([failures[key] for key in sorted(failures)], indent=1, ensure_ascii=False) + "\n")
        else:
            self.failed.unlink(missing_ok=True)

    def _read_failures(self) -> list[Record]:
        """What failed before; a file that cannot be read is forgotten, since it all is tried again."""
        try:
            found = json.loads(self.failed.read_text("utf-8"))
        except (OSError, ValueError):
            return []
        return [r for r in found if isinstance(r, dict) and "key" in r] if isinstance(found, list) else []

    def _clear(self) -> None:
        """Takes away what a killed process has left half written."""
        for partial in (*self.images.glob(".*.partial"), *self.lines.parent.glob(f".{self.images.name}.*.partial")):
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
    *lines, _cut = path.read_text("utf-8", errors="replace").split("\n")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if not all(isinstance(record.get(name), str) for name in ("key", "sha256")):
                raise ValueError("`key` or `sha256` is missing")
            records.append(record)
        except (ValueError, AttributeError) as error:
            remedy = "delete the line to have its image made anew"
            raise OutputError(f"{str(path)!r}, line {number}, is no record of a run: {error}; {remedy}") from error
    return records


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
