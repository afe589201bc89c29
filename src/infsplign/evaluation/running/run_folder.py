"""The folder of a run: what is in it stays valid whenever the process is killed.

manifest.json        settings, methods and versions; a run with others is refused
METHOD/KEY.png       images, written whole or not at all
METHOD.jsonl         one record an image, appended after its image; a line cut short is dropped
METHOD.failed.json   images that could not be made, each with its error; not there when there are none
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from infsplign.evaluation.files import OutputError, check_writable, write_json
from infsplign.evaluation.fingerprint import differences, plain, versions
from infsplign.evaluation.running.method_folder import MethodFolder

MANIFEST = "manifest.json"
NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
"""Of methods and of prompts' ids."""


class SettingsError(ValueError):
    """The folder holds a run with other settings."""


def check_names(methods: Iterable[str]) -> None:
    """Refuses methods that cannot name a file.

    Raises:
        ValueError: one of them.
    """
    for name in methods:
        if not NAME.fullmatch(name):
            raise ValueError(f"a method's name must be letters, digits and any of `_.+-`, got {name!r}")


def open_run(out: Path, settings: Mapping[str, Any], methods: Mapping[str, Any]) -> dict[str, MethodFolder]:
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
    check_names(methods)
    check_writable(out)
    asked = json.loads(json.dumps({"settings": plain(settings), "versions": versions(), "methods": plain(methods)}))
    path = out / MANIFEST
    if path.exists():
        there = read_json(path)
        known = there.get("methods", {})
        parts = [(there.get(name), asked[name], name) for name in ("settings", "versions")]
        parts += [(known[name], asked["methods"][name], f"methods.{name}") for name in methods if name in known]
        if lines := [line for part in parts for line in differences(*part)]:
            raise SettingsError(f"`--out` {str(out)!r} holds a run with other settings; choose another folder:\n  " + "\n  ".join(lines))
        asked = {**there, **asked, "methods": known | asked["methods"]}
    elif taken := [name for name in methods if (out / f"{name}.jsonl").exists() or (out / name).exists()]:
        raise SettingsError(f"`--out` {str(out)!r} holds {', '.join(taken)} of unknown settings, without {MANIFEST}; choose another folder")
    write_json(path, asked)
    reduced = asked.get("reduced", {})
    return {
        name: MethodFolder(out, name, reduced=reduced.get(name, {}).get("batch"), on_reduced=partial(_note_reduced, path, name))
        for name in methods
    }


def _note_reduced(path: Path, method: str, batch: int) -> None:
    """Says in the manifest that memory ran out: images made since then have fewer neighbours, so their sums may be rounded otherwise."""
    manifest = read_json(path)
    note = {"batch": batch, "why": "out of memory; `batch` in each record tells how many images were made together"}
    write_json(path, manifest | {"reduced": manifest.get("reduced", {}) | {method: note}})


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        OutputError: there is none.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be read: {error}; choose another folder, or delete it with its images") from error
    if not isinstance(value, dict):
        raise OutputError(f"{str(path)!r} is no manifest; choose another folder, or delete it with its images")
    return value
