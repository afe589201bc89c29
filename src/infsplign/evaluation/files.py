"""Writes files that are whole or not there, also after a power cut, with errors that say what to do.

A file is written under another name, flushed to the disk (`fsync`) and renamed; then its folder is flushed too, which makes the name last.
Symbolic links are not followed: a link that stands where a file is to be written is replaced, its target is left alone.
"""

import errno
import json
import math
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

LONGEST_NAME = 255
"""Bytes of a file's name, on common file systems."""
NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
"""Of methods and of prompts' ids, which name files."""
_NEW = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class OutputError(OSError):
    """A folder or file that cannot be written, or has unexpected content."""


def check_writable(out: Path, option: str = "--out") -> None:
    """Tells whether a folder can be written, or made. Nothing is left behind, and no folder is made or removed.

    Args:
        out: the folder.
        option: that names it, or a file in it.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        if any(len(os.fsencode(part)) > LONGEST_NAME for part in out.parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        there = next(folder for folder in (out, *out.parents) if os.path.lexists(folder))
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise cannot_write(out, error, option) from error


def cannot_write(out: Path, error: OSError, option: str = "--out") -> OutputError:
    """The error for a folder that cannot be written."""
    return OutputError(f"`{option}` {str(out)!r} cannot be written: {error.strerror or error}; choose another folder")


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, and flushes their names to the disk."""
    new = [part for part in (folder, *folder.parents) if not part.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for part in new:
        _sync_folder(part.parent)


def write(path: Path, content: str | bytes, *, make: bool = True) -> None:
    """Writes a file whole or not at all.

    Args:
        path: of the file.
        content: a text is written in UTF-8; half of a character (a lone surrogate) is written as its escape, such as `\\ud800`.
        make: make the folder where there is none. A run does not: its folder was there, and must not be made again.

    Raises:
        OutputError: it cannot be written; what was there before is still there.
    """
    partial = path.with_name(f".infsplign-{os.getpid()}.partial")
    try:
        if make:
            make_folder(path.parent)
        _check_replaceable(path)
        _put(partial, encoded(content))
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise stopped(path, error) from error


def write_json(path: Path, value: Any, *, make: bool = True) -> None:
    """Writes JSON whole or not at all; nan is an error, so that every reader can read it."""
    write(path, json_text(value), make=make)


def json_text(value: Any) -> str:
    """JSON as `write_json` writes it."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def encoded(content: str | bytes) -> bytes:
    """A text in UTF-8. In JSON the escape of a lone surrogate reads back as the same text."""
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def finite(value: Any) -> Any:
    """Numbers that JSON does not know (nan, inf) become None."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append(path: Path, lines: str) -> None:
    """Adds whole lines at the end of a file, and flushes them to the disk. The folder must be there.

    Raises:
        OutputError: it cannot be written; a line may then be cut short.
    """
    try:
        new = not path.exists()
        _add(path, encoded(lines))
        if new:
            _sync_folder(path.parent)
    except OSError as error:
        raise stopped(path, error) from error


def stopped(path: Path, error: OSError) -> OutputError:
    """The error for a run that cannot write on: it has lost nothing."""
    if error.errno == errno.ENOENT:
        return OutputError(f"{str(path)!r} cannot be written: its folder is gone; was it removed or renamed while this command ran?")
    if error.errno == errno.ELOOP:
        return OutputError(f"{str(path)!r} is a symbolic link, and links are not followed; move it away")
    if error.errno == errno.EISDIR:
        return OutputError(f"{str(path)!r} is a folder; name a file, which may be in it")
    reason = error.strerror or str(error)
    return OutputError(f"{str(path)!r} cannot be written: {reason}; what is done so far is kept, the same command goes on from there")


def _check_replaceable(path: Path) -> None:
    """Refuses devices, pipes and sockets, and links to them: a rename would put a file in the place of `/dev/null`, for everyone."""
    for look in (os.lstat, os.stat):
        try:
            mode = look(path).st_mode
        except OSError:  # nothing there, or a link to nothing
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, which is not replaced by a file")


def _put(path: Path, data: bytes) -> None:
    """A new file, on the disk when this returns. One that a killed process has left under the same name is removed first."""
    try:
        place = os.open(path, _NEW | os.O_EXCL, 0o666)
    except FileExistsError:
        path.unlink()
        place = os.open(path, _NEW | os.O_EXCL, 0o666)
    _fill(place, data)


def _add(path: Path, data: bytes) -> None:
    _fill(os.open(path, _NEW | os.O_APPEND, 0o666), data)


def _fill(place: int, data: bytes) -> None:
    with os.fdopen(place, "wb") as file:
        file.write(data)
        file.flush()
        with suppress(OSError):  # a file system without it
            os.fsync(place)


def _sync_folder(folder: Path) -> None:
    """Flushes the names in a folder; where folders cannot be opened (Windows) or flushed, nothing is done."""
    with suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
