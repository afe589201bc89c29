"""How long it takes to generate SR2D and to score recorded detections of all of it: 101,120 images.

    python -m benchmarks.scoring

Detections are drawn at random; nothing is read but the file of detections, which is written first.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infsplign.detection import Detection
from infsplign.evaluation.detectors import ImageDetections
from infsplign.evaluation.detectors.recorded import Recording, Seen, read_recording, write_recording
from infsplign.evaluation.prompts import spatial, sr2d
from infsplign.evaluation.scoring.benchmarks import BENCHMARKS
from infsplign.evaluation.scoring.score_images import score_recording


def drawn(prompts: list, images: int, seed: int = 0) -> Recording:
    """For each image up to six boxes of the two objects asked for."""
    rng = np.random.default_rng(seed)
    recording = Recording({"name": "random", "threshold": 0.1})
    for prompt in prompts:
        for number in range(images):
            count = int(rng.integers(7))
            names = rng.choice([prompt.first, prompt.second], size=count)
            x, y, width, height = rng.uniform(0, 256, size=(4, count))
            boxes = np.stack([x, y, x + width, y + height], 1).tolist()
            scores = sorted(rng.uniform(0.1, 1, size=count).tolist(), reverse=True)
            found = tuple(Detection(str(name), score, tuple(box)) for name, score, box in zip(names, scores, boxes, strict=True))
            recording.images[f"{prompt.id}_{number:02d}"] = Seen(ImageDetections((512, 512), found), (prompt.first, prompt.second))
    return recording


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Does it and says how long it took."""
    start = time.perf_counter()
    result = work()
    print(f"{time.perf_counter() - start:6.2f} s  {what}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4, help="images a prompt")
    images = parser.parse_args().images
    every = timed("generate SR2D, 31,680 prompts", sr2d)
    prompts = spatial(every)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detections.json"
        write_recording(path, drawn(prompts, images))
        size = path.stat().st_size / 1e6
        recording = timed(f"read the detections of {images * len(prompts):,} images, {size:.0f} MB", lambda: read_recording(path))
        for name in ("visor", "t2i", "geneval"):
            judge = partial(score_recording, name, prompts, recording, label="x", threshold=BENCHMARKS[name].threshold)
            scored = timed(f"{name}: judge", judge)
            results = timed(f"{name}: intervals of 10,000 resamples, and each relation", scored.results)
            timed(f"{name}: write", partial(scored.write, Path(folder) / "out", results))


if __name__ == "__main__":
    main()
