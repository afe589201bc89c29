"""Where the name of a thing begins and ends: (adverb | adjective | participle)* noun+ (of ...)*.

Classes of words come from `lexicon`; where a word can be several, its place decides. After a noun an adjective, an adverb, a
participle or a verb ends the name: "dog [barks]", "car [turning left]", "dog [white background]".
"""

from collections.abc import Sequence
from typing import NamedTuple

from infsplign.prompts.lexicon import ADJECTIVE, ADVERB, NOUN, VERB, classes
from infsplign.prompts.styles import MODIFIERS, STYLE_HEADS, STYLE_NOUNS, is_medium, is_style
from infsplign.prompts.word_lists import (
    ACTIONS,
    ADJECTIVES,
    AGES,
    BEINGS,
    BELONGINGS,
    CALLED,
    COLOURS,
    COMPOUND,
    DEGREES,
    FITTINGS,
    FIXED,
    GROUPS,
    HELD,
    HOURS,
    INANIMATE,
    MADE,
    MAKERS,
    MASS,
    MODALS,
    NATIONS,
    NUMBERS,
    PAST,
    PEOPLE,
    PLURALS,
    QUANTITIES,
    SETTINGS,
    SHADES,
    SINGULAR,
    SIZES,
    STRESSED,
    THINGS,
    THINGS_THEMSELVES,
    THINGS_TOO,
    TITLES,
    VERBS,
)
from infsplign.prompts.words import COPULAS, DETERMINERS, LINKS, STOPS

_HOW_EXACTLY = ("exactly", "only", "about", "just")
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


def is_number(word: str) -> bool:
    """Whether a word in lower case says how many: "two", "12", "twenty-two", "2x"."""
    if word in NUMBERS or word.removesuffix("x").isdecimal():
        return True
    tens, _, units = word.partition("-")
    return tens in NUMBERS and (units in NUMBERS or units == "one")


def is_adjective(word: str) -> bool:
    """Whether a word tells what a thing is like rather than what it is."""
    letters = classes(word)
    if "-and-" in word:  # "black-and-white"
        return word.rpartition("-")[2] in ADJECTIVES
    if word in ADJECTIVES or word in NATIONS or (ADJECTIVE in letters and NOUN not in letters):
        return True
    return not letters and word.endswith(("istic", "esque", "-like", "-shaped", "-style", "-themed", "-sized", "-coloured", "-colored"))


def is_participle(word: str) -> bool:
    """Whether a word is a verb's form that can stand before a noun: "smiling", "hand-painted"."""
    letters = classes(word)
    return VERB in letters and NOUN not in letters and (word.endswith(("ing", "ed", "en", "wn")) or not word.endswith("s"))


def is_symbol(word: str) -> bool:
    """Whether a word is no name that could go on: "/", a hashtag, an emoji, "artist:monet"."""
    odd = word[0] in "#@" or ":" in word or (word[0] == "<" and word[-1] != ">")
    return odd or not any(char.isalnum() for char in word)


def is_adverb(word: str) -> bool:
    """Whether a word can only be an adverb."""
    return (classes(word) == ADVERB and word not in ADJECTIVES) or word in DEGREES


def is_modifier(word: str) -> bool:
    """Whether a word can stand before a noun as part of the name, and is no noun."""
    return is_adjective(word) or is_participle(word) or is_adverb(word)


def is_plural(word: str) -> bool:
    """Whether a noun names several things."""
    return word in PLURALS or (word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in SINGULAR)


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
        elif word in QUANTITIES and following == "of":
            begin += 1
        elif not (
            word in DETERMINERS
            or (word == "half" and following in ("a", "an"))
            or (word in _HOW_EXACTLY and (is_number(following) or following == "one"))
        ):
            break
        begin += 1
    return begin, count


_SIZED = frozenset(("tall", "long", "high", "wide", "deep", "thick"))


def _head(words: Sequence[str], begin: int, *, singular: bool) -> int:
    """The end of modifiers and nouns that begin at `begin`."""
    i = begin
    while i < len(words) - 1 and _before_noun(words, i):
        i += 1
    if i >= len(words) or words[i] in STOPS:
        return i if i == begin or words[i - 1] not in ("and", "&") else i - 1
    end = i + 1
    while (fixed := _fixed(words, end)) or (end < len(words) and _goes_on(words, end, i, singular)):
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
    facing = (words[i] in _SIDED and following in _FACING) or (i and words[i - 1] in _SIDED and word in _FACING)
    if facing and any(_names_thing(later) for later in words[i + 1 : i + 4]):  # "a left pointing arrow", "a top loading washing machine"
        return True
    if is_number(word) or _is_phrasal(words, i) or (i and _is_phrasal(words, i - 1)):
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
    described = is_adjective(following) if ADJECTIVE in classes(word) else not classes(word) and following in NATIONS
    if not is_modifier(word) and described:  # "a great white shark", "a Pembroke Welsh Corgi"
        return any(_names_thing(later) and later not in SETTINGS for later in words[i + 2 : i + 3])
    return is_modifier(word) and (following in ("and", "&") or any(_nounlike(later) for later in words[i + 1 : i + 8]))


def joins_modifiers(before: str, after: Sequence[str]) -> bool:
    """Whether an "and" stands inside a name: "a red and white", "a black and chrome motorcycle"; not "an orange and banana"."""
    if not after or not is_modifier(before) or is_modifier(after[0]):
        return bool(after) and is_modifier(before)
    if after[0] in SHADES and after[1:2] and after[1] in COLOURS:  # "a red and sky blue kite"
        return True
    made = before not in THINGS_THEMSELVES or after[0] in COLOURS | INANIMATE
    return made and _names_thing(after[0]) and _names_thing("".join(after[1:2])) and after[1] not in LINKS


_SIDED = frozenset(("left", "right", "top", "front", "side", "forward"))
_FACING = frozenset(("pointing", "facing", "loading", "leaning", "handed", "mounted"))


def _is_phrasal(words: Sequence[str], i: int) -> bool:
    """Whether a verb and its particle stand before a noun: "a rolled up carpet", "a pop up tent"; not "a cat up trees"."""
    thing = next((word for word in words[i + 2 :] if not is_modifier(word)), "")
    if not _names_thing(thing) or thing in SETTINGS:
        return False
    word, particle = words[i], words[i + 1]
    if is_participle(word) or word == "broken":
        return particle in ("up", "down", "out", "off", "in", "on", "over")
    return particle in ("up", "down", "out") and VERB in classes(word) and not is_being(word) and not is_plural(thing)


def _nounlike(word: str) -> bool:
    letters = classes(word)
    return word not in STOPS and word not in LINKS and (NOUN in letters or not letters or word in ADJECTIVES)


def _names_thing(word: str) -> bool:
    return bool(word) and word != "of" and _nounlike(word) and not (is_style(word) or is_adjective(word))


def _goes_on(words: Sequence[str], i: int, noun: int, singular: bool) -> bool:
    """Whether the word `i` after a noun belongs to the name still, whose first noun is the word `noun`."""
    word, before, following = words[i], words[i - 1], words[i + 1] if i + 1 < len(words) else ""
    letters = classes(word)
    if word in COMPOUND and _names_thing(following):
        return True
    made = words[noun] in MAKERS and i > noun  # "a hand carved wooden bowl"
    thing = next((later for later in words[i + 1 :] if not is_adjective(later)), "") if made else following
    if made and is_adjective(word) and i > noun + 1 and all(map(is_adjective, words[noun + 2 : i])) and _names_thing(thing):
        return True
    if _in_compound(word, before, thing) or _of_a_style(words, noun, i):
        return True
    if word in ("left", "right") and following in ("sign", "signs", "arrow", "arrows", "button", "key"):  # "a keep right sign"
        return True
    if word in STOPS or word in LINKS or word in PAST or word in ("and", "&", "of") or is_symbol(word):
        return False
    if is_style(word) or is_medium(word, following) or is_adverb(word):
        return False
    if word in MODALS and (following in COPULAS or following in ACTIONS):  # "a car must be", and not "a trash can"
        return False
    if following and (word in NUMBERS or (word.isdecimal() and is_plural(following))):  # "a fox two strides left of"
        return False
    if word in ("left", "right", "close", "upside", "alone", "half") or word.endswith(("'s", "\u2019s")):
        return False
    if word in STYLE_HEADS and before in MODIFIERS and i - 1 > noun:  # "a street light" is one thing
        return False
    if is_adjective(word):
        of_paper = word in ("square", "oval") and before not in BEINGS and not is_modifier(following)  # "a paper square", "a town square"
        shade = before in SHADES and word in COLOURS and not {*words[:noun]} & COLOURS
        return shade or of_paper
    if word in HOURS and (not following or following in STOPS or is_style(following)):
        return False
    if word.endswith("ing") and len(word) > 4:
        return not is_acting(word, before)
    if VERB not in letters and word not in VERBS:
        return bool(letters) or not word.endswith("ed")
    return (NOUN in letters or word in VERBS) and not _is_verb(word, before, following, singular)


_LAND = frozenset(("lit", "swept", "torn", "worn"))
"""What a place may be as well: "a moon lit forest", "a war torn city"."""


def _in_compound(word: str, before: str, following: str) -> bool:
    """Whether a verb's form between two nouns joins them to one name: "oak dining table", "hand painted vase", "fire breathing dragon"."""
    if not _names_thing(following) or is_medium(following, "") or following in (COLOURS if word in _LAND else SETTINGS | COLOURS):
        return False
    if word.endswith("ing"):  # not "a man playing guitar", "a fire giving light"
        thing = is_being(following) or not (is_plural(following) or following in MASS or {ADJECTIVE, ADVERB} & {*classes(following)})
        pieces = "-" in before and is_number(before.partition("-")[0].replace("one", "two"))  # "a one-piece bathing suit"
        return (before in INANIMATE or pieces) and thing and is_acting(word)
    participle = is_participle(word) and word.endswith(("ed", "en", "wn")) and word not in LINKS and word not in CALLED
    return (
        (participle or word in MADE) and not is_being(before) and NOUN in classes(following) and following not in _SIDED
    )  # not "a house painted Monet"


def is_being(word: str) -> bool:
    """Whether a word names somebody or an animal."""
    return word in BEINGS or word.removesuffix("s") in BEINGS


def _of_a_style(words: Sequence[str], noun: int, i: int) -> bool:
    """Whether a word of style is the middle of a name, after nothing but style: "pop art poster", "art deco lamp", "pixel art cat"."""
    if not (is_style(words[i]) or is_medium(words[i - 1], words[i])) or not all(map(may_be_style, words[noun:i])):
        return False
    later = next((word for word in words[i + 1 :] if not is_style(word)), "")
    return bool(later) and later not in STOPS and _nounlike(later) and not is_adjective(later)


def may_be_style(word: str) -> bool:
    """Whether a word can be a part of what tells how a picture is made: "oil", "art"."""
    return is_style(word) or word in STYLE_HEADS or word in MODIFIERS


def is_acting(word: str, before: str = "") -> bool:
    """Whether a word that ends in "ing" is what a thing does, and no thing like a "building"."""
    stem = word[:-3]
    doubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
    known = VERB in classes(word) + classes(stem) + classes(f"{stem}e") + classes(doubled) or not classes(word) or word in VERBS
    return known and (word not in THINGS or before in PEOPLE) and (word not in FITTINGS or is_being(before))


def _is_verb(word: str, before: str, following: str, singular: bool) -> bool:
    """Whether a word that is noun or verb is a verb after a noun: "a dog barks", "dogs play", "a car turning"."""
    if following in DETERMINERS:
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
