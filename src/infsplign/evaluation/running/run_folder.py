"""The folder of a run: what is in it stays valid whenever the process is killed.

manifest.json        settings, methods and versions; a run with others is refused
METHOD/KEY.png       images, written whole or not at all
METHOD.jsonl         one record an image, appended after its image; a line cut short is dropped
METHOD.failed.json   images that could not be made, each with its error; not there when there are none

A manifest that a power cut has left cut short is written anew, where results.json or what is left of it tells what was in it.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from infsplign.evaluation.files import LONGEST_NAME, NAME, OutputError, check_writable, encoded, json_text, write_json
from infsplign.evaluation.fingerprint import differences, plain, versions
from infsplign.evaluation.reading import member, parse_json, read_text
from infsplign.evaluation.running.method_folder import MethodFolder

MANIFEST, RESULTS = "manifest.json", "results.json"
LONGEST_ID = LONGEST_NAME - len("_99.trace.json")
"""Bytes of a prompt's id, and of a method's name: files are named by them."""


class SettingsError(ValueError):
    """The folder holds a run with other settings."""


def check_names(methods: Iterable[str]) -> None:
    """Refuses methods that cannot name a file.

    Raises:
        ValueError: one of them.
    """
    for name in methods:
        if not NAME.fullmatch(name) or len(name.encode()) > LONGEST_ID:
            raise ValueError(f"a method's name must be letters, digits and any of `_.+-`, at most {LONGEST_ID} bytes, got {name!r}")


def open_run(out: Path, settings: Mapping[str, Any], methods: Mapping[str, Any]) -> dict[str, MethodFolder]:
    """Begins a run, or goes on with one of the same settings; methods may be added to it.

    Args:
        out: folder; made when it is not there.
        settings: what all methods share and decides the images.
        methods: name to options.

    Returns:
        For each method the place of its results.

    Raises:
        SettingsError: the folder holds a run with other settings, results of a method that its manifest does not name, or those of scores.
        OutputError: the folder cannot be written.
        ValueError: a method's name cannot name a file.
    """
    check_names(methods)
    check_writable(out)
    asked = json.loads(json.dumps({"settings": plain(settings), "versions": versions(), "methods": plain(methods)}))
    there, whole = read_manifest(out, asked), _whole(out / MANIFEST)
    known = {} if there is None else there["methods"]
    taken = [name for name in methods if name not in known and ((out / f"{name}.jsonl").exists() or (out / name).exists())]
    if taken and (there is None or whole):  # the rest of a manifest does not tell all methods
        why = f"which {MANIFEST} does not name; move them away, or" if whole else f"without {MANIFEST};"
        raise SettingsError(f"`--out` {str(out)!r} holds {', '.join(taken)} of unknown settings, {why} choose another folder")
    if there is None and (out / RESULTS).exists():
        what = f"{RESULTS} of something else, such as scores, which would be replaced"
        raise SettingsError(f"`--out` {str(out)!r} holds {what}; choose another folder")
    if there is not None:
        parts = [(there.get(name), asked[name], name) for name in ("settings", "versions")]
        parts += [(known[name], asked["methods"][name], f"methods.{name}") for name in methods if name in known]
        if lines := [line for part in parts for line in differences(*part)]:
            raise SettingsError(f"`--out` {str(out)!r} holds a run with other settings; choose another folder:\n  " + "\n  ".join(lines))
        asked = {**there, **asked, "methods": known | asked["methods"]}
    if asked != there or not whole:
        write_json(out / MANIFEST, asked, make=False)
    batches = {name: note["batch"] for name, note in asked.get("reduced", {}).items()}
    return {name: MethodFolder(out, name, reduced=batches.get(name), on_reduced=partial(_note_reduced, out, name)) for name in methods}


def _note_reduced(out: Path, method: str, batch: int) -> None:
    """Says in the manifest that memory ran out: images made since then have fewer neighbours, so their sums may be rounded otherwise."""
    manifest = read_manifest(out) or {}
    note = {"batch": batch, "why": "out of memory; `batch` in each record tells how many images were made together"}
    write_json(out / MANIFEST, manifest | {"reduced": manifest.get("reduced", {}) | {method: note}}, make=False)


def read_manifest(out: Path, asked: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The manifest of a run, None where there is none. One that is cut short is made whole where something tells what was in it.

    Args:
        out: folder of the run.
        asked: the manifest that the run would write now: it stands for one of which only the beginning is left, settings and versions
            at least.

    Raises:
        OutputError: it is broken, and nothing tells what was in it.
    """
    path = out / MANIFEST
    if not path.exists():
        return None
    try:
        return checked_manifest(parse_json(read_text(path)))
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError, KeyError, TypeError):
            results = parse_json(read_text(out / RESULTS))
            return checked_manifest({"settings": results["settings"], "versions": results["versions"], "methods": results["options"]})
        if asked is not None and _is_beginning(path, asked):
            return {**asked, "methods": {}}
        remedy = "its images are whole, but nothing tells how they were made: choose another folder, or delete this one"
        raise OutputError(f"{str(path)!r} is broken, as a power cut leaves it: {error}; {remedy}") from error


def _is_beginning(path: Path, asked: Mapping[str, Any]) -> bool:
    """Whether a file holds the beginning of a manifest, at least as far as its methods."""
    there, text = path.read_bytes().rstrip(b"\0"), encoded(json_text(asked))
    return text.startswith(there) and len(there) >= text.index(b'\n "methods"')


def _whole(path: Path) -> bool:
    try:
        checked_manifest(parse_json(read_text(path)))
    except (OSError, ValueError):
        return False
    return True


def checked_manifest(value: Any) -> dict[str, Any]:
    """The parts of a manifest that a run needs, of the right kinds.

    Raises:
        ValueError: one of them is missing, or of another kind.
    """
    manifest = {name: member(value, name, dict) for name in ("settings", "versions", "methods")}
    check_names(manifest["methods"])
    if reduced := member(value, "reduced", dict, missing=True):
        for note in reduced.values():
            if member(note, "batch", int) < 1:
                raise ValueError("expected `batch` to be >= 1")
        manifest["reduced"] = reduced
    return manifest
