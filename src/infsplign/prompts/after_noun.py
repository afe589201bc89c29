"""What follows a noun: whether the next word belongs to its name still, and whether the words after the name leave it clear.

After a noun an adjective, an adverb, a participle or a verb ends the name: "dog [barks]", "car [turning left]", "dog [white background]".
"""

from collections.abc import Sequence

from infsplign.prompts.beings import BEINGS
from infsplign.prompts.compounds import is_compound
from infsplign.prompts.lexicon import ADJECTIVE, ADVERB, NOUN, VERB, classes
from infsplign.prompts.styles import MODIFIERS, STYLE_HEADS, STYLE_NOUNS, is_medium, is_style
from infsplign.prompts.word_classes import (
    is_acting,
    is_adjective,
    is_adverb,
    is_being,
    is_modifier,
    is_nounlike,
    is_number,
    is_participle,
    is_plural,
    is_symbol,
    may_be_style,
    names_thing,
)
from infsplign.prompts.word_lists import (
    ACTIONS,
    BELONGINGS,
    CALLED,
    COLOURS,
    COMPOUND,
    HELD,
    HOURS,
    INANIMATE,
    MADE,
    MAKERS,
    MASS,
    MODALS,
    NUMBERS,
    PAST,
    SETTINGS,
    SHADES,
    THINGS_TOO,
    VERBS,
)
from infsplign.prompts.words import CONTEXT, DETERMINERS, LINKS, NAMELESS, STOPS

SIDED = frozenset(("left", "right", "top", "front", "side", "forward"))
"""Words before "pointing" and the like: "a left pointing arrow"."""


def goes_on(words: Sequence[str], i: int, noun: int, singular: bool) -> bool:
    """Whether the word `i` after a noun belongs to the name still, whose first noun is the word `noun`."""
    word, before, following = words[i], words[i - 1], words[i + 1] if i + 1 < len(words) else ""
    letters = classes(word)
    if word in COMPOUND and (names_thing(following) or is_compound(words, i + 1) or is_fruit(words, i + 1)):
        return True
    if is_compound(words, i) or (is_compound(words, i - 1) and i > noun):
        return True
    # "a hand carved wooden bowl", "a snow covered hot dog"
    made = i > noun and (words[noun] in MAKERS or words[noun + 1] in COMPOUND)
    thing = next((later for later in words[i + 1 :] if not is_adjective(later)), "") if made else following
    if made and word in COMPOUND and i == noun + 1 and names_thing(thing):
        return True
    described = made and is_adjective(word) and i > noun + 1 and all(map(is_adjective, words[noun + 2 : i]))
    if described and (names_thing(thing) or is_fruit(words, i)):
        return True
    if _in_compound(word, before, thing) or _of_a_style(words, noun, i):
        return True
    if word in ("left", "right") and following in ("sign", "signs", "arrow", "arrows", "button", "key"):  # "a keep right sign"
        return True
    if is_done(words, i):
        return False
    if word in STOPS or word in LINKS or word in PAST or word in ("and", "&", "of") or is_symbol(word):
        return False
    if is_style(word) or is_medium(word, following) or is_adverb(word):
        return False
    if word in MODALS and (following == "be" or following in ACTIONS):  # "a car must be", and not "a trash can is"
        return False
    if following and (word in NUMBERS or (word.isdecimal() and is_plural(following))):  # "a fox two strides left of"
        return False
    if word in ("left", "right", "close", "upside", "alone", "half") or word.endswith(("'s", "\u2019s")):
        return False
    if following in ("asleep", "awake"):  # "a dog fast asleep"
        return False
    if word in ("light", "lit", "view") and following == "from" and before not in _LAMPS:
        return False
    if word == "shot" and following in CONTEXT:  # "a dog shot from below"
        return False
    if word in STYLE_HEADS and before in MODIFIERS and i - 1 > noun:  # "a street light" is one thing
        return False
    if is_adjective(word):
        of_paper = word in ("square", "oval") and before not in BEINGS and not is_modifier(following)  # "a paper square", "a town square"
        shade = before in SHADES and word in COLOURS and not {*words[:noun]} & COLOURS
        return shade or of_paper or (is_fruit(words, i) and before in INANIMATE)  # "a paper orange"
    if word in HOURS and (not following or following in STOPS or is_style(following)):
        return False
    if word.endswith("ing") and len(word) > 4:
        return not is_acting(word, before)
    if VERB not in letters and word not in VERBS:
        return bool(letters) or not word.endswith("ed")
    return (NOUN in letters or word in VERBS) and not _is_verb(word, before, following, singular)


_LAMPS = frozenset(("traffic", "street", "ceiling", "head", "tail", "brake", "stage", "spot", "flash", "night", "signal", "warning"))
"""Before "light" these make it a thing: "a traffic light from behind", not "a dog, soft light from above"."""
_DONE = {
    "cut": ("in half", "in two", "in pieces", "in slices", "into", "open", "up"),
    "split": ("in half", "in two", "into", "open", "apart"),
    "set": ("on fire", "ablaze", "alight"),
    "spread": ("out", "open", "with", "across"),
    "read": ("by",),
    "hit": ("by",),
    "cast": ("in shadow", "in darkness", "in light"),
    "put": ("on", "in", "into", "down"),
    "upside": ("down",),
}
"""Participles that look like nouns, and what follows them: "a watermelon cut in half", "a house set on fire"."""
_LAND = frozenset(("lit", "swept", "torn", "worn"))
"""What a place may be as well: "a moon lit forest", "a war torn city"."""


def is_fruit(words: Sequence[str], i: int) -> bool:
    """Whether the word `i` is the orange itself: "a giant [orange]", not "a giant [orange] cat"."""
    return words[i : i + 1] == ["orange"] and (i + 1 == len(words) or words[i + 1] in STOPS)


def is_done(words: Sequence[str], i: int) -> bool:
    """Whether the word `i` is a participle that looks like a noun: "a watermelon [cut] in half"."""
    return " ".join(words[i + 1 : i + 3]).startswith(_DONE.get(words[i], "-"))


def _in_compound(word: str, before: str, following: str) -> bool:
    """Whether a verb's form between two nouns joins them to one name: "oak dining table", "hand painted vase", "fire breathing dragon"."""
    if not names_thing(following) or following in NAMELESS or is_medium(following, ""):
        return False
    if following in (COLOURS if word in _LAND else SETTINGS | COLOURS):
        return False
    if word.endswith("ing"):  # not "a man playing guitar", "a fire giving light"
        thing = is_being(following) or not (is_plural(following) or following in MASS or {ADJECTIVE, ADVERB} & {*classes(following)})
        pieces = "-" in before and is_number(before.partition("-")[0].replace("one", "two"))  # "a one-piece bathing suit"
        return (before in INANIMATE or pieces) and thing and is_acting(word)
    participle = is_participle(word) and word.endswith(("ed", "en", "wn")) and word not in LINKS and word not in CALLED
    return (
        (participle or word in MADE) and not is_being(before) and NOUN in classes(following) and following not in SIDED
    )  # not "a house painted Monet"


def _of_a_style(words: Sequence[str], noun: int, i: int) -> bool:
    """Whether a word of style is the middle of a name, after nothing but style: "pop art poster", "art deco lamp", "pixel art cat"."""
    if not (is_style(words[i]) or is_medium(words[i - 1], words[i])) or not all(map(may_be_style, words[noun:i])):
        return False
    later = next((word for word in words[i + 1 :] if not is_style(word)), "")
    return bool(later) and later not in STOPS and is_nounlike(later) and not is_adjective(later)


def _is_verb(word: str, before: str, following: str, singular: bool) -> bool:
    """Whether a word that is noun or verb is a verb after a noun: "a dog barks", "dogs play", "a car turning"."""
    if following in DETERMINERS:
        return True
    if word in ("shows", "reads", "says", "displays", "depicts") and following:  # "the clock shows noon"
        return True
    being = before in BEINGS
    if word.endswith("s") and is_plural(word):
        acts = word in VERBS and (being or word not in THINGS_TOO)
        return (singular and not is_plural(before)) or acts or (being and not is_plural(before) and word not in BELONGINGS)
    return word in ACTIONS and is_plural(before) and (being or f"{word}s" not in THINGS_TOO)


def is_loose(words: Sequence[str]) -> bool:
    """Whether words after a name leave it clear: what it does or is like, or how the picture is made."""
    if not words:
        return True
    first = words[0]
    if (
        " ".join(words[:2]) in HELD
        or first in STOPS
        or first in LINKS
        or is_symbol(first)
        or is_style(first)
        or "style" in words[:2]
        or is_medium(first, words[1] if len(words) > 1 else "")
    ):
        return True
    if is_adjective(first):
        return all(
            is_modifier(w) or w in STYLE_NOUNS or w in SETTINGS or w in ("and", "&", ",") or w in COLOURS or is_style(w) for w in words
        )
    return (
        is_adverb(first)
        or VERB in classes(first)
        or first in PAST
        or first in HOURS
        or is_acting(first)
        or (not classes(first) and first.endswith("ed"))
    )
