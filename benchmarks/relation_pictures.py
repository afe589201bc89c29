"""One picture of every relation, unguided and guided from the same noise, by a shipped model.

The seed is the first one whose unguided picture shows every object; the guided one is not looked at.

python -m benchmarks.relation_pictures --out docs/images/relations.png      (--only near inside: some relations; --seed, --model)
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

import infsplign
from infsplign.core.relations import Relation
from infsplign.core.scenes import Scene
from infsplign.core.spellings import RELATIONS
from infsplign.engine.config import GuidanceConfig
from infsplign.shipped import DEFAULT, PRESETS, Preset, load, world
from infsplign.shipped.worlds import article
from infsplign.visuals import comparison_sheet

TRIES = 16
NAMES = {"shapes": ("circle", "square", "heart"), "pictures": ("cat", "car", "banana")}
"""The objects of the pictures, by world."""


def asked(relation: Relation, names: Sequence[str]) -> tuple[str, list[tuple[Any, ...]]]:
    """Prompt and relations that show a relation, between the first of `names`.

    The words alone place nothing: where captions named places, these were drawn at random.
    """
    first, second, third = names
    a, b, c = (f"{article(name)} {name}" for name in names)
    if relation.arity == 1:
        return f"{a} {relation.name}", [(first, relation.name)]
    if relation.arity == 3:
        return f"{a} {relation.name} {b} and {c}", [(first, relation.name, (second, third))]
    return f"{a} {relation.name} {b}", [(first, relation.name, second)]


def pair(pipe: Any, preset: Preset, relation: Relation, seed: int, config: GuidanceConfig) -> tuple[int, Image.Image, Image.Image]:
    """The same noise unguided and guided: of the first seed from `seed` on whose unguided picture shows every object."""
    (prompt, triples), drawn = asked(relation, NAMES[preset.world]), world(preset.world)
    call = {"num_inference_steps": preset.steps, "guidance_scale": preset.guidance_scale, **preset.call}
    named = Scene.of(triples).objects
    for number in range(seed, seed + TRIES):
        unguided = pipe(prompt, generator=torch.Generator().manual_seed(number), **call).images[0]
        (seen,) = drawn.detect([unguided])
        if {found.name for found in seen if found.score >= drawn.min_score} >= set(named):
            break
    with infsplign.guide(pipe, prompt, relations=triples, config=config):
        guided = pipe(prompt, generator=torch.Generator().manual_seed(number), **call).images[0]
    return number, unguided, guided


def sheet(
    relations: Sequence[Relation], names: Sequence[str], pairs: Sequence[tuple[int, Image.Image, Image.Image]], title: str
) -> Image.Image:
    """All pairs, each with its prompt and seed above it."""
    captions = [f"{asked(relation, names)[0]}, seed {number}" for relation, (number, *_) in zip(relations, pairs, strict=True)]
    _, unguided, guided = zip(*pairs, strict=True)
    return comparison_sheet({"unguided": unguided, "guided": guided}, title=title, rows=captions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/relations.png"))
    parser.add_argument("--model", default=DEFAULT, choices=tuple(PRESETS))
    parser.add_argument("--only", nargs="*", choices=[relation.name for relation in RELATIONS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, help="eta; that of the model's preset when left out")
    options = parser.parse_args()
    preset, pipe = PRESETS[options.model], load(options.model)
    pipe.set_progress_bar_config(disable=True)
    config = preset.config if options.scale is None else preset.config.with_(scale=options.scale)
    chosen = [relation for relation in RELATIONS if relation.name in (options.only or [relation.name])]
    pairs = [pair(pipe, preset, relation, options.seed, config) for relation in tqdm(chosen)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    title = f"Every relation, unguided and guided from the same noise: {options.model}, scale {config.scale:g}"
    sheet(chosen, NAMES[preset.world], pairs, title).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
