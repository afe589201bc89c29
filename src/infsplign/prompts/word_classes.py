"""What kind of word a word in lower case is, by itself: classes come from `lexicon`, and the lists of `word_lists` correct them."""

from infsplign.prompts.beings import BEINGS
from infsplign.prompts.lexicon import ADJECTIVE, ADVERB, NOUN, VERB, classes
from infsplign.prompts.styles import MODIFIERS, STYLE_HEADS, is_style
from infsplign.prompts.word_lists import ADJECTIVES, DEGREES, FITTINGS, NATIONS, NUMBERS, PEOPLE, PLURALS, SINGULAR, THINGS, VERBS
from infsplign.prompts.words import LINKS, STOPS


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


def is_being(word: str) -> bool:
    """Whether a word names somebody or an animal; "1girl" and "2boys" are tags."""
    word = word.lstrip("0123456789")
    return word in BEINGS or word.removesuffix("s") in BEINGS


def is_acting(word: str, before: str = "") -> bool:
    """Whether a word that ends in "ing" is what a thing does, and no thing like a "building"."""
    stem = word[:-3]
    doubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
    known = VERB in classes(word) + classes(stem) + classes(f"{stem}e") + classes(doubled) or not classes(word) or word in VERBS
    return known and (word not in THINGS or before in PEOPLE) and (word not in FITTINGS or is_being(before))


def may_be_style(word: str) -> bool:
    """Whether a word can be a part of what tells how a picture is made: "oil", "art"."""
    return is_style(word) or word in STYLE_HEADS or word in MODIFIERS


def is_nounlike(word: str) -> bool:
    """Whether a word can be a noun, or an adjective that stands for one."""
    letters = classes(word)
    return word not in STOPS and word not in LINKS and (NOUN in letters or not letters or word in ADJECTIVES)


def names_thing(word: str) -> bool:
    """Whether a word can be the noun of a name; "" is none."""
    return bool(word) and word != "of" and is_nounlike(word) and not (is_style(word) or is_adjective(word))
