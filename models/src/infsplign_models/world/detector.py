"""The detector of the world of pictures: a small network that finds every drawing, whole or not.

A centre detector (Objects as Points, arXiv 1904.07850): for each of 32 x 32 cells and each noun the chance that an object's middle lies
there, and the distances from the cell to the sides of its box. One more class, "malformed", is for things that are there but are not well
drawn: bent, half, doubled, mixed, blurred. It was trained on composed scenes alone, never on pictures of a model that it judges.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from infsplign_models.world.nouns import NAMES
from infsplign_models.world.scenes import SIZE

MALFORMED = "malformed"
CLASSES: tuple[str, ...] = (*NAMES, MALFORMED)
CELL = 4
"""Pixels a cell."""
MIN_SCORE = 0.35
"""Least score that counts as found; chosen on composed scenes and on labels of generated images."""
SEEN = 0.2
"""Least score of what is there at all: an extra thing above it spoils a picture, whatever it is."""
OVERLAP = 0.45
"""Of two boxes that overlap more than this (IoU) the one with the lower score goes."""
WEIGHTS = Path(__file__).parent / "detector.safetensors"


Found = tuple[str, float, tuple[float, ...]]
"""Name, score in [0, 1], and box (x0, y0, x1, y1)."""


class Block(nn.Module):
    """Two convolutions and a short cut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norm_first, self.norm_second = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm_second(self.second(F.relu(self.norm_first(self.first(x))))))


def _down(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU())


class Network(nn.Module):
    """Pictures (B, 3, SIZE, SIZE) in [-1, 1] to class logits (B, C, 32, 32) and log distances to the sides (B, 4, 32, 32)."""

    def __init__(self, widths: tuple[int, int, int, int] = (16, 48, 80, 112)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = _down(3, a)
        self.quarters = nn.Sequential(_down(a, b), Block(b))
        self.eighths = nn.Sequential(_down(b, c), Block(c), Block(c))
        self.sixteenths = nn.Sequential(_down(c, d), Block(d), Block(d))
        self.from_sixteenth, self.from_eighth = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1)
        self.merged_eighth, self.merged_quarter = Block(c), Block(b)
        last = nn.Conv2d(64, len(CLASSES), 1)
        last.bias = nn.Parameter(torch.full((len(CLASSES),), -5.0))  # almost every cell is empty
        self.classes = nn.Sequential(nn.Conv2d(b, 64, 3, padding=1), nn.ReLU(), last)
        self.sides = nn.Sequential(nn.Conv2d(b, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 4, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.quarters(self.stem(x))
        eighth = self.eighths(quarter)
        sixteenth = self.sixteenths(eighth)
        eighth = self.merged_eighth(eighth + F.interpolate(self.from_sixteenth(sixteenth), scale_factor=2))
        quarter = self.merged_quarter(quarter + F.interpolate(self.from_eighth(eighth), scale_factor=2))
        return self.classes(quarter), self.sides(quarter)


@cache
def network() -> Network:
    """The trained network, on the CPU."""
    from safetensors.torch import load_file

    model = Network()
    model.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return model.eval()


@torch.no_grad()
def detect(images: Sequence[Image.Image], *, min_score: float = MIN_SCORE, model: Network | None = None) -> list[list[Found]]:
    """Finds all objects of each image, boxes in pixels of the image, best score first.

    Args:
        images: of any size; each is looked at as if it were SIZE x SIZE.
        min_score: least score of what is returned, in [0, 1].
        model: another network than the one that ships.
    """
    if not images:
        return []
    small = [np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for image in images]
    x = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1
    found = decode(*(model or network())(x), min_score=min_score)
    return [
        [(name, score, tuple(v * side / SIZE for v, side in zip(box, image.size * 2, strict=True))) for name, score, box in row]
        for row, image in zip(found, images, strict=True)
    ]


def decode(logits: Tensor, sides: Tensor, *, min_score: float) -> list[list[Found]]:
    """Peaks of the class maps as boxes in pixels of SIZE x SIZE, without those that overlap a better one."""
    scores = logits.sigmoid()
    scores = scores * (scores == F.max_pool2d(scores, 3, 1, 1))
    middle = (torch.arange(logits.shape[-1], device=logits.device) + 0.5) * CELL
    reach = sides.clamp(max=5).exp()
    x0, x1 = middle[None, None, :] - reach[:, 0], middle[None, None, :] + reach[:, 2]
    y0, y1 = middle[None, :, None] - reach[:, 1], middle[None, :, None] + reach[:, 3]
    boxes = torch.stack([x0, y0, x1, y1], -1)
    rows = []
    for score, box in zip(scores, boxes, strict=True):
        kind, y, x = (score > min_score).nonzero(as_tuple=True)
        rows.append(_apart(score[kind, y, x], box[y, x], kind))
    return rows


def _apart(scores: Tensor, boxes: Tensor, kinds: Tensor) -> list[Found]:
    """Non-maximum suppression over all classes: one thing is one object, whichever noun suits it best."""
    kept: list[int] = []
    for k in scores.argsort(descending=True).tolist():
        if all(_overlap(boxes[k], boxes[j]) <= OVERLAP for j in kept):
            kept.append(k)
    return [(CLASSES[int(kinds[k])], float(scores[k]), tuple(boxes[k].tolist())) for k in kept]


def _overlap(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two boxes (4,)."""
    low, high = torch.maximum(a[:2], b[:2]), torch.minimum(a[2:], b[2:])
    common = float((high - low).clamp(min=0).prod())
    return common / (float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - common + 1e-6)
