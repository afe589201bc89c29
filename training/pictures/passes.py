"""How many malformed drawings pass as good with the detector of pictures, and how many good ones do not.

    python -m training.pictures.passes [--scenes 300]

The damage is that of `training.pictures.damage`, with other seeds than those of training.
"""

import argparse
import json
from dataclasses import replace

import torch
from infsplign_models.world import Sprites, load_sprites, render, sample_scenes
from infsplign_models.world.detector import MALFORMED, MIN_SCORE, decode, network

from training.pictures.damage import BAD, damaged

BATCH, SEED = 25, 2_000_003


@torch.no_grad()
def malformed(count: int) -> dict:
    """What becomes of malformed drawings, one in each of `count` scenes of one object, and of good ones in the same places."""
    sprites, passed, doubted, total = load_sprites(), 0, 0, 0
    for start in range(0, count, BATCH):
        rng = torch.Generator().manual_seed(SEED + start)
        scenes = sample_scenes(sprites, min(BATCH, count - start), SEED + start, counts=(1.0,))
        drawings, degree = damaged(sprites, scenes.sprite[:, 0], rng)
        every = Sprites(torch.cat([sprites.pixels, drawings]), sprites.noun, sprites.colours)
        wrong = replace(scenes, sprite=torch.arange(len(scenes))[:, None] + len(sprites.noun))
        for k, drawn in enumerate((scenes, wrong)):
            found = decode(*network()(2 * render(drawn, every)[0] - 1), min_score=MIN_SCORE)
            good = torch.tensor([any(name != MALFORMED for name, _, _ in row) for row in found])
            if k:
                passed += int((good & (degree == BAD)).sum())
                total += int((degree == BAD).sum())
            else:
                doubted += int((~good).sum())
    return {"malformed": total, "passed": passed / total, "good": count, "doubted": doubted / count}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=300)
    print(json.dumps(malformed(parser.parse_args().scenes)))
