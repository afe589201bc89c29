"""The folder that results go to: checked before the work, made with the first result, never with another's files lost."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from PIL.Image import Image

from infsplign.evaluation.files import OutputError, check_writable, write, write_json
from infsplign.evaluation.locking import TakenError, locked
from infsplign.evaluation.reading import parse_json, read_text

TRACE = "trace.json"
_OURS = re.compile(r"(un)?guided_\d+\.png|sheet\.png|attention\.png|trace\.png")


def slug(text: str, length: int = 60) -> str:
    """A file name made of a prompt's words.

    >>> slug("A cat, left of a dog!")
    'a-cat-left-of-a-dog'
    """
    words = re.findall(r"\w+", text.lower())
    name = ""
    for word in words:
        if len((longer := f"{name}-{word}".strip("-")).encode()) > length:
            break
        name = longer
    return name or (words[0][: length // 4] if words else "images")


def new_folder(prompt: str, parent: Path = Path("out")) -> Path:
    """`out/<prompt>`, or with the first number behind it that is free: results are never replaced unasked."""
    return next(new_folders(prompt, parent))


def new_folders(prompt: str, parent: Path = Path("out")) -> Iterator[Path]:
    """The folders that are free for a prompt's results, one after the other."""
    name = slug(prompt)
    candidates = (parent / (name if number == 1 else f"{name}-{number}") for number in range(1, 10**6))
    return (path for path in candidates if _free(path))


def _free(path: Path) -> bool:
    return not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir()))


class OutputFolder:
    """A folder for the results of one run. Nothing is on disk before `begin`.

    Args:
        path: where; it may exist. Results of an earlier run there (it has left a `trace.json`) are replaced.
        prompt: where given, `path` is the first of its `new_folders`, and the next one is taken when another process has been faster.

    Raises:
        OSError: it cannot be written, or holds files with our names that no earlier run has left.
    """

    def __init__(self, path: Path, prompt: str | None = None) -> None:
        self.path, self.prompt, self.begun = path, prompt, False
        self._lock = ExitStack()
        try:
            self._probe()
        except OutputError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(f"the output folder {str(path)!r} cannot be written: {reason}") from error
        self._stale = self.kept()
        taken = [*self._stale, TRACE] if (path / TRACE).exists() else self._stale
        if taken and not self._is_ours():
            raise FileExistsError(
                f"the output folder {str(path)!r} holds {', '.join(taken)}, which no earlier run has left there; "
                "give another `--out`, or move them away"
            )

    def _probe(self) -> None:
        """Refuses a folder that cannot be made or written; none is made."""
        there = next((folder for folder in (self.path, *self.path.parents) if os.path.lexists(folder)), Path())
        if not there.is_dir():
            raise NotADirectoryError(f"{str(there)!r} is no folder")
        check_writable(self.path)

    def _is_ours(self) -> bool:
        try:
            return "infsplign" in parse_json(read_text(self.path / TRACE), surrogates=True)["versions"]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def begin(self, record: dict[str, Any]) -> None:
        """Makes the folder, clears an earlier run's results and leaves `record`, so that the folder is known as ours from here on."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.begun = True
        self.write_json(record)
        for name in self._stale:
            (self.path / name).unlink(missing_ok=True)

    def claim(self) -> None:
        """Makes the folder and keeps other processes out of it until `close`.

        Raises:
            OutputError: another process is writing there, or the folder cannot be written.
        """
        if self.prompt is None:
            self._lock.enter_context(locked(self.path))
            return
        for path in new_folders(self.prompt, self.path.parent):
            with suppress(TakenError), ExitStack() as stack:
                stack.enter_context(locked(path))
                if not any(path.iterdir()):  # the other process may have ended in the meantime
                    self.path, self._stale = path, []
                    self._lock = stack.pop_all()
                    return

    def close(self) -> None:
        """Lets other processes write there.

        Raises:
            OutputError: the folder is gone.
        """
        self._lock.close()

    def write_json(self, record: dict[str, Any]) -> None:
        """Writes `trace.json` whole or not at all."""
        write_json(self.path / TRACE, record, make=False)

    def save(self, name: str, image: Image) -> None:
        """Writes an image as a PNG file, whole or not at all."""
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        write(self.path / name, buffer.getvalue(), make=False)

    def kept(self) -> list[str]:
        """Names of the pictures in the folder that are called as ours are."""
        return sorted(entry.name for entry in self.path.iterdir() if _OURS.fullmatch(entry.name)) if self.path.is_dir() else []
