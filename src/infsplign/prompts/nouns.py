"""Where the name of a thing begins and ends: (adverb | adjective | participle)* noun+ (of ...)*.

Classes of words come from `lexicon`; where a word can be several, its place decides. `after_noun` tells where a name ends.
"""

from collections.abc import Sequence
from typing import NamedTuple

from infsplign.prompts.after_noun import SIDED, goes_on, is_done, is_fruit
from infsplign.prompts.compounds import is_compound
from infsplign.prompts.lexicon import ADJECTIVE, VERB, classes
from infsplign.prompts.styles import is_style
from infsplign.prompts.word_classes import (
    is_adjective,
    is_being,
    is_modifier,
    is_nounlike,
    is_number,
    is_participle,
    is_plural,
    names_thing,
)
from infsplign.prompts.word_lists import (
    AGES,
    CALLED,
    COLOURS,
    COMPOUND,
    FIXED,
    GROUPS,
    INANIMATE,
    MADE,
    MASS,
    NATIONS,
    QUANTITIES,
    SETTINGS,
    SHADES,
    SIZES,
    STRESSED,
    THINGS_THEMSELVES,
    TITLES,
    word_set,
)
from infsplign.prompts.words import DETERMINERS, LINKS, STOPS

_HOW_EXACTLY = ("exactly", "only", "about", "just", "around", "approximately", "roughly", "nearly", "almost")
LONGEST = 4
"""Nouns in a row that may be one name: "ice cream cone", "desktop computer monitor"."""


class Name(NamedTuple):
    """The name of a thing among words: `words[begin:end]`.

    Attributes:
        begin, end: the first word without articles and numerals, and the first one after the name.
        number: the numeral before it, "" where there is none.
    """

    begin: int
    end: int
    number: str = ""


def first_name(words: Sequence[str]) -> Name:
    """Finds the name that words in lower case begin with.

    >>> words = "the two big dogs barking loudly".split()
    >>> name = first_name(words); words[name.begin:name.end], name.number
    (['big', 'dogs'], 'two')
    """
    begin, count = _start(words)
    end = _head(words, begin, singular=bool(begin) and not count and words[begin - 1] in ("a", "an", "one", "another", "this"))
    while end < len(words) - 1 and words[end] == "of" and end > begin and words[end + 1] not in STOPS:
        if (following := _head(words, end + 1, singular=False)) == end + 1:
            break
        end = following
    return Name(begin, end, count)


def _start(words: Sequence[str]) -> tuple[int, str]:
    begin, count = 0, ""
    while begin < len(words) - 1:
        word, following = words[begin], words[begin + 1]
        measured = words[begin + 2] if is_number(word) and begin + 3 < len(words) else ""
        if (measured == "old" and following in AGES) or (measured in _SIZED and following in SIZES):
            begin += 2
        elif is_number(word) and words[begin - 1 : begin] in (["a"], ["an"]) and word not in GROUPS:  # "a four leaf clover"
            break
        elif is_number(word):
            count = word
        elif (word in QUANTITIES and following == "of") or _than_number(words[begin : begin + 3]):
            begin += 1
        elif not (
            word in DETERMINERS
            or (word == "half" and following in ("a", "an"))
            or (word in _HOW_EXACTLY and (is_number(following) or following == "one"))
        ):
            break
        begin += 1
    return begin, count


def _than_number(words: Sequence[str]) -> bool:
    """Whether words say a number that is not exact: "more than two"."""
    return len(words) == 3 and words[0] in ("more", "less", "fewer") and words[1] == "than" and is_number(words[2])


_SIZED = frozenset(("tall", "long", "high", "wide", "deep", "thick"))


def _head(words: Sequence[str], begin: int, *, singular: bool) -> int:
    """The end of modifiers and nouns that begin at `begin`."""
    i = begin
    while i < len(words) - 1 and _before_noun(words, i):
        i += 1
    if i >= len(words) or words[i] in STOPS:
        return i if i == begin or words[i - 1] not in ("and", "&") else i - 1
    end = i + 1
    while (fixed := _fixed(words, end)) or (end < len(words) and goes_on(words, end, i, singular)):
        end += fixed or 1
    return end - 1 if end > i + 1 and end < len(words) and words[end] in _OF_A_NAME else end


def _fixed(words: Sequence[str], end: int) -> int:
    """How many words after the word before `end` are part of a fixed name: 2 for "a bow [and arrow]"."""
    rest = FIXED.get(words[end - 1], "").split()
    return len(rest) if [*words[end : end + len(rest)]] == rest else 0


_OF_A_NAME = frozenset(("style", "styled", "aesthetic", "vibe", "vibes", "render"))
"""Style that follows the name of its maker: "ghibli style"."""


def _before_noun(words: Sequence[str], i: int) -> bool:
    """Whether the word is a modifier of a noun that follows."""
    word, following = words[i], words[i + 1]
    facing = (words[i] in SIDED and following in _FACING) or (i and words[i - 1] in SIDED and word in _FACING)
    if facing and any(names_thing(later) for later in words[i + 1 : i + 4]):  # "a left pointing arrow", "a top loading washing machine"
        return True
    if is_number(word) or _is_phrasal(words, i) or (i and _is_phrasal(words, i - 1)) or _describes(words, i):
        return True
    if following in STOPS and not (following in ("and", "&") and joins_modifiers(word, words[i + 2 :])):
        return False
    if word in ("and", "&"):
        return joins_modifiers(words[i - 1], words[i + 1 :]) if i else False
    shade = word in SHADES and following in COLOURS and not {*words[max(0, i - 1) : i]} & COLOURS  # not "red apple green pear"
    if shade or STRESSED.get(word) == following or (word == "self" and is_modifier(following)):
        return True
    if word in TITLES or (word == "half" and is_modifier(following)):
        return True
    if is_fruit(words, i + 1) and not is_being(word) and (ADJECTIVE in classes(word) or is_modifier(word) or word.endswith(("ing", "ed"))):
        return True
    either = ADJECTIVE in classes(word) or word in _DESCRIBING
    if either and following in _SURFACES and not is_being(word):  # "a classic painting"
        return True
    described = is_adjective(following) if either else not classes(word) and following in NATIONS
    if not is_modifier(word) and described:  # "a great white shark", "a Pembroke Welsh Corgi"
        return any(names_thing(later) and later not in SETTINGS for later in words[i + 2 : i + 3])
    if word == "orange" and i and words[i - 1] in DETERMINERS and _is_tail(words, i + 1):
        return False
    return is_modifier(word) and (following in ("and", "&") or any(is_nounlike(later) for later in words[i + 1 : i + 8]))


def _is_tail(words: Sequence[str], i: int) -> bool:
    """Whether words from `i` on say something of a thing before them: "an orange [made of glass]", not "an orange [fluffy cat]"."""
    word, following = words[i], "".join(words[i + 1 : i + 2])
    if is_done(words, i) or (is_adjective(word) and following in ("background", "backdrop")):
        return True
    if _is_phrasal(words, i):  # "an orange rolled up carpet"
        return False
    if word.endswith("ing") or is_participle(word) or word in MADE or word in COMPOUND:
        return following in STOPS or following in SIDED or following == "of"
    return is_style(word) and word not in _SURFACES and not any(map(names_thing, words[i + 1 : i + 3]))


_SURFACES = frozenset(("painting", "drawing", "poster", "portrait", "sketch", "mural", "print"))
"""Kinds of pictures that are things too: "an orange painting"."""
_DESCRIBING = frozenset(("neon", "pastel", "retro", "luxury", "deluxe", "cosy", "comfy"))
"""Words that describe things, although the lexicon has them as nouns alone or not at all."""


def _describes(words: Sequence[str], i: int) -> bool:
    """Whether a word that is no modifier by itself stands before a verb's form and a noun: "a [cozy] living room", "a [grand] painted
    hall"; not "a robot holding cup"."""
    word, following, *_ = words[i:]
    thing = "".join(words[i + 2 : i + 3])
    if following in STOPS or word in STOPS or not names_thing(thing) or not classes(thing):
        return (word == "upside" and following == "down") or words[i - 1 : i + 1] == ["upside", "down"]
    if is_compound(words, i) or (is_compound(words, i + 1) and not is_being(word)):
        return True
    acting = following in _BY_ITSELF and thing not in MASS
    made = following.endswith("ed") and is_participle(following) and following not in CALLED
    return (ADJECTIVE in classes(word) or word in SHADES | _DESCRIBING) and not is_being(word) and (acting or made)


_BY_ITSELF = word_set(
    "sleeping smiling laughing glowing burning hanging running flying floating standing sitting walking jumping dancing crying falling "
    "swimming rising setting spinning rotating shining sparkling blooming flowering barking roaring galloping leaning blinking crouching "
    "kneeling crawling swinging rolling melting dripping flaming blazing steaming smoking twinkling flickering glittering shimmering "
    "drooping weeping winding talking singing grinning howling meowing purring soaring hovering wandering working"
)
"""What something does to nobody else, so that a noun after it is not what it is done to."""


def joins_modifiers(before: str, after: Sequence[str]) -> bool:
    """Whether an "and" stands inside a name: "a red and white", "a black and chrome motorcycle"; not "an orange and banana"."""
    if not after or not is_modifier(before) or is_modifier(after[0]):
        return bool(after) and is_modifier(before)
    if after[0] in SHADES and after[1:2] and after[1] in COLOURS:  # "a red and sky blue kite"
        return True
    made = before not in THINGS_THEMSELVES or after[0] in COLOURS | INANIMATE
    return made and names_thing(after[0]) and names_thing("".join(after[1:2])) and after[1] not in LINKS


_FACING = frozenset(("pointing", "facing", "loading", "leaning", "handed", "mounted"))


def _is_phrasal(words: Sequence[str], i: int) -> bool:
    """Whether a verb and its particle stand before a noun: "a rolled up carpet", "a pop up tent"; not "a cat up trees"."""
    thing = next((word for word in words[i + 2 :] if not is_modifier(word)), "")
    if not names_thing(thing) or thing in SETTINGS or thing in ("half", "pieces", "slices"):
        return False
    word, particle = words[i], words[i + 1]
    if is_participle(word) or word == "broken":
        return particle in ("up", "down", "out", "off", "in", "on", "over")
    return particle in ("up", "down", "out") and VERB in classes(word) and not is_being(word) and not is_plural(thing)
