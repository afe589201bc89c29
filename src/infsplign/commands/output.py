"""The folder that results go to: checked before the work, made with the first result, never with another's files lost."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

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
    name = slug(prompt)
    candidates = (parent / (name if number == 1 else f"{name}-{number}") for number in range(1, 10**6))
    return next(path for path in candidates if not path.exists() or (path.is_dir() and not any(path.iterdir())))


class OutputFolder:
    """A folder for the results of one run. Nothing is on disk before `begin`.

    Args:
        path: where; it may exist. Results of an earlier run there (it has left a `trace.json`) are replaced.

    Raises:
        OSError: it cannot be written, or holds files with our names that no earlier run has left.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.begun = path, False
        try:
            self._probe()
        except OSError as error:
            raise OSError(f"the output folder {str(path)!r} cannot be written: {error.strerror or error}") from error
        self._stale = self.kept()
        taken = [*self._stale, TRACE] if (path / TRACE).exists() else self._stale
        if taken and not self._is_ours():
            raise FileExistsError(
                f"the output folder {str(path)!r} holds {', '.join(taken)}, which no earlier run has left there; "
                "give another `--out`, or move them away"
            )

    def _probe(self) -> None:
        """Makes the folder and a file in it, and takes both away again."""
        there = next(folder for folder in (self.path, *self.path.parents) if folder.exists())
        if not there.is_dir():
            raise NotADirectoryError(f"{str(there)!r} is no folder")
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        finally:
            for folder in made:
                if folder.is_dir():
                    folder.rmdir()

    def _is_ours(self) -> bool:
        try:
            return "infsplign" in json.loads((self.path / TRACE).read_text("utf-8"))["versions"]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def begin(self, record: dict[str, Any]) -> None:
        """Makes the folder, clears an earlier run's results and leaves `record`, so that the folder is known as ours from here on."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.begun = True
        self.write_json(record)
        for name in self._stale:
            (self.path / name).unlink(missing_ok=True)

    def write_json(self, record: dict[str, Any]) -> None:
        """Writes `trace.json` whole or not at all."""
        partial = self.path / f".{TRACE}.partial"
        partial.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
        os.replace(partial, self.path / TRACE)

    def kept(self) -> list[str]:
        """Names of the pictures in the folder that are called as ours are."""
        return sorted(entry.name for entry in self.path.iterdir() if _OURS.fullmatch(entry.name)) if self.path.is_dir() else []
