"""The words that a shipped model has seen in its training: it draws nothing for any other."""

import re
from functools import cache

from infsplign.shipped.loading import shipped
from infsplign.shipped.presets import PRESETS
from infsplign.shipped.worlds import world

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*|\d+")
_ALWAYS = frozenset(["a", "an", "the", "and", "between"])


def nouns_of(model: str) -> tuple[str, ...]:
    """Returns the nouns that a shipped model was trained on, which its detector knows; none for another model."""
    return world(PRESETS[model].world).nouns if model in shipped() else ()


def unknown_words(model: str, prompt: str) -> list[str]:
    """Returns the words of a prompt that a shipped model has never seen, each once; none for other models, whose words nobody knows.

    >>> unknown_words("shapes", "a red circle to the left of two zebras")
    ['red', 'two', 'zebras']
    """
    if model not in shipped():
        return []
    known = _words(PRESETS[model].world)
    return [word for word in dict.fromkeys(_WORD.findall(prompt.lower())) if word not in known]


def warning(model: str, prompt: str) -> str | None:
    """Returns a warning for a prompt with unknown words; None when there are none."""
    words = unknown_words(model, prompt)
    if not words:
        return None
    told, them = ", ".join(map(repr, words)), "it" if len(words) == 1 else "them"
    nouns = ", ".join(world(PRESETS[model].world).nouns)
    return f"{model!r} was trained without {told} and will ignore or misread {them}; its nouns: {nouns}"


@cache
def _words(name: str) -> frozenset[str]:
    """All words of a world's captions."""
    if name == "shapes":
        from infsplign.shapes.world import CAPTION_PLACES, CAPTION_PREFIXES, CAPTION_RELATIONS

        texts: tuple[str, ...] = (*CAPTION_RELATIONS, *CAPTION_PLACES, *CAPTION_PREFIXES)
    else:
        from infsplign_models.world import NOUNS
        from infsplign_models.world.captions import PLACES, PREFIXES, RELATIONS

        texts = (*RELATIONS, *PLACES, *PREFIXES, "small", "big", *(colour for noun in NOUNS for colour in noun.colours))
    return _ALWAYS | {word for text in (*texts, *world(name).nouns) for word in text.split()}
