"""Adds to a run what `infsplign score --out` has written below it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any

from infsplign.evaluation.generated import TRACE
from infsplign.evaluation.page.checking import checked_results, verdict_rows
from infsplign.evaluation.page.replaced import by_one_rule, without
from infsplign.evaluation.page.run import Measured, RunFolder, read_object, title_of
from infsplign.evaluation.running.method_folder import Record
from infsplign.evaluation.running.run_folder import MANIFEST, RESULTS
from infsplign.evaluation.scoring.scored_folder import IMAGES

DEEPEST = 4
"""Folders between a run and scores of it."""


def add_scores(run: RunFolder) -> None:
    """Adds what `infsplign score --out` has written below a run."""
    folder, records, measured = run.folder, run.records, run.measured
    replaced = run.digests.replaced()
    run.replaced = sum(map(len, replaced.values()))
    judged: dict[Any, dict[str, dict[str, Record]]] = {None: without(run.verdicts, replaced)}
    groups: dict[Any, Measured] = {}
    merged: list[tuple[Measured, dict[str, Any], str, str]] = []
    gone: set[str] = set()
    for path in _scores(folder):
        scored = read_object(path, checked_results)
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
        if groups.setdefault(kind, Measured(title_of(scored))).methods.get(label, scored["methods"][label]) != scored["methods"][label]:
            groups[kind := (kind, place)] = Measured(title_of(scored))
        _merge(groups[kind], scored, label, place)
        merged.append((groups[kind], scored, label, place))
        of_label = judged.setdefault((title_of(scored), json.dumps(scored.get("detector"), sort_keys=True)), {}).setdefault(label, {})
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


def _scores(folder: Path) -> Iterator[Path]:
    """Results below a folder, but for those of other runs there."""
    for path in sorted(path for depth in range(1, DEEPEST + 1) for path in folder.glob("*/" * depth + RESULTS)):
        between = [above for above in path.parents if folder in above.parents]
        if not any((above / name).exists() for above in between for name in (MANIFEST, TRACE)):
            yield path


def _kind(scored: Mapping[str, Any], label: str, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    """Only methods that have the same measures, by the same detector and of the same prompts and images, stand in one table."""
    size = scored.get("prompts"), scored.get("images"), frozenset(row["key"] for row in rows)
    return title_of(scored), tuple(scored["methods"][label]), json.dumps(scored.get("detector"), sort_keys=True), *size


def _merge(group: Measured, scored: Mapping[str, Any], label: str, place: str) -> None:
    """Adds the scores of one method; those that it was compared with come from their own folders."""
    group.methods[label] = scored["methods"][label]
    group.differences |= {name: row for name, row in scored.get("differences", {}).items() if name.startswith(f"{label} - ")}
    group.relations |= scored.get("relations", {})
    group.prompts, group.images = scored.get("prompts", 0), scored.get("images", 0)
    group.places.append(place)
