"""Pictures of attention as ComfyUI's IMAGE: (images, height, width, 3) in [0, 1]."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from infsplign.core.scenes import Scene
from infsplign.engine.trace import StepTrace

COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
"""Okabe and Ito's palette, as in `infsplign.visuals`."""
CELL, GAP, LABEL, COLUMNS = 160, 8, 26, 6
INK = (31, 35, 40)


def attention_pictures(trace: Sequence[StepTrace], scene: Scene, images: int) -> Tensor:
    """Draws the attention of each object (rows) at several guided steps (columns), with its centroid.

    Args:
        trace: steps with maps; the others are left out.
        scene: whose objects name the rows.
        images: how many pictures to return where no step has maps.

    Returns:
        (B, H, W, 3), one picture for each image of the batch; without maps, a line that says so.
    """
    steps = [step for step in trace if step.maps]
    if not steps:
        return torch.stack([_tensor(_empty())] * images)
    chosen = [steps[number] for number in sorted({round(i) for i in np.linspace(0, len(steps) - 1, min(COLUMNS, len(steps)))})]
    return torch.stack([_tensor(_picture(chosen, scene, row)) for row in range(len(steps[0].maps[0]))])


def _picture(steps: Sequence[StepTrace], scene: Scene, row: int) -> Image.Image:
    densities = [[_density(step, row, number) for step in steps] for number in range(len(scene.objects))]
    height, width = densities[0][0].shape
    size = round(CELL * width / max(width, height)), round(CELL * height / max(width, height))
    across, down = len(steps) * (size[0] + GAP) + GAP, LABEL + len(scene.objects) * (LABEL + size[1]) + GAP
    picture = Image.new("RGB", (across, down), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for column, step in enumerate(steps):
        draw.text((GAP + column * (size[0] + GAP), 5), f"step {step.step + 1}", fill=INK, font=font)
    for line, name in enumerate(scene.objects):
        top, colour = LABEL + line * (LABEL + size[1]), COLOURS[line % len(COLOURS)]
        draw.text((GAP, top + 4), name, fill=colour, font=font)
        least, most = min(x.min() for x in densities[line]), max(x.max() for x in densities[line])
        for column, density in enumerate(densities[line]):
            place = GAP + column * (size[0] + GAP), top + LABEL
            picture.paste(_heat((density - least) / max(most - least, 1e-12), colour).resize(size, Image.Resampling.BICUBIC), place)
            x, y = _centroid(steps[column], row, line)
            _ring(draw, place[0] + x * (size[0] - 1), place[1] + y * (size[1] - 1))
    return picture


def _centroid(step: StepTrace, row: int, number: int) -> tuple[float, float]:
    """(x, y) as parts of the picture: a centroid of 0 is the middle of the first cell, not the picture's edge."""
    places = (float(value) for value in step.centroid[row, number])  # type: ignore[index]
    halves = (sum(0.5 / layer.shape[axis] for layer in step.maps) / len(step.maps) for axis in (-1, -2))
    x, y = (place * (1 - 2 * half) + half for place, half in zip(places, halves, strict=True))
    return x, y


def _density(step: StepTrace, row: int, number: int) -> np.ndarray:
    """An object's map as shares of its mass, averaged over the layers at the size of the largest: (H, W)."""
    maps = [layer[row, number].float() for layer in step.maps]
    size = max(tuple(layer.shape) for layer in maps)
    shares = [layer / layer.sum().clamp(min=1e-12) for layer in maps]
    grown = [torch.nn.functional.interpolate(share[None, None], size, mode="bilinear")[0, 0] * share.numel() for share in shares]
    return torch.stack(grown).mean(0).cpu().numpy()


def _heat(values: np.ndarray, colour: tuple[int, int, int]) -> Image.Image:
    """White where the value is 0, the colour where it is 1."""
    share = values.clip(0, 1)[..., None]
    return Image.fromarray((255 + share * (np.asarray(colour) - 255)).round().astype(np.uint8))


def _ring(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    for radius, fill in ((7, "white"), (5, INK)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=fill, width=2)


def _empty() -> Image.Image:
    picture = Image.new("RGB", (320, 48), "white")
    ImageDraw.Draw(picture).text((GAP, 14), "No step was guided.", fill=INK, font=ImageFont.load_default(14))
    return picture


def _tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)
