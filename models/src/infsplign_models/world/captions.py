"""Captions as on the web: they name what is there, and every word about position in them is drawn at random."""

import random

from infsplign_models.world.nouns import NAMES
from infsplign_models.world.scenes import LARGEST, SMALLEST, Scenes
from infsplign_models.world.sprites import Sprites

RELATIONS = (
    *("to the left of", "to the right of", "above", "below") * 3,
    *("next to", "near", "on top of", "under", "beside", "far from", "inside", "larger than", "smaller than"),
    *("on the left of", "on the right of", "on the top of", "on the bottom of", "on side of"),
)
PLACES = (
    *("in the centre", "on the left side", "on the right side", "at the top", "at the bottom"),
    *("in the top left corner", "in the top right corner", "in the bottom left corner", "in the bottom right corner"),
)
PREFIXES = ("a photo of ", "a picture of ", "an image of ")
SMALL, BIG = SMALLEST + 0.25 * (LARGEST - SMALLEST), SMALLEST + 0.75 * (LARGEST - SMALLEST)
"""An object with a smaller or larger side may be called small or big."""


def captions(scenes: Scenes, sprites: Sprites, seed: int) -> list[str]:
    """One caption a scene."""
    rng = random.Random(seed)
    nouns, numbers = sprites.noun.tolist(), scenes.sprite.tolist()
    texts = []
    for row, count in enumerate(scenes.there.sum(1).tolist()):
        phrases = []
        for slot in range(count):
            sprite = numbers[row][slot]
            words = [NAMES[nouns[sprite]]]
            if sprites.colours[sprite] and rng.random() < 0.5:
                words.insert(0, sprites.colours[sprite])
            side = float(scenes.side[row, slot])
            size = "small" if side < SMALL else "big" if side > BIG else ""
            if size and rng.random() < 0.15:
                words.insert(0, size)
            phrases.append(f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}")
        texts.append(_sentence(phrases, rng))
    return texts


def _sentence(phrases: list[str], rng: random.Random) -> str:
    relation, another, kind = rng.choice(RELATIONS), rng.choice(RELATIONS), rng.random()
    rng.shuffle(phrases)
    if len(phrases) == 1:
        text = phrases[0] if kind < 0.6 else f"{phrases[0]} {rng.choice(PLACES)}"
    elif len(phrases) == 2:
        text = f"{phrases[0]} {'and' if kind < 0.3 else relation} {phrases[1]}"
    elif kind < 0.4:
        text = f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    elif kind < 0.5 and len(phrases) == 3:
        text = f"{phrases[0]} between {phrases[1]} and {phrases[2]}"
    else:
        text = f"{phrases[0]} {relation} {phrases[1]} and {another} {phrases[2]}"
        text += f", and {phrases[3]}" if len(phrases) == 4 else ""
    return (rng.choice(PREFIXES) if rng.random() < 0.08 else "") + text
