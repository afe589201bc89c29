"""Files that are whole or not there, and errors that say what to do."""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class OutputError(OSError):
    """A folder or file that cannot be written, or does not hold what it should."""


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


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keeps a second run out of a folder. The lock goes with the process, however that ends; where there are no locks, none is taken.

    Raises:
        OutputError: another process is writing there, or the folder cannot be written.
    """
    check_writable(out)
    out.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl

        place = os.open(out, os.O_RDONLY)
    except (ImportError, OSError):  # Windows
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks; one that is taken is told below
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _TakenError from None
        yield
    except _TakenError:
        raise OutputError(f"`--out` {str(out)!r} is being written by another run; wait for it, or choose another folder") from None
    finally:
        os.close(place)


class _TakenError(Exception):
    pass


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
        raise stopped(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Writes JSON whole or not at all; nan is an error, so that every reader can read it."""
    write(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """Numbers that JSON does not know (nan, inf) become None."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append(path: Path, lines: str) -> None:
    """Adds whole lines at the end of a file.

    Raises:
        OutputError: it cannot be written; a line may then be cut short.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)
    except OSError as error:
        raise stopped(path, error) from error


def stopped(path: Path, error: OSError) -> OutputError:
    """What is said when a run cannot write on: it has lost nothing."""
    reason = error.strerror or str(error)
    return OutputError(f"{str(path)!r} cannot be written: {reason}; what is done so far is kept, the same command goes on from there")
