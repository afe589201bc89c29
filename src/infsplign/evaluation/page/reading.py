"""Reads the folder of a run, or images of `infsplign generate`, for the report."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infsplign.errors import PromptError, PromptWarning
from infsplign.evaluation.generated import TRACE, Generated, left_out, pooled, pooled_records, read_generated, settings
from infsplign.evaluation.page.checking import checked_results
from infsplign.evaluation.page.replaced import Digests
from infsplign.evaluation.page.run import Measured, ReportError, RunFolder, read_object, title_of
from infsplign.evaluation.page.scores import add_scores
from infsplign.evaluation.running.method_folder import Record, read_failures, read_lines
from infsplign.evaluation.running.run_folder import MANIFEST, RESULTS, checked_manifest
from infsplign.prompts import parse_prompt

OTHER = "other"
"""The relation of a prompt that cannot be read, or asks for none."""


def read_run(folder: Path) -> RunFolder:
    """Reads a run with the scores below it, or a folder of scores.

    Raises:
        ReportError: it holds neither.
        OutputError: a broken record.
    """
    if not (folder / MANIFEST).exists() and (made := read_generated(folder)):
        return _generated(folder, made)
    manifest, results = read_object(folder / MANIFEST, checked_manifest), read_object(folder / RESULTS, checked_results)
    if not manifest and "label" not in results:
        kinds = f"a run of `infsplign eval` (a {MANIFEST}), nor images of `infsplign generate` (a {TRACE}), nor scores of `infsplign score`"
        below = [str(path.parent) for path in sorted(folder.glob(f"*/{RESULTS}"))]
        hint = f"; scores are in {' and '.join(map(repr, below[:4]))}: give these" if below else ""
        raise ReportError(f"{str(folder)!r} holds neither {kinds}{hint}")
    records = {name: _records(folder, name) for name in manifest.get("methods", {})}
    verdicts = {name: {key: r for key, r in found.items() if isinstance(r.get("correct"), bool)} for name, found in records.items()}
    measured = [_measured(results)] if results.get("methods") else []
    files = {name: {key: folder / name / f"{key}.png" for key in found} for name, found in records.items()}
    told = {name: {key: r["sha256"] for key, r in found.items() if "sha256" in r} for name, found in records.items()}
    run = RunFolder(folder, manifest, results, records, verdicts, measured, Digests(files, told))
    told = [pooled_records(found.values()) or "" for found in records.values()]
    run.pooled, run.beside = max(told, key=len, default="") or None, left_out(folder)  # the guided images have more options
    if manifest:
        add_scores(run)
    return run


def _generated(folder: Path, made: Sequence[Generated]) -> RunFolder:
    """Images of `infsplign generate`; their verdicts are those in the trace, unless they were scored."""
    records: dict[str, dict[str, Record]] = {}
    verdicts: dict[str, dict[str, Record]] = {}
    files: dict[str, dict[str, Path]] = {}
    told: dict[str, dict[str, str]] = {}
    for one in made:
        judged = one.verdicts()
        for method, hashes in one.hashes().items():
            told.setdefault(method, {}).update(hashes)
        for method, images in one.images().items():
            for key, (path, seed) in images.items():
                records.setdefault(method, {})[key] = {"key": key, "prompt": one.text, "seed": seed, "relation": one.relation or OTHER}
                files.setdefault(method, {})[key] = path
                found = verdicts.setdefault(method, {})
                if key in judged.get(method, {}):
                    found[key] = judged[method][key]
    manifest = {"settings": settings(made), "versions": made[0].record["versions"], "methods": {name: {} for name in records}}
    whole, counts = all(one.finished for one in made), sorted(len(one.record["images"]) for one in made)
    results = {"prompts": len(made), "images": counts[0] if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"} if whole else {}
    run = RunFolder(folder, manifest, results, records, verdicts, [], Digests(files, told), files)
    run.pooled, run.beside = pooled(made), left_out(folder)
    add_scores(run)
    return run


def relation_of(text: str, row: Mapping[str, Any]) -> str:
    """The relation that a prompt asks for, several joined: as the row tells it, else as the text reads."""
    if isinstance(row.get("relation"), str):
        return row["relation"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PromptWarning)  # on counts
            return " + ".join(dict.fromkeys(edge.relation.name for edge in parse_prompt(text).relations)) or OTHER
    except (PromptError, ValueError):
        return OTHER


def _records(folder: Path, method: str) -> dict[str, Record]:
    lines = folder / f"{method}.jsonl"
    found = {record["key"]: record for record in read_lines(lines)} if lines.exists() else {}
    failed = {record["key"]: record for record in read_failures(folder / f"{method}.failed.json")}
    return failed | found


def _measured(results: Mapping[str, Any]) -> Measured:
    """The measures of the run itself."""
    methods, differences, relations = ({**results.get(name, {})} for name in ("methods", "differences", "relations"))
    return Measured(title_of(results), methods, differences, relations)
