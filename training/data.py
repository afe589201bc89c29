"""The training set of the denoisers: latents and captions of rendered scenes, computed once and kept in `training/cache`."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
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


def _build(path: Path, texts: Path) -> None:
    CACHE.mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED)
    latents = np.empty((COUNT, 4, 24, 24), np.float16)
    captions: list[str] = []

    def pictures() -> Iterator[np.ndarray]:
        for rows in chunks(COUNT, 64):
            scenes = [sample_scene(rng) for _ in rows]
            captions.extend(scene.caption for scene in scenes)
            yield np.stack([np.asarray(render(scene)) for scene in scenes])

    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        encoded = pool.map(_encode, pictures())
        for rows in tqdm(list(chunks(COUNT, 64)), desc="latents", mininterval=5):
            latents[rows.start : rows.stop] = next(encoded)
    np.save(path, latents)
    texts.write_text(json.dumps(captions))


@cache
def _vae() -> AutoencoderKL:
    torch.set_num_threads(1)
    return AutoencoderKL.from_pretrained(MODELS / "vae", dtype=torch.float32).eval().to(memory_format=torch.channels_last)


@torch.no_grad()
def _encode(pictures: np.ndarray) -> np.ndarray:
    """(n, 96, 96, 3) bytes to scaled latents. In float32: bfloat16 takes seven times as long on a processor that has none."""
    vae = _vae()
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return (vae.encode(x).latent_dist.mode() * vae.config.scaling_factor).half().numpy()
