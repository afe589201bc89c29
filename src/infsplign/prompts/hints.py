"""What a word that is not understood may be: a misspelt spatial word, or another language."""

import difflib
from collections.abc import Sequence

from infsplign.core.spellings import SPELLINGS
from infsplign.prompts.lexicon import is_word
from infsplign.prompts.word_lists import word_set

_SIDES = (
    "left",
    "right",
    "top",
    "bottom",
    "above",
    "below",
    "beneath",
    "underneath",
    "under",
    "over",
    "near",
    "next",
    "beside",
    "between",
    "inside",
)
_CONFUSED = {
    "bellow": "below", "besides": "beside", "leftof": "left of", "rightof": "right of", "ontop": "on top", "nextto": "next to",
    "infront": "in front",
    "inbetween": "between", "lefft": "left", "rite": "right", "teh": "the", "hte": "the", "fo": "of", "ot": "to",
    "tothe": "to the", "onthe": "on the", "leftside": "left side", "rightside": "right side", "left-of": "left of", "right-of": "right of",
}  # fmt: skip

_FOREIGN = word_set(
    "altında au auf aux av avec baixo bas bir cane chat che chien cima con da dans das debajo del dem den der derecha des destra deux "
    "di die direita do droite du een ein eine einem einen einer el em en encima entre esquerda est et ett gato gatto gauche gli haut "
    "het hjem hond hund höger høyre il im ist izquierda kat katt katze kedi kot la las le les lewej links lo los med mit na naast nad "
    "neben no o oben och og om onder op os perro po pod prawej psa på rechts sağında siden sinistra sobre solunda sopra sotto sous "
    "stronie sur til till um uma un una und une unten unter van ved venstre von vänster y zwischen à över über üstünde"
)
_ENGLISH = word_set("a an the of to is are on in at with and left right above below under over near next by from")


def misspelt(word: str) -> str | None:
    """The spatial word that an unknown word in lower case is close to; None where there is none.

    >>> misspelt("abvoe"), misspelt("cat")
    ('above', None)
    """
    if word in _CONFUSED:
        return _CONFUSED[word]
    if is_word(word) or word in _ENGLISH or len(word) < 3 or not word.isalpha():
        return None
    close = difflib.get_close_matches(word, _SIDES, n=1, cutoff=0.75)
    return close[0] if close and _near(word, close[0]) else None


def _near(word: str, meant: str) -> bool:
    """Whether one change (two in long words) makes one of the other; letters that changed places count as one."""
    if sorted(word) == sorted(meant):
        return word != meant
    if abs(len(word) - len(meant)) > 1:
        return False
    matching = sum(block.size for block in difflib.SequenceMatcher(None, word, meant, autojunk=False).get_matching_blocks())
    return max(len(word), len(meant)) - matching <= (2 if len(meant) > 6 else 1)


def other_language(words: Sequence[str]) -> bool:
    """Whether words in lower case seem to be of another language than English."""
    letters = [char for word in words for char in word if char.isalpha()]
    if letters and sum(char > "\u024f" for char in letters) > len(letters) / 2:
        return True
    foreign = sum(word in _FOREIGN or word.startswith(("d'", "l'", "d\u2019", "l\u2019")) for word in words)
    return foreign >= 2 and foreign > sum(word in _ENGLISH and word not in _FOREIGN for word in words)


def nearest_relation(text: str) -> str | None:
    """The spelling of a relation that a text is close to."""
    close = difflib.get_close_matches(text.lower(), SPELLINGS, n=1, cutoff=0.8)
    return close[0] if close else None
