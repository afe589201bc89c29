"""Puts the averaged weights of a training into the package of models, in half precision.

python -m training.pictures.ship pictures      (or pictures-v, pictures-xl)

The autoencoder, the tokenizer and the text encoder of `pictures` are kept once, for all models.
"""

import argparse
import json
import shutil

import torch
from diffusers import DiffusionPipeline

from training.common import CACHE
from training.pictures.checkpoints import WEIGHTS
from training.text import name_as_published

SHARED = ("vae", "tokenizer", "tokenizer_2")
"""Components that `infsplign.shipped.PRESETS` names folders of their own for; the text encoder is that of `pictures` in all models."""


def ship(name: str) -> None:
    """Copies the latest pipeline of a training to the weights that ship."""
    folder = WEIGHTS / name
    pipe = DiffusionPipeline.from_pretrained(CACHE / name, dtype=torch.float16, local_files_only=True)
    shutil.rmtree(folder, ignore_errors=True)
    pipe.save_pretrained(folder)
    for part in SHARED if name == "pictures" else (*SHARED, "text_encoder"):
        shutil.rmtree(folder / part, ignore_errors=True)
    if (folder / "text_encoder").exists():
        name_as_published(folder / "text_encoder")
    for path in folder.rglob("*.json"):  # the path of this machine's cache is of no use to anyone
        kept = json.loads(path.read_text("utf-8"))
        if kept.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("pictures", "pictures-v", "pictures-xl"))
    ship(parser.parse_args().name)
