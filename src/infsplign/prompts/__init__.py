"""Reading a prompt: which objects it names and which relations it asks for. Rules only; what they cannot read is an error.

    weights          what a prompt says to other programs: "(cat:1.3)", "--ar 16:9"
    lexicon          what an English word can be: noun, verb, adjective, adverb
    words, word_lists  the words and patterns that the rules know
    styles, nouns    where the name of a thing begins and ends
    clauses, objects the text cut into pieces, and the object that each names
    relation_finder  where the relations stand (matches); sides, scenery: places without article, and settings that are no relations
    grammar          which objects each relation joins; connectives, inverted: what "and", commas and order say
    mentions         which mentions are the same object, and what its map is read from
    listing          all objects that are named, without relations
    parsing          the scene; by_hand: relations that are given
    refusing, hints  the errors, and what a word may have been meant to be
    phrases, tokens  from an object's words to the tokens of a text encoder

`docs/prompts.md` shows by example what is read and what is refused.
"""

from infsplign.prompts.by_hand import Entry, parse_relation, scene_from
from infsplign.prompts.parsing import parse_prompt

__all__ = ["Entry", "parse_prompt", "parse_relation", "scene_from"]
