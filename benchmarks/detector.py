"""How well the shapes world's detector sees: precision, recall and centres on scenes with known truth.

    python -m benchmarks.detector --scenes 2000

Twice: on scenes as rendered, and on the same scenes encoded and decoded by the shipped autoencoder. What a model samples has
passed that decoder, which softens edges, so the second is the accuracy that bears on an evaluation.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from infsplign.shapes.detector import MIN_SCORE, Detection, detect
from infsplign.shapes.nouns import NAMES
from infsplign.shapes.world import Scene, render, sample_scene

SEED = 2_000_003
"""Far from the seeds of training."""


@dataclass
class Tally:
    """Counts over scenes; `errors` are the distances of matched centres in pixels."""

    objects: int = 0
    detected: int = 0
    matched: int = 0
    extra_blobs: int = 0
    errors: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float | int | None]:
        """Precision, recall and centre error; None where undefined."""
        return {
            "objects": self.objects,
            "detected": self.detected,
            "precision": self.matched / self.detected if self.detected else None,
            "recall": self.matched / self.objects if self.objects else None,
            "centre_error_mean": float(np.mean(self.errors)) if self.errors else None,
            "centre_error_p99": float(np.quantile(self.errors, 0.99)) if self.errors else None,
            "extra_blobs": self.extra_blobs,
        }


def compare(scene: Scene, blobs: list[Detection], tallies: dict[str, Tally]) -> int:
    """Adds one scene to the tallies of its nouns and returns its number of extra blobs.

    An object is matched by the nearest detection of its name, when that lies within half the object's size; every blob that
    matches nothing is extra, whatever its score.
    """
    free = list(blobs)
    for placed in scene.objects:
        tallies[placed.name].objects += 1
        named = [blob for blob in free if blob.name == placed.name and blob.score >= MIN_SCORE]
        if not named:
            continue
        distances = [float(np.hypot(*np.subtract(blob.centre, placed.centre))) for blob in named]
        if min(distances) <= placed.size / 2:
            nearest = named[int(np.argmin(distances))]
            free.remove(nearest)
            tallies[placed.name].matched += 1
            tallies[placed.name].errors.append(min(distances))
    for blob in blobs:
        tallies[blob.name].detected += blob.score >= MIN_SCORE
    for blob in free:
        tallies[blob.name].extra_blobs += 1
    return len(free)


def decoder() -> Callable[[Image.Image], Image.Image]:
    """Sends a picture through the shipped autoencoder and back."""
    import torch
    from diffusers import AutoencoderKL
    from infsplign_models import WEIGHTS

    vae = AutoencoderKL.from_pretrained(WEIGHTS / "shapes" / "vae", torch_dtype=torch.float32, local_files_only=True).eval()

    @torch.no_grad()
    def through(picture: Image.Image) -> Image.Image:
        x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
        y = vae.decode(vae.encode(x).latent_dist.mode()).sample[0].clamp(-1, 1)
        return Image.fromarray(((y + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())

    return through


def measure(scenes: int, *, seed: int = SEED, through: Callable[[Image.Image], Image.Image] | None = None, progress: bool = False) -> dict:
    """Renders scenes, scene `i` from seed `(seed, i)`, and compares what the detector sees with what was drawn.

    `through`, where given, changes each picture before the detector sees it.
    """
    tallies = {name: Tally() for name in NAMES}
    cluttered = perfect = 0
    for number in tqdm(range(scenes), desc="detector", unit="scene", disable=not progress):
        scene = sample_scene(np.random.default_rng((seed, number)))
        picture = render(scene)
        blobs = detect(through(picture) if through else picture)
        extra = compare(scene, blobs, tallies)
        cluttered += extra > 0
        perfect += not extra and len(blobs) == len(scene.objects)
    every = Tally(*(sum(getattr(t, name) for t in tallies.values()) for name in ("objects", "detected", "matched", "extra_blobs")))
    every.errors = [error for tally in tallies.values() for error in tally.errors]
    return {
        "scenes": scenes,
        "seed": seed,
        "min_score": MIN_SCORE,
        "scenes_with_extra_blobs": cluttered,
        "scenes_seen_exactly": perfect,
        "all": every.summary(),
        "nouns": {name: tally.summary() for name, tally in tallies.items()},
    }


def table(results: dict, kind: str = "rendered") -> str:
    """The results as a markdown table, one row a noun."""
    lines = [
        f"{results['scenes']} {kind} scenes; {results['scenes_seen_exactly']} are seen exactly as drawn, "
        f"{results['scenes_with_extra_blobs']} with an extra blob (of any score).",
        "",
        "| noun | objects | precision, % | recall, % | centre error, mean px | p99 px | extra blobs |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in [("all", results["all"]), *results["nouns"].items()]:
        percent = [_number(row[key], 100, 2) for key in ("precision", "recall")]
        pixels = [_number(row[key], 1, 2) for key in ("centre_error_mean", "centre_error_p99")]
        lines.append(f"| {' | '.join([name, str(row['objects']), *percent, *pixels, str(row['extra_blobs'])])} |")
    return "\n".join(lines) + "\n"


def _number(x: float | None, factor: float, digits: int) -> str:
    return "–" if x is None else f"{factor * x:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("docs/measured"))
    options = parser.parse_args()
    if options.scenes < 1:
        parser.error(f"--scenes must be >= 1, got {options.scenes}")
    options.out.mkdir(parents=True, exist_ok=True)
    kinds = {"rendered": None, "encoded and decoded": decoder()}
    results = {kind: measure(options.scenes, through=through, progress=True) for kind, through in kinds.items()}
    text = "\n".join(table(result, kind) for kind, result in results.items())
    (options.out / "detector.json").write_text(json.dumps(results, indent=1) + "\n")
    (options.out / "detector.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
