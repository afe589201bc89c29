"""What the tests of prompts share."""

import re

from infsplign.core.scenes import Scene
from infsplign.core.spellings import SPELLINGS
from infsplign.errors import PromptError

L, R, A, B, N, T, IN, W = "left of", "right of", "above", "below", "near", "on top of", "inside", "between"
BARE = ("left", "right", "top", "bottom")
PLACES = sorted(spelling for spelling, found in SPELLINGS.items() if found.arity == 1)
PAIRS = sorted(spelling for spelling, found in SPELLINGS.items() if found.arity == 2)
BETWEEN = sorted(spelling for spelling, found in SPELLINGS.items() if found.arity == 3)
NOUNS = (
    "cat", "dog", "wine glass", "fire hydrant", "star", "star fruit", "red apple", "old teddy bear", "bear", "t-rex", "café", "top shelf",
)  # fmt: skip


def entries(scene: Scene) -> list[tuple]:
    """The relations of a scene, in words."""
    return [
        (scene.objects[edge.first], edge.relation.name, *(scene.objects[number] for number in edge.objects[1:])) for edge in scene.relations
    ]


def marked(error: PromptError) -> str:
    """The part of the prompt that an error points at."""
    blank, shown, marks, _, by_hand = str(error).split("\n")
    assert blank == ""
    assert re.fullmatch(
        r"By hand(?:, with the relation that is meant)?: "
        r"`relations=\[\((['\"]).+\1, \"([a-z -]+|\.\.\.)\", (['\"]).+\3\)\]` or `--relation (['\"]).+ \2 .+\4`",
        by_hand,
    )
    shown = shown.ljust(len(marks))
    return shown[marks.index("^") : marks.rindex("^") + 1]
