"""A sampler without a model: it draws what the prompt asks for, well or badly, as it is told."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from infsplign.evaluation.scoring.world_evaluation import evaluate_world
from infsplign.prompts import parse_prompt
from infsplign.shapes.world import Placed, Scene, render

FIRST_AT = {"left of": (10, 35), "right of": (60, 35), "above": (35, 8), "below": (35, 62)}
SECOND_AT = {"left of": (60, 35), "right of": (10, 35), "above": (35, 62), "below": (35, 8)}


def right(text: str, seed: int) -> tuple[Placed, ...]:
    scene = parse_prompt(text)
    name = scene.relations[0].relation.name
    return tuple(Placed(noun, *at[name], 27.0) for noun, at in zip(scene.objects, (FIRST_AT, SECOND_AT), strict=True))


def wrong(text: str, seed: int) -> tuple[Placed, ...]:
    first, second = right(text, seed)
    return Placed(first.name, second.x, second.y, 27.0), Placed(second.name, first.x, first.y, 27.0)


def nothing(text: str, seed: int) -> tuple[Placed, ...]:
    return ()


class StubSampler:
    """Draws `guided(text, seed)` where there are options, `unguided(text, seed)` where not.

    Attributes:
        calls: texts of each call.
        dies_at: number of the call that is interrupted.
    """

    Draw = Callable[[str, int], tuple[Placed, ...]]

    def __init__(self, unguided: Draw = wrong, guided: Draw = right, *, dies_at: int | None = None, **settings: object) -> None:
        self.unguided, self.guided, self.dies_at = unguided, guided, dies_at
        self.calls: list[list[str]] = []
        self._settings = {"model": "stub"} | settings

    def settings(self) -> dict:
        return self._settings

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: object) -> list[Image.Image]:
        if len(self.calls) == self.dies_at:
            raise KeyboardInterrupt
        self.calls.append(list(texts))
        draw = self.guided if config else self.unguided
        return [render(Scene(draw(text, seed), text, seed)) for text, seed in zip(texts, seeds, strict=True)]


def run(out: Path, sampler=None, **options):
    options = {"count": 5, "images": 2, "batch": 3, "progress": False, "split": "tune", "name": "shapes"} | options
    return evaluate_world(sampler or StubSampler(), out, **options)


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
