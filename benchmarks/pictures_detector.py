"""How well the detector of the world of pictures sees: precision, recall and centres on scenes with known truth.

    python -m benchmarks.pictures_detector --scenes 2000

On two kinds of scenes: those of `sample_scenes`, and those that the models are trained on. Each as composed, and encoded and decoded by
the shipped autoencoder. Writes docs/measured/pictures-detector.md. Malformed drawings: `python -m training.pictures.passes`.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from diffusers import AutoencoderKL
from infsplign_models import WEIGHTS
from infsplign_models.world import NAMES, load_sprites, render, sample_scenes
from infsplign_models.world.detector import MIN_SCORE, SEEN, Found, decode, network
from infsplign_models.world.scenes import boxes
from torch import Tensor
from tqdm import tqdm

from infsplign.evaluation.files import write, write_json

SEED = 2_000_003
"""Far from the seeds of training."""
BATCH = 25
CLOSE = 12.0
"""Largest distance in pixels of a detection's centre from that of the object that it matches."""
SCENES = {
    "counts": (0.2, 0.6, 0.15, 0.05),
    "smallest": 48.0,
    "turn": 0.06,
    "often": dict.fromkeys(("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "zebra", "giraffe"), 1.8),
}
"""Those that the models are trained on, the same as in `training.pictures.data`."""
Truth = list[tuple[str, float, float]]


def scenes_and_truth(count: int, seed: int, kind: Mapping = MappingProxyType({})) -> tuple[Tensor, list[Truth]]:
    """Pictures (count, 3, H, W) in [0, 1], and the name and the box's centre of each object; `kind` is for `sample_scenes`."""
    sprites = load_sprites()
    scenes = sample_scenes(sprites, count, seed, **kind)
    pictures, opacity = render(scenes, sprites)
    middle = (boxes(opacity)[..., :2] + boxes(opacity)[..., 2:]) / 2
    rows = []
    for row in range(count):
        there = scenes.there[row].nonzero().flatten().tolist()
        nouns = [NAMES[int(sprites.noun[scenes.sprite[row, slot]])] for slot in there]
        rows.append([(noun, *middle[row, slot].tolist()) for noun, slot in zip(nouns, there, strict=True)])
    return pictures, rows


def autoencoder() -> Callable[[Tensor], Tensor]:
    """Sends pictures in [-1, 1] through the shipped autoencoder and back."""
    vae = AutoencoderKL.from_pretrained(WEIGHTS / "vae", torch_dtype=torch.float32, local_files_only=True).eval()
    return lambda x: vae.decode(vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1)


def compare(truth: Truth, found: list[Found]) -> dict[str, list]:
    """Matches each object with the nearest detection of its name."""
    free = list(found)
    errors, missed = [], []
    for name, x, y in truth:
        near = [(float(np.hypot((b[0] + b[2]) / 2 - x, (b[1] + b[3]) / 2 - y)), f) for f in free for b in [f[2]] if f[0] == name]
        near = [pair for pair in near if pair[1][1] >= MIN_SCORE and pair[0] <= CLOSE]
        if near:
            best = min(near, key=lambda pair: pair[0])
            free.remove(best[1])
            errors.append(best[0])
        else:
            missed.append(name)
    return {"errors": errors, "missed": missed, "wrong": [f[0] for f in free if f[1] >= MIN_SCORE], "extra": [f[0] for f in free]}


@torch.no_grad()
def measure(count: int, kind: Mapping, through: Callable[[Tensor], Tensor] | None = None) -> dict:
    """Precision, recall and centres over `count` scenes of a kind; `through` changes the pictures before they are looked at."""
    objects, exact, errors, missed, wrong = 0, 0, [], [], []
    for start in tqdm(range(0, count, BATCH), desc="scenes", unit_scale=BATCH):
        pictures, truths = scenes_and_truth(min(BATCH, count - start), SEED + start, kind)
        x = 2 * pictures - 1
        for truth, found in zip(truths, decode(*network()(through(x) if through else x), min_score=SEEN), strict=True):
            seen = compare(truth, found)
            objects += len(truth)
            errors += seen["errors"]
            missed += seen["missed"]
            wrong += seen["wrong"]
            exact += not seen["missed"] and not seen["extra"]
    return {
        "scenes": count,
        "objects": objects,
        "precision": len(errors) / (len(errors) + len(wrong)),
        "recall": len(errors) / objects,
        "centre_error_mean": float(np.mean(errors)),
        "centre_error_p99": float(np.quantile(errors, 0.99)),
        "seen_exactly": exact / count,
        "missed": {name: missed.count(name) for name in sorted(set(missed))},
        "wrong": {name: wrong.count(name) for name in sorted(set(wrong))},
    }


def page(found: dict[str, dict], count: int) -> str:
    """The results as a page."""
    lines = [
        "# The detector of the world of pictures",
        "",
        f"{count} composed scenes that no training saw. Command: `python -m benchmarks.pictures_detector --scenes {count}`.",
        f"An object is found where a detection of its name with a score of at least {MIN_SCORE} has its centre within {CLOSE:g} pixels.",
        f'"Exactly": all objects are found, and nothing else scores {SEEN} or more.',
        "",
        "| scenes | objects | precision, % | recall, % | centre error, mean px | p99 px | exactly, % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        figures = [f"{100 * row['precision']:.2f}", f"{100 * row['recall']:.2f}", f"{row['centre_error_mean']:.2f}"]
        figures += [f"{row['centre_error_p99']:.2f}", f"{100 * row['seen_exactly']:.1f}"]
        lines.append(f"| {' | '.join([name, str(row['objects']), *figures])} |")
    lines.append("")
    for name, row in found.items():
        for kind in ("missed", "wrong"):
            lines.append(f"{name}, {kind}: {', '.join(f'{noun} {n}' for noun, n in row[kind].items()) or 'none'}.\n")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--docs", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    through, found = autoencoder(), {}
    for name, kind in (("scenes of all sizes", {}), ("scenes that models are trained on", SCENES)):
        found[name] = measure(options.scenes, kind)
        found[f"{name}, through the autoencoder"] = measure(options.scenes, kind, through)
    write_json(options.docs / "pictures-detector.json", found)
    write(options.docs / "pictures-detector.md", page(found, options.scenes))
    print(page(found, options.scenes))


if __name__ == "__main__":
    main()
