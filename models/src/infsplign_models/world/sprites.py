"""The drawings of the nouns: one RGBA picture with all of them, which ships with this package."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

FOLDER = Path(__file__).parent
SIDE = 64
"""Width and height of a drawing in pixels."""


@dataclass(frozen=True)
class Sprites:
    """All drawings, and which noun each draws.

    Attributes:
        pixels: (S, 4, SIDE, SIDE), colours times alpha, then alpha, in [0, 1].
        noun: (S,) number of the noun in `NOUNS`.
        colours: for each drawing its colour word, or "".
    """

    pixels: Tensor
    noun: Tensor
    colours: tuple[str, ...]

    def to(self, device: torch.device | str) -> "Sprites":
        return Sprites(self.pixels.to(device), self.noun.to(device), self.colours)


@cache
def load_sprites() -> Sprites:
    """Reads `sprites.png` and `sprites.json`, made by `training.pictures.sprites` from the artwork."""
    facts = json.loads((FOLDER / "sprites.json").read_text())
    sheet = np.asarray(Image.open(FOLDER / "sprites.png").convert("RGBA"), np.float32) / 255
    rows, columns = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
    cells = sheet.reshape(rows, SIDE, columns, SIDE, 4).transpose(0, 2, 4, 1, 3).reshape(-1, 4, SIDE, SIDE)[: len(facts)]
    pixels = torch.from_numpy(cells.copy())
    pixels[:, :3] *= pixels[:, 3:]
    return Sprites(pixels, torch.tensor([f["noun"] for f in facts]), tuple(f["colour"] for f in facts))
