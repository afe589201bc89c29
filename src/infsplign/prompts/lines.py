"""Lines of a prompt: a line break ends a part, unless the next line goes on with it."""

import re

from infsplign.prompts.weights import plain
from infsplign.prompts.word_classes import is_modifier
from infsplign.prompts.words import CONTEXT, DETERMINERS, LINKS, STOPS

_BREAK = re.compile(r"\n(?!\s*(?:(?:[-\u2022]|\d{1,2}[.)])\s|$))")
"""A line break, and not that before an item of a list."""
_JOINS = STOPS | LINKS | CONTEXT | {"of", "left", "top", "bottom", "side"}


def readable(prompt: str) -> str:
    """A prompt without its weights, see `plain`, and with a semicolon for each line break that ends a part; of the same length.

    >>> readable("cat left of dog\\nbird above tree"), readable("a cat to the left\\nof a dog")
    ('cat left of dog;bird above tree', 'a cat to the left\\nof a dog')
    """
    text = plain(prompt)
    return _BREAK.sub(lambda found: "\n" if _goes_on(text, *found.span()) else ";", text)


def _goes_on(text: str, start: int, stop: int) -> bool:
    """Whether a part of the text goes on behind a line break."""
    before, after = text[max(0, start - 40) : start].lower().split()[-1:], text[stop : stop + 40].lower().split()[:1]
    if not before or not after or not before[0][-1].isalnum():
        return True
    return before[0] in _JOINS or after[0] in _JOINS - DETERMINERS or is_modifier(before[0])
