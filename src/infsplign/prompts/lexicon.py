"""What an English word can be: a noun, a verb, an adjective, an adverb. Words that are not listed are taken for names of things."""

import gzip
from functools import cache
from importlib.resources import files

from infsplign.prompts.word_lists import UNLISTED

NOUN, VERB, ADJECTIVE, ADVERB = "n", "v", "a", "r"


@cache
def _lexicon() -> dict[str, str]:
    data = files("infsplign.prompts").joinpath("lexicon.txt.gz").read_bytes()
    lines = (line.split() for line in gzip.decompress(data).decode("ascii").splitlines() if not line.startswith("#"))
    return {word: letters for letters, *words in lines for word in words}


def classes(word: str) -> str:
    """Letters of the classes that a word in lower case can have, "" where it is not listed; "red-haired" has those of "haired".

    >>> classes("barks"), classes("wooden"), classes("rutkowski")
    ('nv', 'a', '')
    """
    known = _lexicon()
    if word in UNLISTED:
        return known.get(word, "") + NOUN
    return known.get(word) or known.get(word.rpartition("-")[2], "")


def is_word(word: str) -> bool:
    """Whether a word in lower case is listed."""
    return word in _lexicon()


def words() -> frozenset[str]:
    """All words that are listed."""
    return frozenset(_lexicon())
