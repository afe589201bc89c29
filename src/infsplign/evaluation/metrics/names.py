"""Names of objects, compared as people mean them: without regard to case, blanks, underscores and hyphens.

The published evaluators compare exactly, because their detectors spell names as their prompts do. Files of detections that come from
elsewhere need not.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from infsplign.detection import Detection

SHOWN = 5
"""Names that an error shows."""
_BLANK = re.compile(r"[\s_-]+")


@lru_cache(maxsize=65536)
def plain(name: str) -> str:
    """A name in lower case with single blanks.

    >>> plain(" Teddy_Bear ")
    'teddy bear'
    """
    return _BLANK.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def whole(name: str) -> tuple[str, ...]:
    """The one name in a label, as every published rule but that of the InfSplign authors reads it."""
    return (plain(name),)


def joined(name: str) -> tuple[str, ...]:
    """The names in a label, as the InfSplign authors read it: parted at commas, or where there is none, at " and ".

    >>> joined("Ship, boat"), joined("mug and cup"), joined("cow, cat and dog")
    (('ship', 'boat'), ('mug', 'cup'), ('cow', 'cat and dog'))
    """
    return tuple(plain(part) for part in name.split("," if "," in name else " and "))


def unmatched(
    asked: Mapping[str, Sequence[str]],
    found: Mapping[str, Iterable[Detection]],
    parts: Callable[[str], Sequence[str]] = whole,
) -> tuple[list[str], list[str]]:
    """Names that are asked for and never found, and names that are found and never asked for, over all images.

    Args:
        asked: key of an image to the names that are looked for in it.
        found: key to what was found.
        parts: what a label stands for.
    """
    wanted = {plain(name): name for names in asked.values() for name in names}
    labels = {detection.name for key in asked for detection in found[key]}
    named = {label: set(parts(label)) for label in labels}
    met = set().union(*named.values()) if named else set()
    never = [name for key, name in wanted.items() if key not in met]
    return sorted(never), sorted(label for label, meant in named.items() if not meant & wanted.keys())


def nearest(name: str, labels: Sequence[str]) -> str | None:
    """The label that is most like a name: one that has a word of it, else one that is spelled much like it."""
    words = set(plain(name).split())
    sharing = [label for label in labels if words & set(plain(label).split())]
    close = sharing or get_close_matches(name, labels, n=1, cutoff=0.8)
    return close[0] if close else None


def listed(names: Sequence[str]) -> str:
    """At most `SHOWN` names, quoted."""
    return ", ".join(map(repr, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
