"""The training set of the denoisers: latents and captions of composed scenes, computed once and kept in `training/cache`."""

import json
import os

import torch
from infsplign_models.world import captions, load_sprites, render, sample_scenes
from torch import Tensor
from tqdm import tqdm

from training.common import CACHE
from training.pictures.vae import load_vae

COUNT, BATCH, SEED = 24_576, 64, 2_000_000
SCENES = {
    "counts": (0.2, 0.6, 0.15, 0.05),
    "smallest": 48.0,
    "turn": 0.06,
    "often": dict.fromkeys(("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "zebra", "giraffe"), 1.8),
}
"""Large and upright drawings, and more of the animals, which a small model learns last."""
CAPTIONS = 4
"""Captions of each scene, one of which is drawn each time it is seen."""


def latents_and_captions(device: str, count: int = COUNT) -> tuple[Tensor, list[list[str]]]:
    """`(count, 12, 16, 16)` scaled latents in float16, and `CAPTIONS` captions of each."""
    path, texts = CACHE / "pictures-latents.pt", CACHE / "pictures-captions.json"
    if not texts.exists():
        _build(path, texts, device, count)
    return torch.load(path, weights_only=True).to(device), json.loads(texts.read_text())


@torch.no_grad()
def _build(path, texts, device: str, count: int) -> None:
    """Goes on where it was interrupted, in stretches of 4096 scenes."""
    CACHE.mkdir(exist_ok=True)
    vae = load_vae().to(device, memory_format=torch.channels_last).eval()
    sprites = load_sprites().to(device)
    parts, said = [], []
    for start in tqdm(range(0, count, 4096), desc="latents"):
        part = CACHE / f"pictures-latents-{start}.pt"
        rows = [sample_scenes(sprites, BATCH, SEED + start + k, **SCENES) for k in range(0, 4096, BATCH)]
        for scenes in rows:
            several = [captions(scenes, sprites, scenes.seed + n) for n in range(CAPTIONS)]
            said.extend([list(row) for row in zip(*several, strict=True)])
        if not part.exists():
            encoded = []
            for scenes in rows:
                x = (2 * render(scenes, sprites)[0] - 1).contiguous(memory_format=torch.channels_last)
                with torch.autocast(device, torch.bfloat16):
                    encoded.append((vae.encode(x).latent_dist.mode().float() * vae.config.scaling_factor).half().cpu())
            torch.save(torch.cat(encoded), part)
        parts.append(part)
    torch.save(torch.cat([torch.load(part, weights_only=True) for part in parts]).contiguous(), path)
    texts.write_text(json.dumps(said))
    for part in parts:
        os.remove(part)


if __name__ == "__main__":
    latents, _ = latents_and_captions("cuda" if torch.cuda.is_available() else "cpu")
    x = latents.float()
    print(tuple(x.shape), "mean", float(x.mean()), "std by channel", x.std((0, 2, 3)).tolist())
