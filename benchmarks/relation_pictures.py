"""One picture of every relation, unguided and guided from the same noise, by a shipped model.

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
from infsplign.config import GuidanceConfig
from infsplign.core.relations import RELATIONS, Relation
from infsplign.shapes import PRESETS, Preset, load
from infsplign.visuals import comparison_sheet

A, B, C = "a star", "a circle", "a heart"
PLACED = "a star and a circle"


def asked(relation: Relation) -> tuple[str, list[tuple[Any, ...]]]:
    """Prompt and relations that show a relation; the model was taught no others than left, right, above and below."""
    if relation.arity == 1:
        return PLACED, [(A, relation.name)]
    if relation.arity == 3:
        return f"{A} and {B} and {C}", [(A, relation.name, (B, C))]
    return PLACED, [(A, relation.name, B)]


def pair(pipe: Any, preset: Preset, relation: Relation, seed: int, config: GuidanceConfig) -> tuple[Image.Image, Image.Image]:
    """The same noise unguided and guided."""
    prompt, triples = asked(relation)
    call = {"num_inference_steps": preset.steps, "guidance_scale": preset.guidance_scale, **preset.call}
    unguided = pipe(prompt, generator=torch.Generator().manual_seed(seed), **call).images[0]
    with infsplign.guide(pipe, prompt, relations=triples, config=config):
        guided = pipe(prompt, generator=torch.Generator().manual_seed(seed), **call).images[0]
    return unguided, guided


def sheet(pairs: Sequence[tuple[Image.Image, Image.Image]], captions: Sequence[str], title: str) -> Image.Image:
    """All pairs, each with its relation above it."""
    unguided, guided = zip(*pairs, strict=True)
    return comparison_sheet({"unguided": unguided, "guided": guided}, title=title, rows=captions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/relations.png"))
    parser.add_argument("--model", default="shapes", choices=tuple(PRESETS))
    parser.add_argument("--only", nargs="*", choices=[relation.name for relation in RELATIONS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, help="eta; that of the model's preset when left out")
    options = parser.parse_args()
    preset, pipe = PRESETS[options.model], load(options.model)
    pipe.set_progress_bar_config(disable=True)
    config = preset.config if options.scale is None else preset.config.with_(scale=options.scale)
    chosen = [relation for relation in RELATIONS if relation.name in (options.only or [relation.name])]
    pairs = [pair(pipe, preset, relation, options.seed, config) for relation in tqdm(chosen)]
    captions = [" ".join([A, r.name, *([B] if r.arity == 2 else [f"{B} and {C}"] if r.arity == 3 else [])]) for r in chosen]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    title = f"What is asked for, unguided and guided: {options.model}, seed {options.seed}, scale {config.scale:g}"
    sheet(pairs, captions, title).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
