"""Which images of a run are other files than those that were made and judged."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from infsplign.evaluation.running.method_folder import Record


def digest(path: Path) -> str | None:
    """The SHA-256 of a file; None where it is gone."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


class Digests:
    """SHA-256 of the images of a run: of the files that are there, each read once, else what its record tells.

    Args:
        files: method to the key of each image to its file.
        told: method to the key of each image to the SHA-256 that its file had when it was made.
    """

    def __init__(self, files: Mapping[str, Mapping[str, Path]], told: Mapping[str, Mapping[str, str]]) -> None:
        self._files, self._told = files, told
        self._found: dict[tuple[str, str], str | None] = {}

    def of(self, method: str, key: str) -> str | None:
        """Of an image; None where nothing is known of it."""
        place = method, key
        if place not in self._found:
            path = self._files.get(method, {}).get(key)
            there = None if path is None else digest(path)
            self._found[place] = there or self._told.get(method, {}).get(key)
        return self._found[place]

    def replaced(self) -> dict[str, list[str]]:
        """Method to the keys of the images whose file is another one by now."""
        found = {name: [key for key, value in told.items() if self.of(name, key) != value] for name, told in self._told.items()}
        return {name: keys for name, keys in found.items() if keys}


def without(verdicts: Mapping[str, Mapping[str, Record]], replaced: Mapping[str, list[str]]) -> dict[str, dict[str, Record]]:
    """Verdicts without those on images that are other files by now."""
    return {name: {k: row for k, row in found.items() if k not in replaced.get(name, ())} for name, found in verdicts.items()}


def by_one_rule(judged: list[dict[str, dict[str, Record]]]) -> dict[str, dict[str, Record]]:
    """The verdicts that stand side by side: for each image those of the one rule that judged most methods, the first of equals.

    Args:
        judged: for each detector and rule, method to the key of an image to its verdict.
    """
    found: dict[str, dict[str, Record]] = {name: {} for rows in judged for name in rows}
    for key in dict.fromkeys(key for rows in judged for of_method in rows.values() for key in of_method):
        best = max(judged, key=lambda rows: sum(key in of_method for of_method in rows.values()))
        for name, of_method in best.items():
            if key in of_method:
                found[name][key] = of_method[key]
    return found
