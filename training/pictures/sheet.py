"""A sheet of 48 pictures of fixed prompts and seeds, with every noun: what is looked at while a model trains, and when it ships.

python -m training.pictures.sheet pictures       makes the sheet of the weights that ship
"""

import argparse

import torch
from PIL import Image

from training.pictures.checkpoints import RUNS

PROMPTS = (
    *("a cat", "a dog", "a red car", "a banana", "a zebra", "a teddy bear", "a pizza", "a traffic light"),
    *("a cat to the left of a dog", "a car above a banana", "an elephant and a laptop", "a bear to the right of a teddy bear"),
    *("a blue book below a clock", "a boat next to a bus", "a person and a horse", "an umbrella near a chair"),
    *("a green apple and an orange", "a donut above a cup", "a giraffe on the left of a cow", "a hot dog and a carrot"),
    *("a cat, a dog and a bird", "a train, a car and a person", "a couch above a tv and a clock", "a cake, a banana and a bear"),
    *("a bird", "a horse", "a cow", "an elephant", "a giraffe", "a sheep", "an airplane", "a laptop"),
    *("a backpack to the left of a suitcase", "a sports ball below a clock", "a wine glass and a cup", "a broccoli above a carrot"),
    *("a sheep next to a cow", "a potted plant to the right of a couch", "a zebra and a giraffe", "a train below an airplane"),
    *("a dog above a teddy bear", "a blue car to the left of a red car", "a cake on top of a chair", "a person below an umbrella"),
    *("a horse to the left of an elephant", "a tv above a couch", "a bus, a boat and a traffic light", "an apple, an orange and a pizza"),
)


@torch.no_grad()
def sheet(pipe, name: str, *, steps: int = 20, guidance_scale: float = 5.0) -> None:
    """Writes `runs/NAME/sheet.png`, in place of the one before."""
    generators = [torch.Generator().manual_seed(k) for k in range(len(PROMPTS))]
    images = pipe(list(PROMPTS), num_inference_steps=steps, guidance_scale=guidance_scale, generator=generators).images
    width, height = images[0].size
    page = Image.new("RGB", (8 * width, len(images) // 8 * height))
    for k, image in enumerate(images):
        page.paste(image, (k % 8 * width, k // 8 * height))
    page.save(RUNS / name / "sheet.png")


if __name__ == "__main__":
    from infsplign.shipped import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("pictures", "pictures-v", "pictures-xl"))
    name = parser.parse_args().name
    sheet(load(name), name)
