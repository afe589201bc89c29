"""Whether a row's prompt says what the row says: guidance reads the one, evaluators the other."""

import re
import warnings

from infsplign.core.relations import Relation
from infsplign.core.spellings import SPELLINGS
from infsplign.errors import PromptError
from infsplign.prompts import parse_prompt

DIRECTIONS = ("left of", "right of", "above", "below")


def check_agreement(text: str, first: str | None, spelling: str | None, second: str | None) -> None:
    """Raises an error for a prompt that asks for another direction of the same two objects. What cannot be read is left alone.

    Args:
        text: the prompt.
        first, spelling, second: the row's objects and relation; None or "" where it does not say them.

    Raises:
        ValueError: for instance "a cat to the left of a dog" in a row that says `above`, or a dog left of a cat.
    """
    asked = SPELLINGS.get((spelling or "").lower())
    if not first or not second or asked is None or asked.name not in DIRECTIONS or _says(text.lower(), first, spelling or "", second):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on counts
            scene = parse_prompt(text)
    except (PromptError, ValueError):
        return
    if len(scene.relations) != 1 or len(scene.relations[0].objects) != 2:
        return
    (edge,) = scene.relations
    one, other = (scene.objects[number] for number in edge.objects)
    said: Relation | None = edge.relation
    if names(one, first) and names(other, second):
        pass
    elif names(one, second) and names(other, first):
        said = SPELLINGS.get(said.inverse or "")
    else:
        return
    if said is not None and said.name in DIRECTIONS and said.name != asked.name:
        raise ValueError(f"the prompt {text!r:.200} asks for {scene.text(edge)!r}, and the row for '{first} {asked.name} {second}'")


def names(read: str, told: str) -> bool:
    """Whether a row's name is that of an object as it is read from the text, which has adjectives and the plural too.

    >>> names("red cats", "cat"), names("catfish", "cat"), names("cat", "red cat")
    (True, False, False)
    """
    return re.search(rf"(^|\s){re.escape(told.lower().strip())}(e?s)?$", read.lower()) is not None


def _says(text: str, first: str, spelling: str, second: str) -> bool:
    """Whether the words stand in the text in their order, as in all rows of SR2D."""
    start = text.find(first.lower())
    middle = text.find(spelling.lower(), start + len(first))
    return 0 <= start < middle and text.find(second.lower(), middle + len(spelling)) > middle
