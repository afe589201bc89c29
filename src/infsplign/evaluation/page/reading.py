"""Reads the folder of a run, and the scores below it, for the report."""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from typing import Any

from infsplign.errors import PromptError, PromptWarning
from infsplign.evaluation.generated import TRACE, Generated, left_out, pooled, pooled_records, read_generated, settings
from infsplign.evaluation.page.checking import checked_results, verdict_rows
from infsplign.evaluation.page.replaced import Digests, by_one_rule, without
from infsplign.evaluation.reading import is_kind, parse_json, read_text
from infsplign.evaluation.running.method_folder import Record, read_failures, read_lines
from infsplign.evaluation.running.run_folder import MANIFEST, RESULTS, checked_manifest
from infsplign.evaluation.scoring.scored_folder import IMAGES
from infsplign.prompts import parse_prompt

DEEPEST = 4
"""Folders between a run and scores of it."""
GUIDED = "guided"
"""The method of `infsplign generate` that has a trace."""
OTHER = "other"
"""The relation of a prompt that cannot be read, or asks for none."""


class ReportError(ValueError):
    """A folder with nothing to report."""


@dataclass
class Measured:
    """Measures by one detector, on the same images of each method.

    Attributes:
        title: rule and detector; where the run's own facts do not tell it, what was scored too.
        methods: name to measures, each with `value`, `low` and `high`.
        differences: "A - B" to measures.
        relations: method to relation to plain values.
        prompts, images: how many prompts were measured, and images of each.
        places: folders of the scores, below the run's.
    """

    title: str
    methods: dict[str, Any] = field(default_factory=dict)
    differences: dict[str, Any] = field(default_factory=dict)
    relations: dict[str, Any] = field(default_factory=dict)
    prompts: int = 0
    images: int = 0
    places: list[str] = field(default_factory=list)


@dataclass
class RunFolder:
    """A run, finished or not, or scores of images that were made elsewhere.

    Attributes:
        folder: where.
        manifest, results: the content of these files; empty if missing.
        records: method to key of an image to its record; failed images have an `error`.
        verdicts: the same with what was judged; one detector and rule for all methods of an image.
        measured: one for each detector and set of images.
        digests: SHA-256 of the images.
        replaced: how many images are other files than were made; their verdicts are left out.
        stale: folders of scores of images that have changed since; they are left out.
        strange: folders of scores to their label, which no method of the run has; they are left out.
        outdated: folders of scores to the method that has other images or scores by now; their differences from it are left out.
        pooled: what to say of images that were made with different options; None where they were not.
    """

    folder: Path
    manifest: Mapping[str, Any]
    results: Mapping[str, Any]
    records: dict[str, dict[str, Record]]
    verdicts: dict[str, dict[str, Record]]
    measured: list[Measured]
    digests: Digests
    files: dict[str, dict[str, Path]] = field(default_factory=dict)
    """Method to key to the image's file, where it is not METHOD/KEY.png."""
    stale: list[str] = field(default_factory=list)
    strange: dict[str, str] = field(default_factory=dict)
    outdated: dict[str, str] = field(default_factory=dict)
    pooled: str | None = None
    beside: str | None = None
    """What to say of images in the folder that are not shown."""
    replaced: int = 0
    title: str = ""
    """What the page calls it instead of the folder's name, which another run may have too."""

    def image(self, method: str, key: str) -> Path:
        """The file of an image."""
        return self.files.get(method, {}).get(key) or self.folder / method / f"{key}.png"

    def trace(self, method: str, key: str) -> Path | None:
        """The file of the trace of an image; None where there is none."""
        path = self.image(method, key).with_suffix(".trace.json")
        if self.files and method == GUIDED:
            path = self.image(method, key).with_name(TRACE)
        return path if path.exists() else None

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.manifest.get("settings", {})

    @property
    def name(self) -> str:
        return self.title or self.folder.resolve().name


def read_run(folder: Path) -> RunFolder:
    """Reads a run with the scores below it, or a folder of scores.

    Raises:
        ReportError: it holds neither.
        OutputError: a broken record.
    """
    if not (folder / MANIFEST).exists() and (made := read_generated(folder)):
        return _generated(folder, made)
    manifest, results = _object(folder / MANIFEST, checked_manifest), _object(folder / RESULTS, checked_results)
    if not manifest and "label" not in results:
        kinds = f"a run of `infsplign eval` (a {MANIFEST}), nor images of `infsplign generate` (a {TRACE}), nor scores of `infsplign score`"
        raise ReportError(f"{str(folder)!r} holds neither {kinds}")
    records = {name: _records(folder, name) for name in manifest.get("methods", {})}
    verdicts = {name: {key: r for key, r in found.items() if isinstance(r.get("correct"), bool)} for name, found in records.items()}
    measured = [_measured(results, results)] if results.get("methods") else []
    files = {name: {key: folder / name / f"{key}.png" for key in found} for name, found in records.items()}
    told = {name: {key: r["sha256"] for key, r in found.items() if "sha256" in r} for name, found in records.items()}
    run = RunFolder(folder, manifest, results, records, verdicts, measured, Digests(files, told))
    told = [pooled_records(found.values()) or "" for found in records.values()]
    run.pooled, run.beside = max(told, key=len, default="") or None, left_out(folder)  # the guided images have more options
    if manifest:
        _add_scores(run)
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
    _add_scores(run)
    return run


def _add_scores(run: RunFolder) -> None:
    """Adds what `infsplign score --out` has written below a run."""
    folder, records, measured = run.folder, run.records, run.measured
    replaced = run.digests.replaced()
    run.replaced = sum(map(len, replaced.values()))
    judged: dict[Any, dict[str, dict[str, Record]]] = {None: without(run.verdicts, replaced)}
    groups: dict[Any, Measured] = {}
    merged: list[tuple[Measured, dict[str, Any], str, str]] = []
    gone: set[str] = set()
    for path in _scores(folder):
        scored = _object(path, checked_results)
        label, place = scored.get("label"), path.parent.relative_to(folder).as_posix()
        if label is None or label not in records or label not in scored["methods"]:
            if label is not None:
                run.strange[place] = str(label)
            continue
        rows = list(verdict_rows(path.with_name(IMAGES)))
        if any(_changed(run, label, row) for row in rows):
            run.stale.append(place)
            gone.add(label)
            continue
        kind = _kind(scored, label, rows)
        if groups.setdefault(kind, Measured(_title(scored))).methods.get(label, scored["methods"][label]) != scored["methods"][label]:
            groups[kind := (kind, place)] = Measured(_title(scored))
        _merge(groups[kind], scored, label, place)
        merged.append((groups[kind], scored, label, place))
        of_label = judged.setdefault((_title(scored), json.dumps(scored.get("detector"), sort_keys=True)), {}).setdefault(label, {})
        for row in rows:
            if "correct" in row:
                of_label.setdefault(row["key"], row)
    run.verdicts = {name: {} for name in records} | by_one_rule(list(judged.values()))
    for group, scored, label, place in merged:
        for name in scored.get("differences", {}):
            base = name.removeprefix(f"{label} - ")
            there = group.methods.get(base, {} if base in gone else None)  # None: scored elsewhere
            if base != name and there is not None and not _alike(scored["methods"].get(base, {}), there):
                group.differences.pop(name, None)
                run.outdated[place] = base
    for group in groups.values():
        if (group.prompts, group.images) != (run.results.get("prompts"), run.results.get("images")) and group.prompts and group.images:
            group.title += f"; {group.prompts} prompts × {group.images} images"
    measured += groups.values()
    titles = Counter(m.title for m in measured)
    for group in groups.values():
        if titles[group.title] > 1:
            group.title += f"; {', '.join(group.places)}"


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two lists of measures have the same values; intervals may be of another release of numpy."""
    pairs = [(found["value"], other.get(name, {}).get("value")) for name, found in one.items()]
    return all(a == b if a is None or b is None else isclose(a, b, abs_tol=1e-9) for a, b in pairs)


def _changed(run: RunFolder, label: str, row: Mapping[str, Any]) -> bool:
    """Whether the image of a verdict is another one by now."""
    told, now = row.get("sha256"), run.digests.of(label, row["key"])
    return isinstance(told, str) and now != told and (now is not None or bool(run.files))


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


def _scores(folder: Path) -> Iterator[Path]:
    """Results below a folder, but for those of other runs there."""
    for path in sorted(path for depth in range(1, DEEPEST + 1) for path in folder.glob("*/" * depth + RESULTS)):
        between = [above for above in path.parents if folder in above.parents]
        if not any((above / name).exists() for above in between for name in (MANIFEST, TRACE)):
            yield path


def _measured(results: Mapping[str, Any], scored: Mapping[str, Any]) -> Measured:
    methods, differences, relations = ({**results.get(name, {})} for name in ("methods", "differences", "relations"))
    return Measured(_title(scored), methods, differences, relations)


def _kind(scored: Mapping[str, Any], label: str, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    """Only methods that have the same measures, by the same detector and of the same prompts and images, stand in one table."""
    size = scored.get("prompts"), scored.get("images"), frozenset(row["key"] for row in rows)
    return _title(scored), tuple(scored["methods"][label]), json.dumps(scored.get("detector"), sort_keys=True), *size


def _merge(group: Measured, scored: Mapping[str, Any], label: str, place: str) -> None:
    """Adds the scores of one method; those that it was compared with come from their own folders."""
    group.methods[label] = scored["methods"][label]
    group.differences |= {name: row for name, row in scored.get("differences", {}).items() if name.startswith(f"{label} - ")}
    group.relations |= scored.get("relations", {})
    group.prompts, group.images = scored.get("prompts", 0), scored.get("images", 0)
    group.places.append(place)


def _title(results: Mapping[str, Any]) -> str:
    detector, threshold = results.get("detector", {}), results.get("threshold", {})
    rule = results.get("rule") or "VISOR, strict, doubled, shape"
    name = " ".join(str(detector[key]) for key in ("name", "model") if detector.get(key))
    name = name.replace("infsplign.shapes.detector", "the world's own")
    least = threshold.get("value", detector.get("min_score"))
    sign = ">" if threshold and not threshold.get("inclusive") else "≥"
    return f"{rule}; detector {name or 'unknown'}" + (f", score {sign} {least:g}" if is_kind(least, float) else "")


def _records(folder: Path, method: str) -> dict[str, Record]:
    lines = folder / f"{method}.jsonl"
    found = {record["key"]: record for record in read_lines(lines)} if lines.exists() else {}
    failed = {record["key"]: record for record in read_failures(folder / f"{method}.failed.json")}
    return failed | found


def _object(path: Path, check: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """What a file holds; empty when there is none.

    Raises:
        ReportError: it holds something else.
    """
    if not path.exists():
        return {}
    try:
        return check(parse_json(read_text(path), surrogates=True))
    except (OSError, ValueError) as error:
        raise ReportError(f"{str(path)!r} cannot be reported: {error}") from error
