"""The one object that a span of a prompt names; refusals where it is not clear which."""

from collections.abc import Sequence
from itertools import pairwise

from infsplign.prompts.after_name import check_rest
from infsplign.prompts.after_noun import is_done
from infsplign.prompts.clauses import (
    Span,
    begins_name,
    clauses,
    error_at,
    head_of,
    is_blank,
    is_list_item,
    lower_of,
    parts_of,
    text_of,
    without_lead,
    words_of,
)
from infsplign.prompts.lexicon import NOUN, classes
from infsplign.prompts.nouns import LONGEST, first_name
from infsplign.prompts.styles import EITHER, STYLE_HEADS
from infsplign.prompts.word_classes import is_adjective, is_being, is_modifier, is_number, is_participle, may_be_style
from infsplign.prompts.word_lists import (
    COLOURS,
    PARTS,
    SETTINGS,
    SKY,
    THINGS_THEMSELVES,
    WHERE,
    word_set,
)
from infsplign.prompts.words import (
    CARRYING,
    CHOICES,
    COPULAS,
    DETERMINERS,
    LINKS,
    NAMELESS,
    PRONOUNS,
    STOPS,
    UNCLEAR,
)


def listed_in(prompt: str, span: Span) -> list[Span]:
    """The objects that a span names one by one, each with its article."""
    parts = [without_lead(prompt, part) for chunk in clauses(prompt, span) for part in parts_of(prompt, chunk)]
    return objects_of(prompt, items) if (items := [part for part in parts if is_list_item(prompt, part)]) else []


def objects_of(prompt: str, pieces: Sequence[Span], *, about: bool = False) -> list[Span]:
    """The object of each piece that names one."""
    named = [piece for piece in pieces if not is_blank(prompt, piece)]
    found = [_object(prompt, piece, about=about) for piece in named or pieces[:1]]
    _check_nouns(prompt, found)
    for name, (piece, following) in zip(found, pairwise(named), strict=False):
        _check_not_carried(prompt, (name[1], piece[1]), following)
    return found


def _check_not_carried(prompt: str, rest: Span, following: Span) -> None:
    """Refuses an object of a list that may belong to what is said of the one before it: "a man [with long hair] and a beard"."""
    words = words_of(prompt, rest)
    lower = [text_of(prompt, word).lower() for word in words]
    carried = next((i for i, word in enumerate(lower) if begins_name(word) or word in CARRYING), None)
    if carried is not None and head_of(prompt, (words[carried + (lower[carried] in CARRYING)][0], rest[1])) not in SETTINGS | SKY:
        told = text_of(prompt, (words[0][0], words[-1][1]))
        raise error_at(prompt, following, f"it is not clear whether this belongs to `{told}`", "leave that out, or name this object before")


def _check_nouns(prompt: str, listed: Sequence[Span]) -> None:
    """Refuses adjectives alone before a noun that they may share: "a red and a blue ball"."""
    *last, noun = lower_of(prompt, listed[-1]).split()
    if not last or not is_adjective(last[0]) or is_adjective(noun):
        return
    for span in listed[:-1]:
        words = lower_of(prompt, span).split()
        if all(is_adjective(word) and word not in THINGS_THEMSELVES for word in words):
            raise error_at(prompt, span, "it is not clear what this describes", f"write `{' '.join(words)} {noun}` if that is meant")


def _object(prompt: str, span: Span, *, about: bool = False) -> Span:
    """Finds the one object that a span names: without article, numeral, lead-in ("a photo of") and what follows the name.

    Args:
        about: the span stands before a relation. "a mug with a flower above ..." then leaves open what is above; after a relation
            "with a flower" is merely left out.
    """
    words = words_of(prompt, without_lead(prompt, span) if about else span)
    lower = [text_of(prompt, word).lower() for word in words]
    if len(words) == 1 and text_of(prompt, words[0]) == "A":  # a name: "A left of B"
        return words[0]
    begin, end, _ = first_name(lower)
    while begin == 0 < end < len(lower) and _goes_on_in_capitals(prompt, words[end - 1], words[end]):
        end += 1
    if begin < end < len(lower) - 1 and lower[end] == "the" and _is_title(prompt, [words[end - 1], words[end + 1]]):
        end += 2  # "Winnie the Pooh"
    while lower[begin : begin + 1] == ["same"] and end - begin > 1:  # "the same dog" is the dog
        begin += 1
    if end > begin and end + 1 == len(lower) and lower[end] in _SHOWN and (about or all(map(may_be_style, lower[begin:end]))):
        end += 1  # "a family photo above", "left of a color photo"
    name, rest = lower[begin:end], lower[end:]
    if lower and lower[begin] in NAMELESS and (not name or len(lower) == 1 or lower[begin] in ("it", "itself", "they", "them")):
        raise error_at(prompt, words[begin], f"{text_of(prompt, words[begin])!r} is not the name of an object", "repeat its name")
    if not name or name[0] in DETERMINERS or (name[0] in LINKS and len(name) == 1):
        _refuse_choice(prompt, words, lower)
        where = span[1] if about else span[0]
        raise error_at(prompt, (words[0][0], words[-1][1]) if words else (where, where), "an object is missing", "name the object here")
    found = (words[begin][0], words[end - 1][1])
    chosen = about or bool(rest and rest[0] in ("or", "nor"))  # "left of a dog or a bird"
    _refuse_choice(prompt, [(found[0], words[-1][1])] if chosen else [found], lower[begin:] if chosen else name)
    if _is_part(name):
        raise error_at(
            prompt, found, f"{text_of(prompt, found)!r} is a part of the picture or of an object", "write `left of`, `above` or `near`"
        )
    if name[-1] in ("one", "ones") and len(name) > 1 and all(map(is_modifier, name[:-1])):
        raise error_at(prompt, found, f"{text_of(prompt, found)!r} is not the name of an object", "repeat its name")
    if begin == 0 and all(word in COLOURS - THINGS_THEMSELVES for word in name):  # "three balls: red left of blue"
        raise error_at(prompt, found, "it is not clear what this describes", "name the object too")
    if len(name) == 1 and (name[0] in NAMELESS or is_number(name[0])):
        raise error_at(prompt, found, f"{text_of(prompt, found)!r} is not the name of an object", "repeat its name")
    if rest and (rest[0] in PRONOUNS or (about and list(rest) == ["left"])):  # "a cat. Put it left of a dog", "a cat left above a dog"
        raise error_at(prompt, (found[0], words[end][1]), "it is not clear which object this is", "name it before its relation")
    called = _is_title(prompt, words[begin:end])  # "Mickey Mouse is"; not "left of dog cat is black"
    if begin == 0 and not called and rest and rest[0] in COPULAS and sum(not is_modifier(word) for word in name) > 1:
        raise error_at(prompt, found, "it is not clear whether this is one object", "put a comma between two")
    if len(name) == 1 and name[0].endswith("ed") and is_participle(name[0]):  # "left of a pulled over car"
        raise error_at(prompt, found, f"{text_of(prompt, found)!r} is not the name of an object", "name what it describes")
    if _may_end_earlier(name, rest, text_of(prompt, words[end - 1]), about):
        raise error_at(
            prompt, words[end - 1], "it is not clear whether this belongs to the object before it", "put a comma before it if not"
        )
    owner = name[-1].removesuffix("'s").removesuffix("\u2019s")
    if owner != name[-1] and NOUN in classes(owner):  # "the cat's left of a dog"; "McDonald's" is a name
        raise error_at(prompt, found, "it is not clear whether this is one object", f"write `{owner} is` if that is meant")
    grown = name[-1] == "field" and not is_being(name[0])  # "a corn field"
    if name[-1] in WHERE and len(name) > 1 and "the" not in name and not is_modifier(name[-2]) and name[-2] not in WHERE and not grown:
        raise error_at(prompt, found, "it is not clear whether this is one object", f"write `{' '.join(name[:-1])}, {name[-1]}` if not")
    check_rest(prompt, words[end:], rest, about, name[-1])
    if UNCLEAR.search(prompt, *found) or sum(word not in ("of", "and") and not is_modifier(word) for word in name) > LONGEST:
        raise error_at(prompt, found, "it is not clear which object this is", "name it in a few words")
    return found


def _is_title(prompt: str, words: Sequence[Span]) -> bool:
    """Whether every word begins with a capital, as in the name of somebody."""
    return all(text_of(prompt, word).istitle() for word in words)


def _goes_on_in_capitals(prompt: str, before: Span, word: Span) -> bool:
    """Whether a name of somebody goes on with an adjective or a verb: "Jack [Black]", "Prince [Harry]"."""
    one, other = text_of(prompt, before), text_of(prompt, word)
    letters = classes(other.lower())
    names = one.istitle() and other.istitle() and not other.endswith("ing") and prompt[before[1] : word[0]] == " "
    return names and other.lower() not in STOPS | LINKS | NAMELESS and (is_adjective(other.lower()) or letters == "v")


def _may_end_earlier(name: Sequence[str], rest: Sequence[str], last: str, about: bool) -> bool:
    """Whether the last word of a name may be style instead: "dog sticker", "dog [artist]", "wine glass background". Before a relation
    "a dog sticker" is a thing, and so are "an oil painting" and "a pop art poster" anywhere."""
    nouns = [word for word in name if not is_modifier(word)]
    if len(nouns) < 2 or "of" in name:
        return False
    unknown = not classes(name[-1]) and bool(classes(nouns[0])) and last.islower() and last.isalpha()
    either = name[-1] in EITHER and not about and not all(map(may_be_style, name[:-1]))
    return either or unknown or bool(rest and rest[0] in STYLE_HEADS and rest[0] not in ("style", "art") and not is_done(rest, 0))


def _is_part(name: Sequence[str]) -> bool:
    """Whether a name is a place within something: "the middle of two cats", "corner", "the left edge"."""
    head = name[name.index("of") - 1] if "of" in name[1:] else name[-1]
    sided = all(word in PARTS or word in ("top", "bottom", "upper", "lower", "other", "far", "near", "opposite") for word in name)
    return head in PARTS and (sided or "of" in name)


def _refuse_choice(prompt: str, words: Sequence[Span], lower: Sequence[str]) -> None:
    if words and any(word in CHOICES for word in lower):
        where = (words[0][0], words[-1][1])
        raise error_at(prompt, where, "a choice or a negation cannot be drawn", "say what is there")


_SHOWN = word_set("photo photos photograph art artwork wallpaper illustration render screenshot")
