"""`infsplign eval world`: methods on the prompts of a shipped model's world, judged by the world's own detector."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import fingerprint
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.metrics import names, strict, visor
from infsplign.evaluation.metrics.names import plain
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.prompts.world_prompts import SEED_RULE, prompts, seed
from infsplign.evaluation.running.images_run import RESULTS, Run, SettledSampler, SettledWorkers, made, seed_of, whole
from infsplign.evaluation.running.images_run import SEED_RULE as BENCHMARK_SEED_RULE
from infsplign.evaluation.running.method_folder import Record
from infsplign.evaluation.running.methods import method
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS, Threshold, WorldVerdict, beside, by_relation
from infsplign.evaluation.scoring.summary import markdown, summarise
from infsplign.shipped import presets
from infsplign.shipped.worlds import World, world

DEFAULT = ("unguided", "infsplign")
TABLE = "table.md"


def evaluate_world(
    sampler: SettledSampler | SettledWorkers,
    out: Path,
    *,
    name: str,
    count: int,
    images: int = 4,
    methods: Mapping[str, GuidanceConfig | None] | None = None,
    split: str = "heldout",
    batch: int = 8,
    progress: bool = True,
) -> dict[str, Any]:
    """Makes the images, judges them, and writes `results.json` and `table.md`. What `out` holds of the same run is not made again.

    Args:
        sampler: makes images, such as `PipelineSampler(infsplign.shipped.load("pictures"), steps=20, guidance_scale=5.0)`.
        out: folder of the run.
        name: of the world that the sampler's model draws: its prompts are sampled, and its detector judges the images.
        count: prompts of the split.
        images: images a prompt.
        methods: name to options, None being unguided; `DEFAULT` with the preset of the world's Stable Diffusion, which has its
            name, when not given. Differences are from the first.
        split: "tune" or "heldout".
        batch: images at once; it decides speed and memory, and the images within rounding, so a run keeps it.
        progress: show a bar with the time left.

    Returns:
        What `results.json` holds.

    Raises:
        ValueError: an argument out of range, or a folder that holds a run with other settings.
        OutputError: the folder cannot be written.
    """
    methods = {each: method(each, presets.PRESETS[name].config) for each in DEFAULT} if methods is None else methods
    run = Run(name, prompts(split, count, name), images, methods, lambda p, index: seed(split, p.text, index), batch, {"split": split})
    return _evaluated(run, world(name), sampler, out, SEED_RULE, progress=progress)


def evaluate_listed(
    benchmark: str,
    listed: Sequence[BenchmarkPrompt],
    sampler: SettledSampler | SettledWorkers,
    out: Path,
    *,
    name: str,
    images: int,
    methods: Mapping[str, GuidanceConfig | None],
    batch: int = 8,
    progress: bool = True,
) -> dict[str, Any]:
    """Like `evaluate_world`, on prompts of another benchmark whose nouns the world has; seeds are those of `make_benchmark`.

    Args:
        benchmark: its name, part of every seed.
        listed: prompts, see `prompts_among`.
        name: of the world.
        sampler, out, images, methods, batch, progress: see `evaluate_world`.

    Raises:
        ValueError, OutputError: see `evaluate_world`.
    """
    run = Run(benchmark, listed, images, methods, lambda p, index: seed_of(benchmark, p.id, index), batch, {"world": name})
    return _evaluated(run, world(name), sampler, out, BENCHMARK_SEED_RULE, progress=progress)


def prompts_among(listed: Iterable[BenchmarkPrompt], nouns: Collection[str]) -> list[BenchmarkPrompt]:
    """The prompts with a direction whose two objects differ and are among `nouns`, in a fixed random order, so that any part is a fair
    sample."""
    known = set(map(plain, nouns))
    asked = [p for p in listed if p.relation in BENCHMARKS["visor"].relations and plain(p.first) != plain(p.second)]
    found = [p for p in asked if {plain(p.first), plain(p.second)} <= known]
    return sorted(found, key=lambda p: hashlib.sha256(p.id.encode()).digest())


def _evaluated(run: Run, drawn: World, sampler: Any, out: Path, seed_rule: str, *, progress: bool) -> dict[str, Any]:
    judged_by = fingerprint.sources(*drawn.sources, visor, strict, names, Path(__file__))
    by_id: dict[str, Any] = {p.id: p for p in run.prompts}

    def inspect(key: str, image: Image.Image) -> Record:
        return inspect_image(image, by_id[key.rpartition("_")[0]], drawn)

    def by(key: str) -> str:
        asked = by_id[key.rpartition("_")[0]]
        objects = " ".join((asked.first, asked.relation, asked.second, *(noun for noun, _ in sorted(beside(asked, drawn.nouns).items()))))
        return f"{judged_by}: {objects}"  # the same text may be of other objects than before

    with made(run, sampler, out, inspect, inspected_by=by, progress=progress) as (folders, facts):
        asked = whole(run, folders)
        verdicts = {
            name: {p.id: [verdict_of(folder.records[key]) for key in run.keys(p)] for p in asked} for name, folder in folders.items()
        }
        facts |= {
            "seed_rule": seed_rule,
            "detector": {"name": f"the world of {drawn.name}", "min_score": drawn.min_score, "source": judged_by},
        }
        rule = BENCHMARKS[drawn.name]
        results = facts | summarise({name: rule.ratios(found) for name, found in verdicts.items()})
        results["relations"] = {name: by_relation(rule, asked, found) for name, found in verdicts.items()}
        write_json(out / RESULTS, results)
        write(out / TABLE, markdown(results))
    return results


def inspect_image(image: Image.Image, prompt: BenchmarkPrompt, drawn: World | None = None) -> Record:
    """Detections of an image with its verdict and fidelity, ready for JSON; `drawn` is the world, the shapes when None."""
    drawn = world("shapes") if drawn is None else drawn
    (seen,) = drawn.detect([image])
    good = Threshold(drawn.min_score, inclusive=True).keep(seen)
    verdict = visor.judge(good, prompt.first, prompt.relation, prompt.second)
    objects, others = (prompt.first, prompt.second), beside(prompt, drawn.nouns)
    faith = strict.fidelity(seen, objects, correct=verdict.correct, min_score=drawn.min_score, beside=others)
    return {"detections": [asdict(found) for found in seen], **asdict(verdict), **asdict(faith)}


def verdict_of(record: Record) -> WorldVerdict:
    """The verdict that `inspect_image` has put into a record."""
    return WorldVerdict(**{part.name: record[part.name] for part in fields(WorldVerdict)})
