"""How often does each of the 24 relations hold in the pictures of a shipped model, unguided and guided?

python -m benchmarks.relations --model shapes --images 16        (ten minutes on one core; interrupted, it goes on)

Each relation gets `--images` prompts of its own, objects drawn at random. A picture is right when each object is there and the relation's
equation (`infsplign.core.spatial`) holds of the boxes of the best detections. The same noise unguided and guided. Nothing is chosen by it.
"""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from benchmarks.relation_pictures import asked
from infsplign.core import observe, scene_arrays, spatial
from infsplign.core.relations import Relation
from infsplign.core.scenes import Scene
from infsplign.core.spatial import holds
from infsplign.core.spellings import RELATIONS
from infsplign.detection import Detection
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.config_file import to_json
from infsplign.evaluation import fingerprint
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.pipelines.guide import guide
from infsplign.shipped import DEFAULT, PRESETS, World, load, world

SIDE = 96
"""Cells of a side of the maps that boxes are drawn into."""


def box_map(box: Sequence[float], size: tuple[int, int]) -> np.ndarray:
    """A map (SIDE, SIDE) that is 1 within a box of a picture of `size` (width, height), and 0 elsewhere."""
    cells = (np.arange(SIDE) + 0.5) / SIDE
    x0, y0, x1, y1 = (value / size[number % 2] for number, value in enumerate(box))
    return np.outer((cells >= y0) & (cells < y1), (cells >= x0) & (cells < x1)).astype(float)


def judged(found: Sequence[Detection], size: tuple[int, int], triples: Sequence[Any]) -> tuple[bool, bool]:
    """Whether all objects of the relation are there, and whether it holds of their best detections."""
    scene = Scene.of(triples)
    best = [max((d for d in found if d.name == name), key=lambda d: d.score, default=None) for name in scene.objects]
    boxes = [d.box for d in best if d is not None]
    if len(boxes) < len(best):
        return False, False
    maps = np.stack([box_map(box, size) for box in boxes])[None]
    return True, bool(holds(observe(maps), scene_arrays([scene], xp=np))[0, 0])


def prompts(relation: Relation, count: int, nouns: Sequence[str]) -> list[tuple[str, list[tuple[Any, ...]], int]]:
    """Prompt, relations and seed of each picture of a relation between some of the nouns."""
    rng = random.Random(f"relations {relation.name}")
    names = [name for name in nouns if " " not in name]
    return [(*asked(relation, rng.sample(names, 3)), rng.randrange(2**31)) for _ in range(count)]


def images(sampler: PipelineSampler, wanted: Sequence[Any], config: GuidanceConfig | None) -> list[Image.Image]:
    texts, triples, seeds = map(list, zip(*wanted, strict=True))
    if config is None:
        return list(sampler(texts, seeds, None))
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    given = {"num_inference_steps": sampler.steps, "guidance_scale": sampler.guidance_scale, "generator": generators}
    with guide(sampler.pipe, texts, relations=triples, config=config):
        return sampler.pipe(texts, **given, **sampler.call).images


def measured(sampler: PipelineSampler, drawn: World, relation: Relation, count: int, config: GuidanceConfig) -> dict[str, dict[str, int]]:
    """Of `count` pictures: how many show all objects, and in how many the relation holds."""
    wanted, found = prompts(relation, count, drawn.nouns), {}
    for method, options in (("unguided", None), ("infsplign", config)):
        rows = []
        made = images(sampler, wanted, options)
        for image, seen, (_, triples, _) in zip(made, drawn.detect(made), wanted, strict=True):
            rows.append(judged([d for d in seen if d.score >= drawn.min_score], image.size, triples))
        found[method] = {"images": count, "there": sum(r[0] for r in rows), "holds": sum(r[1] for r in rows)}
    return found


def table(record: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """A row a relation; "of those" is what the relation is worth where its objects are there."""
    lines = ["| relation | pictures | objects there, unguided | guided | holds, unguided | guided |", "|---" * 6 + "|"]
    for name, found in record.items():
        plain, guided = found["unguided"], found["infsplign"]
        figures = [plain["images"], plain["there"], guided["there"], plain["holds"], guided["holds"]]
        lines.append(f"| {name} | " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines) + "\n"


def measured_by(sampler: PipelineSampler, config: GuidanceConfig, drawn: World) -> dict[str, Any]:
    """All that decides the figures: options, model, steps, the code of guidance, and that of the judges."""
    judges = fingerprint.sources(*drawn.sources, spatial, Path(__file__))
    return {"options": to_json(config), "sampler": fingerprint.plain(sampler.settings()), "judged_by": judges}


def kept(path: Path, by: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured by the same; nothing otherwise."""
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found["relations"] if found.get("by") == json.loads(json.dumps(by)) else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT, choices=tuple(PRESETS))
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--again", action="store_true", help="forget what has been measured")
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    preset, path = PRESETS[options.model], options.docs / f"relations-{options.model}.json"
    sampler = PipelineSampler(load(options.model), steps=preset.steps, guidance_scale=preset.guidance_scale, call=preset.call)
    sampler.pipe.set_progress_bar_config(disable=True)
    by = measured_by(sampler, preset.config, world(preset.world))
    record = {} if options.again else kept(path, by)
    options.docs.mkdir(parents=True, exist_ok=True)
    for relation in tqdm(RELATIONS):
        if record.get(relation.name, {}).get("unguided", {}).get("images") != options.images:
            record[relation.name] = measured(sampler, world(preset.world), relation, options.images, preset.config)
            write_json(path, {"by": by, "relations": record})
    command = f"python -m benchmarks.relations --model {options.model} --images {options.images}"
    head = f"`{options.model}`, {preset.steps} steps. Command: `{command}`.\n\n"
    write(path.with_suffix(".md"), head + table(record))
    print(table(record))


if __name__ == "__main__":
    main()
