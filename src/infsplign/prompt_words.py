"""The words by which prompts are read: articles, verbs of posture, lead-ins, and spatial words that are not understood."""

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ARTICLES = _set("a an the one")
DETERMINERS = ARTICLES | _set("another some this these those my your his her its our their")
NAMELESS = _set("it they them he she him i me we us there other others each everything nothing")
CHOICES = _set("or nor either neither no not")  # nothing that can be drawn in one picture
WHICH = _set("that which who whose where")
CONTEXT = _set("in on at with without within from by during against through along across around into onto wearing holding")
COPULAS = _set("is are was were be being been")
# Words between an object and its relation that belong to neither: "a cat [is sitting directly] above a table".
LINKS = COPULAS | _set(
    "sitting standing lying laying resting hanging floating flying hovering walking running jumping sleeping parked placed located "
    "sits stands lies lays rests hangs floats hovers walks runs jumps sleeps swims sails waits looks swimming sailing waiting looking "
    "positioned situated seen shown perched directly just right immediately exactly slightly far high straight also then"
)
# "a black and white cat" is one object; any other "and" joins two.
ADJECTIVES = _set("black white red green blue yellow orange purple pink brown grey gray golden silver big small large little old young")
BARE = ("left", "right", "top", "bottom")  # adjectives as well ("a top hat"): relations only where an article follows
MEDIUM = "photo|photograph|picture|image|painting|drawing|illustration|rendering|render|sketch|depiction|portrait|view|shot|close-up|scene"
LEAD = re.compile(
    r"\s*(?:there\s+(?:is|are)\b|(?:please\s+)?(?:show|draw|paint|create|generate|imagine)(?:\s+me)?\b(?=\s+(?:a|an|the|one)\s)"
    rf"|(?:(?:a|an|the)\s+)?(?:(?!(?:a|an|the)\s)[\w-]+\s+){{0,4}}?(?:{MEDIUM})\s+(?:of|showing|depicting|containing)\b)",
    re.IGNORECASE,
)
PLACE = r"(?:left|right|top|bottom|middle|center|centre)"
OF_THE_IMAGE = rf"(?:on|at|in|to)\s+the\s+{PLACE}(?:\s+\w+)?\s+of\s+the\s+(?:image|picture|photo|frame|canvas|scene)"
# Spatial words that are not understood. They are tried after `SPELLINGS`, so what is added there needs no change here.
UNKNOWN = (
    r"(?:(?:on|at|in|to)\s+the\s+)?(?:top|bottom|upper|lower)(?:\s+|-)(?:left|right)(?:\s+(?:corner|side))?(?:\s+of)?",
    rf"(?:on|at|in|to|from)\s+the\s+(?:far\s+)?{PLACE}(?:[\s-]+hand)?(?:\s+(?:side|half|part|edge|corner))?(?:\s+of)?",
    r"near(?:\s+to)?|next\s+to|beside|alongside|(?:close|adjacent)\s+to|(?:on|by)\s+(?:the\s+)?side\s+of|side\s+by\s+side",
    r"(?:in\s+)?between|among|in\s+(?:front|back)\s+of|behind|(?:in|out)side(?:\s+of)?|(?:far|away)\s+from",
    r"opposite(?:\s+of)?|across\s+from|not|never|\w+n['\u2019]t",
)
CLAUSE_END = re.compile(r"[,;!?\u3001\u3002\uff0c]|[.:](?=\s|$)|\s[-\u2013]\s|\u2014|\b(?:while|whereas|but)\b", re.IGNORECASE)
WORD = re.compile(r"\S+")
AND = re.compile(r"\band\b|&", re.IGNORECASE)
QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb.,;:!?"
UNCLEAR = re.compile(r"[()\[\]{}<>|=*\"\u201c\u201d]")
