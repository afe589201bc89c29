"""The training set of the denoisers: latents and captions of rendered scenes, computed once and kept in `training/cache`."""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from tqdm import tqdm

from infsplign.shapes.world import render, sample_scene
from training.common import CACHE, MODELS, chunks

COUNT, SEED = 48_000, 1


def latents_and_captions() -> tuple[torch.Tensor, list[str]]:
    """`(COUNT, 4, 24, 24)` scaled latents in fp16, and their captions."""
    path, texts = CACHE / "latents.npy", CACHE / "captions.json"
    if not texts.exists():
        _build(path, texts)
    return torch.from_numpy(np.load(path)), json.loads(texts.read_text())


@torch.no_grad()
def _build(path: Path, texts: Path) -> None:
    CACHE.mkdir(exist_ok=True)
    vae = AutoencoderKL.from_pretrained(MODELS / "vae", dtype=torch.float32).eval()
    rng = np.random.default_rng(SEED)
    latents = np.empty((COUNT, 4, 24, 24), np.float16)
    captions = []
    for rows in tqdm(list(chunks(COUNT, 64)), desc="latents", mininterval=5):
        scenes = [sample_scene(rng) for _ in rows]
        x = np.stack([np.asarray(render(scene)) for scene in scenes])
        x = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast("cpu", torch.bfloat16):
            z = vae.encode(x).latent_dist.mode()
        latents[rows.start : rows.stop] = (z.float() * vae.config.scaling_factor).numpy()
        captions += [scene.caption for scene in scenes]
    np.save(path, latents)
    texts.write_text(json.dumps(captions))
