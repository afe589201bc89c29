"""What a prompt says to other programs, not about the picture: weights, parameters, networks to load."""

import re

_NUMBER = r"-?\d*\.?\d+"
_NETWORK = r"<(?:lora|lyco|hypernet|lbw|locon)\b[^<>]*>"
_NAMES = (
    "ar|aspect|v|version|s|stylize|style|q|quality|c|chaos|no|seed|iw|niji|tile|w|weird|raw|stop|fast|relax|turbo|video|repeat|r|cref|sref|"
    "cw|sw|p|profile|draft|exp|hd|test|testp|upbeta|uplight|creative|sameseed|oref|ow"
)
_OPTIONS = rf"(?:(?<=\s)|^)(?:--[a-z]\w*|[\u2013\u2014](?:{_NAMES})|-(?:ar|v|s|q)(?=\s+\d))(?=\s|$|=).*"  # Midjourney's, to the end
_SETTINGS = r"\b(?:seed|steps|cfg(?:\s+scale)?)\s*[:=]?\s*\d[\d.]*"
_WEIGHT = (
    rf"(?<=[^\W\d]):\d\.\d+\b|:\s*{_NUMBER}(?=\s*[)\]}}])|::\s*(?:{_NUMBER})?|(?<=\)){_NUMBER}|(?<=\w)\++(?=\W|$)|(?<=\w)-+(?=[\s,;.)]|$)"
)
_MARKS = r"[()\[\]{}*\\]"
_BLANKED = re.compile("|".join((_NETWORK, _OPTIONS, _SETTINGS, _WEIGHT, _MARKS)), re.DOTALL | re.IGNORECASE)
_BREAK = re.compile(r"\bBREAK\b")
_UNSEEN = re.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Characters without width that come along when a text is copied: a byte order mark, a zero-width space, a hyphen where
a line may be broken, marks of direction."""
CHANGING = re.compile(rf"[(\[{{][^()\[\]{{}}|]*\|[^()\[\]{{}}]*[)\]}}]|\[[^()\[\]{{}}:]*:[^()\[\]{{}}:]*:\s*{_NUMBER}\s*\]")
"""A choice between words, or one that changes in the course of sampling: `[cat|dog]`, `{cat|dog}`, `[cat:dog:0.5]`."""


def plain(text: str) -> str:
    """A prompt with blanks for its weights, parameters and characters without width, a semicolon for `BREAK` and a comma for `::`; every
    other character keeps its place.

    Stock pipelines encode these characters as they stand, so that words are looked up in a text of the same length.

    >>> plain("(red cat:1.3) left of a ((dog)) --ar 16:9").split()
    ['red', 'cat', 'left', 'of', 'a', 'dog']
    """
    blanked = _BLANKED.sub(lambda found: ("," if found.group().startswith("::") else "").ljust(len(found.group())), text)
    return _UNSEEN.sub(" ", _BREAK.sub(";    ", blanked))
