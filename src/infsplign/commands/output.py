"""The folder for results: checked before the work, made with the first result. Files of others are never lost."""

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from PIL.Image import Image

from infsplign.evaluation.files import OutputError, check_writable, write, write_json
from infsplign.evaluation.locking import TakenError, locked
from infsplign.evaluation.reading import parse_json, read_text
from infsplign.evaluation.running.method_folder import png
from infsplign.generation.file_names import slug

TRACE = "trace.json"
_OURS = re.compile(r"(un)?guided_\d+\.png|sheet\.png|attention\.png|trace\.png")


def new_folder(prompt: str, parent: Path = Path("out")) -> Path:
    """Returns `out/<prompt>`, with the first free number as a suffix if it exists, so that results are not replaced."""
    return next(new_folders(prompt, parent))


def new_folders(prompt: str, parent: Path = Path("out")) -> Iterator[Path]:
    """Yields the free folders for a prompt's results."""
    name = slug(prompt)
    candidates = (parent / (name if number == 1 else f"{name}-{number}") for number in range(1, 10**6))
    return (path for path in candidates if _free(path))


def _free(path: Path) -> bool:
    return not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir()))


class OutputFolder:
    """A folder for the results of one run. Nothing is on disk before `begin`.

    Args:
        path: may exist. Results of an earlier run (recognised by its `trace.json`) are replaced.
        prompt: if given, `path` is the first of its `new_folders`, and the next is used if another process took it.
        parent: the folder of all prompts of the run that this one is of; it is claimed too, and an earlier run's results in it removed.
        shared: it is such a parent: files in it that are of no run are left alone.

    Raises:
        OSError: it cannot be written, or it has files with our names that are not from an earlier run.
    """

    def __init__(self, path: Path, prompt: str | None = None, *, parent: "OutputFolder | None" = None, shared: bool = False) -> None:
        self.path, self.prompt, self.parent, self.begun = path, prompt, parent, False
        self._lock, self._claimed = ExitStack(), False
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
            self._stale = []
            if shared:
                return
            raise FileExistsError(
                f"the output folder {str(path)!r} holds {', '.join(taken)}, which no earlier run has left there; "
                "give another `--out`, or move them away"
            )

    def _probe(self) -> None:
        """Raises an error if the folder cannot be made or written; makes none."""
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
        """Makes the folder, removes an earlier run's results and writes `record`, which marks the folder as ours."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.begun = True
        self.write_json(record)
        for name in self._stale:
            (self.path / name).unlink(missing_ok=True)

    def claim(self) -> None:
        """Makes the folder and locks it against other processes until `close`; once.

        Raises:
            OutputError: another process is writing there, or the folder cannot be written.
        """
        if self._claimed:
            return
        if self.parent is not None:
            self._claim_below(self.parent)
        self._lock_it()
        self._claimed = True

    def _claim_below(self, parent: "OutputFolder") -> None:
        parent.claim()
        if parent._is_ours():  # the results of a single prompt would pass for those of this run
            for name in (*parent._stale, TRACE):
                (parent.path / name).unlink(missing_ok=True)
        if (path := parent.path / self.path.name) != self.path:  # another process took the first folder
            self.path, self._stale = path, []

    def _lock_it(self) -> None:
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
        """Unlocks the folder.

        Raises:
            OutputError: the folder no longer exists.
        """
        self._lock.close()

    def others(self, names: Collection[str]) -> list[str]:
        """Folders of prompts in this one that are not among `names`: they are read with the others."""
        return sorted(path.parent.name for path in self.path.glob(f"*/{TRACE}") if path.parent.name not in names)

    def write_json(self, record: dict[str, Any]) -> None:
        """Writes `trace.json` whole or not at all."""
        write_json(self.path / TRACE, record, make=False)

    def save(self, name: str, image: Image) -> str:
        """Writes an image as a PNG file, whole or not at all, and returns the file's SHA-256."""
        data = png(image)
        write(self.path / name, data, make=False)
        return hashlib.sha256(data).hexdigest()

    def kept(self) -> list[str]:
        """Returns the names of the images in the folder that match our naming."""
        return sorted(entry.name for entry in self.path.iterdir() if _OURS.fullmatch(entry.name)) if self.path.is_dir() else []
