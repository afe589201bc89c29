"""Scenes of three and four objects on a shipped model: are all objects there, and do all relations hold?

python -m benchmarks.scenes --model shapes --prompts 32 --images 2      (resumes)

Prompts are chains ("a moon above a star, a heart to the left of the star"): each further object stands in a relation to one named before.
Prompts and seeds are of this benchmark alone; nothing is chosen by them.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from infsplign.core.scenes import Scene
from infsplign.evaluation import fingerprint
from infsplign.evaluation.files import make_folder, write, write_json
from infsplign.evaluation.metrics import strict, visor
from infsplign.evaluation.metrics.ratios import Ratios
from infsplign.evaluation.prompts.world_prompts import RELATIONS, seed
from infsplign.evaluation.running.job import Task
from infsplign.evaluation.running.method_folder import Record
from infsplign.evaluation.running.run_folder import open_run
from infsplign.evaluation.running.runner import run_tasks
from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.evaluation.scoring.summary import markdown, summarise
from infsplign.shipped import DEFAULT, PRESETS, World, load, world
from infsplign.shipped.worlds import article

Triple = tuple[str, str, str]


def chain(nouns: Sequence[str], count: int, number: int) -> tuple[Triple, ...]:
    """The relations of prompt `number` of `count` of the nouns; they never contradict each other, being a tree."""
    rng = random.Random(f"scenes {count} {number}")
    names = rng.sample([name for name in nouns if " " not in name], count)
    edges: list[Triple] = [(names[0], rng.choice(RELATIONS), names[1])]
    edges += [(names[i], rng.choice(RELATIONS), rng.choice(names[:i])) for i in range(2, count)]
    return tuple(edges)


def text(edges: Sequence[Triple]) -> str:
    """The prompt of a chain: an article at the first mention of an object, "the" after it.

    >>> text((("moon", "above", "star"), ("heart", "to the left of", "star")))
    'a moon above a star, a heart to the left of the star'
    """
    named: set[str] = set()
    parts = []
    for first, relation, second in edges:
        phrases = []
        for name in (first, second):
            phrases.append(f"{'the' if name in named else article(name)} {name}")
            named.add(name)
        parts.append(f"{phrases[0]} {relation} {phrases[1]}")
    return ", ".join(parts)


def inspect(image: Image.Image, edges: Sequence[Triple], drawn: World) -> Record:
    """Detections and verdicts: `each` relation, `all` objects there, and `strict` with nothing doubled and nothing else."""
    (seen,) = drawn.detect([image])
    found = [blob for blob in seen if blob.score >= drawn.min_score]
    verdicts = [visor.judge(found, *edge) for edge in edges]
    names = Scene.of(edges).objects
    faith = strict.fidelity(seen, names, correct=all(v.correct for v in verdicts), min_score=drawn.min_score)
    there = {blob.name for blob in found}
    return {
        "objects": [name in there for name in names],
        "each": [v.correct for v in verdicts],
        "detections": [asdict(blob) for blob in seen],
        **asdict(faith),
    }


def measures(records: Sequence[Sequence[Record]]) -> Ratios:
    """Per prompt and image: objects there, all of them there, relations right, all of them right, strict, doubled."""
    names = ("objects", "all objects", "relations", "all relations", "strict", "doubled")

    def pairs(rows: Sequence[Record]) -> list[tuple[float, float]]:
        count, edges = len(rows[0]["objects"]), len(rows[0]["each"])
        n = len(rows)
        return [
            (sum(sum(r["objects"]) for r in rows), n * count),
            (sum(all(r["objects"]) for r in rows), n),
            (sum(sum(r["each"]) for r in rows), n * edges),
            (sum(all(r["each"]) for r in rows), n),
            (sum(r["strict"] for r in rows), n),
            (sum(r["doubled"] for r in rows), n),
        ]

    return Ratios.of(names, [pairs(rows) for rows in records])


def run(
    sampler: PipelineSampler, drawn: World, config: Any, count: int, *, prompts: int, images: int, out: Path, batch: int
) -> dict[str, Any]:
    chains = {f"scene{count}-{number:03d}": chain(drawn.nouns, count, number) for number in range(prompts)}
    tasks = [Task(f"{key}_{i:02d}", text(edges), seed("heldout", text(edges), i)) for key, edges in chains.items() for i in range(images)]
    methods = {"unguided": None, "infsplign": config}
    settings = {"benchmark": "scenes", "objects": count, **sampler.settings()}
    make_folder(out)
    folders = open_run(out, settings, methods)
    judged_by = fingerprint.sources(*drawn.sources, visor, strict, Path(__file__))

    def judge(key: str, image: Image.Image) -> Record:
        return inspect(image, chains[key.rpartition("_")[0]], drawn)

    found = {}
    for name, options in methods.items():
        records = run_tasks(folders[name], tasks, sampler, options, judge, inspected_by=judged_by, batch=batch, label=f"{count} {name}")
        found[name] = measures([records[i : i + images] for i in range(0, len(records), images)])
    return summarise(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT, choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("out/scenes"))
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    preset = PRESETS[options.model]
    sampler = PipelineSampler(load(options.model), steps=preset.steps, guidance_scale=preset.guidance_scale, call=preset.call)
    parts, results = [], {}
    for count in (3, 4):
        folder = options.out / f"{options.model}-{count}"
        size = {"prompts": options.prompts, "images": options.images, "batch": options.batch}
        results[str(count)] = run(sampler, world(preset.world), preset.config, count, out=folder, **size)
        parts.append(f"{count} objects, {count - 1} relations\n\n{markdown(results[str(count)])}")
    command = f"python -m benchmarks.scenes --model {options.model} --prompts {options.prompts} --images {options.images}"
    page = f"`{options.model}`, {options.prompts} prompts x {options.images} images, {preset.steps} steps. Command: `{command}`.\n\n"
    options.docs.mkdir(parents=True, exist_ok=True)
    write(options.docs / f"scenes-{options.model}.md", page + "\n".join(parts))
    write_json(options.docs / f"scenes-{options.model}.json", results)
    print("\n".join(parts))


if __name__ == "__main__":
    main()
