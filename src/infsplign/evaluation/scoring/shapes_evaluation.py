"""`infsplign eval shapes`: methods on the prompts of the shapes world, judged by the world's own detector."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import fingerprint
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.metrics import strict, visor
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.evaluation.prompts.shapes import SEED_RULE, prompts, seed
from infsplign.evaluation.running.images_run import RESULTS, Run, SettledSampler, SettledWorkers, made, whole
from infsplign.evaluation.running.method_folder import Record
from infsplign.evaluation.running.methods import method
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS, ShapesVerdict, by_relation
from infsplign.evaluation.scoring.summary import markdown, summarise
from infsplign.shapes import blobs, detector, nouns
from infsplign.shapes.presets import CONFIG

DEFAULT = ("unguided", "infsplign")
TABLE = "table.md"


def evaluate_shapes(
    sampler: SettledSampler | SettledWorkers,
    out: Path,
    *,
    count: int,
    images: int = 4,
    methods: Mapping[str, GuidanceConfig | None] | None = None,
    split: str = "heldout",
    batch: int = 8,
    progress: bool = True,
) -> dict[str, Any]:
    """Makes the images, judges them, and writes `results.json` and `table.md`. What `out` holds of the same run is not made again.

    Args:
        sampler: makes images, such as `PipelineSampler(infsplign.shapes.load(), steps=30, guidance_scale=5.0)`.
        out: folder of the run.
        count: prompts of the split.
        images: images a prompt.
        methods: name to options, None being unguided; `DEFAULT` with the constants of the shipped Stable Diffusion when not
            given. Differences are from the first.
        split: "tune" or "heldout".
        batch: images at once; it decides speed and memory, and the images within rounding, so a run keeps it.
        progress: show a bar with the time left.

    Returns:
        What `results.json` holds.

    Raises:
        ValueError: an argument out of range, or a folder that holds a run with other settings.
        OutputError: the folder cannot be written.
    """
    methods = {name: method(name, CONFIG) for name in DEFAULT} if methods is None else methods
    listed = prompts(split, count)
    run = Run("shapes", listed, images, methods, lambda p, index: seed(split, p.text, index), batch, {"split": split})
    judged_by = fingerprint.sources(blobs, detector, nouns, visor, strict)
    by_id = {p.id: p for p in listed}

    def inspect(key: str, image: Image.Image) -> Record:
        return inspect_image(image, by_id[key.rpartition("_")[0]])

    with made(run, sampler, out, inspect, inspected_by=judged_by, progress=progress) as (folders, facts):
        asked = whole(run, folders)
        verdicts = {
            name: {p.id: [verdict_of(folder.records[key]) for key in run.keys(p)] for p in asked} for name, folder in folders.items()
        }
        facts |= {
            "seed_rule": SEED_RULE,
            "detector": {"name": detector.__name__, "min_score": detector.MIN_SCORE, "min_area": detector.MIN_AREA, "source": judged_by},
        }
        rule = BENCHMARKS["shapes"]
        results = facts | summarise({name: rule.ratios(found) for name, found in verdicts.items()})
        results["relations"] = {name: by_relation(rule, asked, found) for name, found in verdicts.items()}
        write_json(out / RESULTS, results)
        write(out / TABLE, markdown(results))
    return results


def inspect_image(image: Image.Image, prompt: BenchmarkPrompt) -> Record:
    """Detections of an image with its verdict and fidelity, ready for JSON."""
    seen = detector.detect(image)
    verdict = visor.judge([b for b in seen if b.score >= detector.MIN_SCORE], prompt.first, prompt.relation, prompt.second)
    faith = strict.fidelity(seen, (prompt.first, prompt.second), correct=verdict.correct, min_score=detector.MIN_SCORE)
    return {"detections": [asdict(blob) for blob in seen], **asdict(verdict), **asdict(faith)}


def verdict_of(record: Record) -> ShapesVerdict:
    """The verdict that `inspect_image` has put into a record."""
    return ShapesVerdict(**{part.name: record[part.name] for part in fields(ShapesVerdict)})
