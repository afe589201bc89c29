"""The folder of a run: what is in it stays valid whenever the process is killed.

manifest.json        settings, methods and versions; a run with others is refused
METHOD/KEY.png       images, written whole or not at all
METHOD.jsonl         one record an image, appended after its image; a line cut short is dropped
"""

import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.evaluation.fingerprint import differences, plain, versions

MANIFEST = "manifest.json"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
Record = dict[str, Any]


class OutputError(OSError):
    """A folder or file that cannot be written, or does not hold what it should."""


class SettingsError(ValueError):
    """The folder holds a run with other settings."""


def check_writable(out: Path) -> None:
    """Makes the folder and a file in it, and takes away again what was not there.

    Raises:
        OutputError: it cannot be written.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(f"`--out` {str(out)!r} cannot be written: {error.strerror or error}; choose another folder") from error
    finally:
        for folder in made:
            if folder.is_dir():
                folder.rmdir()


def write(path: Path, content: str | bytes) -> None:
    """Writes a file whole or not at all.

    Raises:
        OutputError: it cannot be written; what was there before is still there.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise _stopped(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Writes JSON whole or not at all; nan is an error, so that every reader can read it."""
    write(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def open_run(out: Path, settings: Mapping[str, Any], methods: Mapping[str, Any]) -> dict[str, "MethodFolder"]:
    """Begins a run, or goes on with one of the same settings; methods may be added to it.

    Args:
        out: folder; made when it is not there.
        settings: what all methods share and decides the images.
        methods: name to options.

    Returns:
        For each method the place of its results.

    Raises:
        SettingsError: the folder holds a run with other settings, or results without a manifest.
        OutputError: the folder cannot be written.
        ValueError: a method's name cannot name a file.
    """
    for name in methods:
        if not _NAME.fullmatch(name):
            raise ValueError(f"a method's name must be letters, digits and any of `_.+-`, got {name!r}")
    check_writable(out)
    asked = json.loads(json.dumps({"settings": plain(settings), "versions": versions(), "methods": plain(methods)}))
    path = out / MANIFEST
    if path.exists():
        there = _read_json(path)
        known = there.get("methods", {})
        parts = [(there.get(name), asked[name], name) for name in ("settings", "versions")]
        parts += [(known[name], asked["methods"][name], f"methods.{name}") for name in methods if name in known]
        if lines := [line for part in parts for line in differences(*part)]:
            raise SettingsError(f"`--out` {str(out)!r} holds a run with other settings; choose another folder:\n  " + "\n  ".join(lines))
        asked["methods"] = known | asked["methods"]
    elif taken := [name for name in methods if (out / f"{name}.jsonl").exists() or (out / name).exists()]:
        raise SettingsError(f"`--out` {str(out)!r} holds {', '.join(taken)} of unknown settings, without {MANIFEST}; choose another folder")
    write_json(path, asked)
    return {name: MethodFolder(out, name) for name in methods}


class MethodFolder:
    """Images and records of one method.

    Attributes:
        records: key of an image to its record; images that are gone, cut short or changed are left out.
    """

    def __init__(self, out: Path, name: str) -> None:
        self.images, self.lines = out / name, out / f"{name}.jsonl"
        kept = _read_lines(self.lines) if self.lines.exists() else []
        self.records: dict[str, Record] = {r["key"]: r for r in kept if self._hash(r["key"]) == r["sha256"]}
        if kept:
            self.compact()

    def path(self, key: str) -> Path:
        return self.images / f"{key}.png"

    def load(self, key: str) -> Image.Image:
        with Image.open(self.path(key)) as image:
            return image.convert("RGB")

    def save(self, key: str, image: Image.Image) -> str:
        """Writes an image and returns its hash, which belongs into its record as `sha256`."""
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        write(self.path(key), buffer.getvalue())
        return hashlib.sha256(buffer.getvalue()).hexdigest()

    def add(self, records: Iterable[Record]) -> None:
        """Appends records (`key` and `sha256` are required) whose images have been saved."""
        new = {record["key"]: record for record in records}
        try:
            self.lines.parent.mkdir(parents=True, exist_ok=True)
            with self.lines.open("a", encoding="utf-8") as file:
                file.write("".join(map(_line, new.values())))
        except OSError as error:
            raise _stopped(self.lines, error) from error
        self.records |= new

    def compact(self) -> None:
        """Rewrites the records in the order of their keys, each once."""
        write(self.lines, "".join(_line(self.records[key]) for key in sorted(self.records)))

    def _hash(self, key: str) -> str | None:
        path = self.path(key)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be read: {error}; choose another folder, or delete it with its images") from error
    if not isinstance(value, dict):
        raise OutputError(f"{str(path)!r} is no manifest; choose another folder, or delete it with its images")
    return value


def _read_lines(path: Path) -> list[Record]:
    """Records of a file; a last line without its end was being written when the process died."""
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


def _stopped(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"{str(path)!r} cannot be written: {reason}; what is done so far is kept, the same command goes on from there")
