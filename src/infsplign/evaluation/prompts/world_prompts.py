"""Prompts of the shipped models' worlds in splits that share neither a pair of nouns, nor a prompt, nor a seed.

The nouns of a world make rounds of pairs, as in a round-robin tournament: each round has every noun once. The 14 nouns of the shapes
make 13 rounds of 7 pairs, the 40 of the pictures 39 rounds of 20. Some rounds are for tuning, others are held out. So every noun is in
each split, and each block of as many prompts as a round has pairs names every noun once.

The split "final" is read only by `benchmarks.final`, which keeps a log of it. The shapes have no rounds left for it: there it has the
held-out pairs with their nouns exchanged, so that it shares pairs with "heldout", but neither a prompt nor a seed.
"""

import hashlib
from functools import cache

from infsplign.core.spellings import relation
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt
from infsplign.shipped.worlds import article, world

RELATIONS = ("to the left of", "to the right of", "above", "below")
SPLITS = ("tune", "heldout", "final")
ROUNDS = {
    "shapes": {"tune": range(5), "heldout": range(5, 13), "final": range(5, 13)},
    "pictures": {"tune": range(13), "heldout": range(13, 33), "final": range(33, 39)},
}
"""Rounds of each world's splits; the number of pairs must be odd or a multiple of 4 for prompts to be balanced."""
PASSES = {("shapes", "heldout"): range(4), ("shapes", "final"): range(4, 8)}
"""Passes over the pairs that a split has, all eight where it is not listed; from the fifth on, the nouns are exchanged."""
SEED_RULE = "first 4 bytes of sha256(split, prompt, index), lowest bit 0 for tune and 1 for heldout"


def prompts(split: str, count: int, name: str = "shapes") -> list[BenchmarkPrompt]:
    """The first `count` prompts of a split, relations in turn: each of the four occurs `count / 4` times, plus or minus one.

    Args:
        split: "tune", "heldout" or "final".
        count: from 1 to `size`: of the shapes 280 to tune, 224 held out, 224 final; of the pictures 2,080, 3,200 and 960. A longer list
            begins with the shorter one.
        name: of the world.

    Raises:
        ValueError: an unknown split or world, or a count out of range.

    >>> prompts("heldout", 1)[0].text
    'a heart to the left of a fish'
    """
    every = _every(split, name)
    if not 1 <= count <= len(every):
        raise ValueError(f"`count` must be 1 to {len(every)}, the number of prompts of the split {split!r}, got {count}")
    return list(every[:count])


def size(split: str, name: str = "shapes") -> int:
    """The number of prompts of a split.

    >>> size("tune")
    280
    """
    return len(_every(split, name))


def seed(split: str, prompt: str, index: int) -> int:
    """The seed of image number `index` of a prompt: it does not depend on batch, order or number of images.

    32 bits, as torch's generator on the CPU uses no more.

    >>> seed("heldout", "a circle above a star", 0)
    2026285139
    """
    _check(split)
    digest = hashlib.sha256(f"{split}\n{prompt}\n{index}".encode()).digest()
    value = int.from_bytes(digest[:4], "big")
    return value if split == "final" else value & ~1 | (split == "heldout")  # the tests look that "final" meets none of the others


@cache
def pairs(split: str, name: str = "shapes") -> tuple[tuple[str, str], ...]:
    """The unordered pairs of nouns of a split, by the circle method: the last noun stays, the others move on each round."""
    _check(split)
    nouns = world(name).nouns
    moving = len(nouns) - 1
    found = []
    for turn in ROUNDS[name][split]:
        found.append((nouns[-1], nouns[turn]))
        found += [(nouns[(turn + k) % moving], nouns[(turn - k) % moving]) for k in range(1, moving // 2 + 1)]
    return tuple(found)


@cache
def _every(split: str, name: str) -> tuple[BenchmarkPrompt, ...]:
    """Eight passes over the pairs: each pair comes once with each relation, then again with its nouns exchanged."""
    turn_on = len(pairs(split, name)) % 4 or 1  # what one pass adds to the relation's number; odd, so that four passes make all four
    every = []
    for number in PASSES.get((name, split), range(8)):
        for place, pair in enumerate(pairs(split, name)):
            exchanged = (number >= 4) ^ (hashlib.sha256("\n".join(pair).encode()).digest()[0] & 1)
            first, second = pair[::-1] if exchanged else pair
            spelling = RELATIONS[(place + number * turn_on) % 4]
            text = f"{article(first)} {first} {spelling} {article(second)} {second}"
            every.append(BenchmarkPrompt(f"{split}-{len(every):04d}", text, first, relation(spelling).name, second))
    return tuple(every)


def _check(split: str) -> None:
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}")
