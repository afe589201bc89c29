"""A scored folder of images: measures with intervals and the verdict on each image, as files that can be compared.

results.json    benchmark, rule, detector, threshold, measures with intervals, measures of each relation
images.jsonl    the verdict on each image
table.md        the measures for people
"""

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from infsplign.evaluation import fingerprint
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.fingerprint import differences
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.reading import member, parse_json, read_text, short
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS, Threshold, by_relation
from infsplign.evaluation.scoring.summary import markdown, summarise

RESULTS, IMAGES, TABLE = "results.json", "images.jsonl", "table.md"
SAME = ("benchmark", "detector", "threshold")
"""Settings that two scored folders must share to be compared."""


class ComparisonError(ValueError):
    """Scored folders that cannot be compared."""


@dataclass(frozen=True)
class Scored:
    """The scores of one folder.

    Attributes:
        label: of the method that made the images, for the table.
        benchmark: a name of `BENCHMARKS`.
        detector: its settings.
        threshold: the one applied.
        prompts: all prompts of the benchmark, with or without images.
        groups: id of a prompt to the keys of its images.
        verdicts: id of a prompt to the verdicts on its images, in the order of `groups`.
        hashes: key of an image to the hash of its file, where it is known.
        seeds: key of an image to its seed, where it is known.
    """

    label: str
    benchmark: str
    detector: Mapping[str, Any]
    threshold: Threshold
    prompts: Sequence[BenchmarkPrompt]
    groups: Mapping[str, Sequence[str]]
    verdicts: Mapping[str, Sequence[Any]]
    hashes: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """The settings that determine the measures, needed to read and compare them."""
        return {
            "benchmark": self.benchmark,
            "rule": BENCHMARKS[self.benchmark].rule,
            "detector": fingerprint.plain(self.detector),
            "threshold": self.threshold._asdict(),
            "label": self.label,
            "prompts": len(self.verdicts),
            "prompts_of_benchmark": len(self.prompts),
            "images": len(next(iter(self.verdicts.values()))),
            "versions": fingerprint.versions(),
        }

    def results(self, against: "Earlier | None" = None) -> dict[str, Any]:
        """All that `results.json` holds; with `against`, its measures too, and the paired differences from it.

        Raises:
            ComparisonError: `against` was scored otherwise, or has other prompts or another number of images.
        """
        benchmark = BENCHMARKS[self.benchmark]
        methods = {self.label: benchmark.ratios(self.verdicts)}
        if against is not None:
            base = against.label if against.label != self.label else f"{against.label} (before)"
            against.tell_of_other_seeds(self.groups, self.seeds)
            methods = {base: benchmark.ratios(against.matched(self.facts(), self.verdicts, self.prompts))} | methods
        results = self.facts() | summarise(methods)
        results["relations"] = {self.label: by_relation(benchmark, self.prompts, self.verdicts)}
        return results

    def earlier(self) -> "Earlier":
        """These scores as what others are compared with."""
        rows = {
            owner: [{"key": key, **self._told(key), **asdict(verdict)} for key, verdict in zip(self.groups[owner], verdicts, strict=True)]
            for owner, verdicts in self.verdicts.items()
        }
        return Earlier(Path(self.label), self.facts(), rows)

    def write(self, out: Path, results: Mapping[str, Any]) -> None:
        """Writes the three files.

        Raises:
            OutputError: the folder cannot be written.
        """
        rows = []
        for prompt in self.prompts:
            pairs = zip(self.groups.get(prompt.id, ()), self.verdicts.get(prompt.id, ()), strict=True)
            rows += [{"key": key, **_asked(prompt), **self._told(key), **asdict(verdict)} for key, verdict in pairs]
        write(out / IMAGES, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        write(out / TABLE, markdown(results) + "\n" + markdown(self._relations(), "relation"))
        write_json(out / RESULTS, results)

    def _told(self, key: str) -> dict[str, Any]:
        """What is known of an image."""
        return {name: told[key] for name, told in (("sha256", self.hashes), ("seed", self.seeds)) if key in told}

    def _relations(self) -> dict[str, Any]:
        found = by_relation(BENCHMARKS[self.benchmark], self.prompts, self.verdicts)
        cells = {
            relation: {name: {"value": value, "low": None, "high": None} for name, value in measures.items()}
            for relation, measures in found.items()
        }
        return {"methods": cells, "differences": {}}


@dataclass(frozen=True)
class Earlier:
    """A folder that was scored before: its `facts` and the verdicts of each prompt as plain rows."""

    folder: Path
    facts: Mapping[str, Any]
    rows: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def label(self) -> str:
        return str(self.facts["label"])

    def named_before(self) -> "Earlier":
        """The same under a label that says that these scores are of another time: images of its name are scored now."""
        return replace(self, facts={**self.facts, "label": f"{self.label} (before)"})

    def tell_of_other_seeds(self, groups: Mapping[str, Sequence[str]], seeds: Mapping[str, int]) -> None:
        """Warns of prompts whose images have other seeds here and there, or other numbers where seeds are not known: they are no pairs.

        Args:
            groups: id of a prompt to the keys of its images.
            seeds: key of an image to its seed, where it is known.
        """
        others = []
        for owner, rows in self.rows.items():
            there = [(row["key"], row.get("seed")) for row in rows if "key" in row]
            here = [(key, seeds.get(key)) for key in groups.get(owner, ())]
            known = all(seed is not None for _, seed in there + here)
            sides = [sorted(seed if known and seed is not None else _number(key) for key, seed in side) for side in (there, here)]
            if there and sides[0] != sides[1]:
                others.append((owner, *(", ".join(_named(*image, known=known) for image in side) for side in (there, here))))
        if others:
            owner, before, now = others[0]
            warnings.warn(
                f"{len(others)} prompts are compared by images of other seeds or numbers, such as {owner!r} ({before} there, {now} here): "
                "these are no pairs",
                stacklevel=2,
            )

    def matched(
        self, facts: Mapping[str, Any], verdicts: Mapping[str, Sequence[Any]], prompts: Sequence[BenchmarkPrompt]
    ) -> dict[str, list[Any]]:
        """Its verdicts in the order of `verdicts`. Prompts of a file of lines are numbered, so that equal ids may name other prompts.

        Raises:
            ComparisonError: it was scored otherwise, or has other prompts or another number of images.
        """
        if lines := [line for name in SAME for line in differences(self.facts.get(name), facts[name], name)]:
            raise ComparisonError(f"{str(self.folder)!r} was scored otherwise:\n  " + "\n  ".join(lines))
        counts = [{key: len(row) for key, row in found.items()} for found in (self.rows, verdicts)]
        if counts[0] != counts[1]:
            other = sorted(key for key in {*counts[0], *counts[1]} if counts[0].get(key) != counts[1].get(key))
            raise ComparisonError(
                f"{str(self.folder)!r} must have the same prompts with as many images each; "
                f"{len(other)} differ, such as {other[0]!r}: {counts[0].get(other[0], 0)} images there, {counts[1].get(other[0], 0)} here"
            )
        for asked in (_asked(prompt) for prompt in prompts if prompt.id in verdicts):
            told = self.rows[asked["prompt"]][0]
            if lines := differences({name: told.get(name, value) for name, value in asked.items()}, asked):
                raise ComparisonError(
                    f"{str(self.folder)!r} must have the same prompts; {asked['prompt']!r} is another one:\n  " + "\n  ".join(lines)
                )
        kind = BENCHMARKS[facts["benchmark"]].verdict
        return {key: [kind(**{name: row[name] for name in kind.__dataclass_fields__}) for row in self.rows[key]] for key in verdicts}


def _named(key: str, seed: int | None, *, known: bool) -> str:
    return f"{key} of seed {seed}" if known else key


def _number(key: str) -> int:
    """The number of an image among those of its prompt."""
    digits = re.search(r"\d+$", key)
    return int(digits[0]) if digits else 0


def _asked(prompt: BenchmarkPrompt) -> dict[str, str]:
    """What a row says of its prompt."""
    return {"prompt": prompt.id, "text": prompt.text, "first": prompt.first, "relation": prompt.relation, "second": prompt.second}


def read_earlier(folder: Path) -> Earlier:
    """Reads what `Scored.write` has written.

    Raises:
        ComparisonError: no such folder.
    """
    try:
        facts = parse_json(read_text(folder / RESULTS), surrogates=True)
        kinds = {"benchmark": str, "detector": dict, "threshold": dict, "label": str}
        kept = {name: member(facts, name, kind) for name, kind in kinds.items()}
        if kept["benchmark"] not in BENCHMARKS:
            raise ValueError(f"no benchmark is called {short(kept['benchmark'])}")
        verdict = BENCHMARKS[kept["benchmark"]].verdict
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for line in read_text(folder / IMAGES).rstrip().split("\n"):
            row = parse_json(line, surrogates=True)
            for part in fields(verdict):
                member(row, part.name, bool, float)
            rows.setdefault(member(row, "prompt", str), []).append(row)
        return Earlier(folder, kept, rows)
    except (OSError, ValueError) as error:
        below = [str(path.parent) for path in sorted(folder.glob(f"*/{RESULTS}"))]
        hint = f"; there are scores in {' and '.join(map(repr, below[:4]))}: give one of these" if below else ""
        told = f"`--against` {str(folder)!r} holds no scores that `infsplign score --out` has written: {error}{hint}"
        raise ComparisonError(told) from error
