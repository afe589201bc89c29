"""The words by which prompts are read: articles, verbs of posture, lead-ins, settings, and spatial words that are not understood."""

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ARTICLES = _set("a an the one")
DETERMINERS = ARTICLES | _set("another some this these those my your his her its our their")
NAMELESS = _set(
    "it itself they them themselves he she him i me we us there other others each both everything nothing "
    "left right top bottom middle center centre side"
)
CHOICES = _set("or nor either neither no not")  # nothing that can be drawn in one picture
WHICH = _set("that which who whose where")
CONTEXT = _set("in on at upon with without within from by during against through along across around into onto wearing holding")
COPULAS = _set("is are was were be being been")
# Words between an object and its relation that belong to neither: "a cat [is sitting directly] above a table".
LINKS = COPULAS | _set(
    "sitting standing lying laying resting hanging floating flying hovering walking running jumping sleeping parked placed located "
    "sits stands lies lays rests hangs floats hovers walks runs jumps sleeps swims sails waits looks swimming sailing waiting looking "
    "positioned situated seen shown perched directly just right immediately exactly slightly far high straight also then "
    "much halfway midway somewhere diagonally surrounded covered"
)
# Words that say what an object is like: they never end its name. "A black and white cat" is one object; any other "and" joins two.
ADJECTIVES = _set(
    "black white red green blue yellow orange purple pink brown grey gray golden silver beige violet turquoise teal maroon colorful "
    "colourful dark bright pale shiny big small large little tiny huge giant tall short long wide narrow thick thin old young new ancient "
    "modern antique vintage round square rectangular triangular oval circular spherical wooden metal metallic plastic leather rubber "
    "fluffy furry fuzzy striped spotted smooth rough soft hard cute beautiful pretty ugly happy sad angry dirty clean empty full broken"
)
# After "in" and "on" these are where the picture is, not an object in it; "a cat on a beach" asks for no relation.
SETTINGS = _set(
    "background foreground distance style manner front back air sky water sea ocean lake river beach sand desert park garden forest woods "
    "jungle field meadow grass lawn hill mountains valley landscape snow rain fog wind sun sunlight sunset sunrise light shadow shade dark "
    "night day morning evening afternoon summer winter spring autumn street road city town village world universe space studio room "
    "kitchen bedroom bathroom office museum restaurant wall walls floor ground ceiling scene image picture photo painting drawing"
)
BARE = _set("left right top bottom")  # adjectives as well ("a top hat"): relations only where an article follows
SIDES = BARE | _set("upper lower middle center centre")  # a place ends before none of them: "in the top left of a box"
WEAK = _set("in on upon within by")  # relations only where an article and an object follow that is no setting
EACH_OTHER = frozenset(("each other", "one another"))
THEM = frozenset(("them", "the two", "both", "both of them", "the two of them", "these", "these two"))

MEDIUM = "photo|photograph|picture|image|painting|drawing|illustration|rendering|render|sketch|depiction|portrait|view|shot|close-up|scene"
LEAD = re.compile(
    r"\s*(?:there\s+(?:is|are)\b|with\b|(?:please\s+)?(?:show|draw|paint|create|generate|imagine)(?:\s+me)?\b(?=\s+(?:a|an|the|one)\s)"
    rf"|(?:(?:a|an|the)\s+)?(?:(?!(?:a|an|the)\s)[\w-]+\s+){{0,4}}?(?:{MEDIUM})\s+(?:of|with|showing|depicting|containing)\b)",
    re.IGNORECASE,
)
OF_THE_IMAGE = rf"\s+(?:of|in)\s+(?:the|this)\s+(?:{MEDIUM}|frame|canvas)(?!\s+(?:frame|album|book|wall)\b)"
PLACE = r"(?:left|right|top|bottom|upper|lower|middle|center|centre)"
# Spatial words that are not understood. They are tried after `SPELLINGS`, so what is added there needs no change here.
UNKNOWN = (
    rf"(?:on|at|in|to|from)\s+the\s+(?:far\s+|very\s+)?{PLACE}(?:[\s-]+(?:left|right))?(?:[\s-]+hand)?"
    r"(?:\s+(?:side|half|third|part|edge|corner))?(?:\s+of(?:\s+the\s+(?:image|picture|photo|frame|canvas|scene))?)?",
    r"(?:top|bottom|upper|lower)(?:\s+|-)(?:left|right)(?:\s+(?:corner|side))?(?:\s+of)?",
    r"near(?:\s+to)?|next\s+to|beside|alongside|(?:close|adjacent)\s+to|(?:on|by)\s+(?:the\s+)?side\s+of|side\s+by\s+side",
    r"(?:in\s+)?between|among|in\s+(?:front|back)\s+of|behind|(?:in|out)side(?:\s+of)?|(?:far|away)\s+from|(?:small|larg|bigg)er\s+than",
    r"(?:on|to|at|by)\s+(?:its|his|her|their|my|your|our)\s+(?:left|right|side|top|bottom)(?:\s+side)?",
    r"opposite(?:\s+of)?|across\s+from|(?:tall|short|wid)er\s+than|not|never|\w+n['\u2019]t",
)
CLAUSE_END = re.compile(r"[,;!?\u3001\u3002\uff0c]|[.:](?=\s|$)|\s[-\u2013]\s|\u2014|\b(?:while|whereas|but)\b", re.IGNORECASE)
SENTENCE_END = re.compile(r"[;!?\u3002]|[.:](?=\s|$)")
_OUTSIDE = r"\s\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb.,;:!?"
WORD = re.compile(rf"[^{_OUTSIDE}](?:\S*[^{_OUTSIDE}])?")  # without the quotes and punctuation around it
AND = re.compile(r"\band\b|&", re.IGNORECASE)
UNCLEAR = re.compile(r"[()\[\]{}<>|=*\"\u201c\u201d]")
