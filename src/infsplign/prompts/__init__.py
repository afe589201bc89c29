"""Reading a prompt: which objects it names and which relations it asks for. Rules only; what they cannot read is an error.

    words      the words that the rules know
    finding    where the relations stand
    clauses    what lies between them, cut into pieces that each name an object
    grammar    which objects each relation joins
    naming     which mentions are the same object, and what its map is read from
    reading    the scene

`docs/prompts.md` shows by example what is read and what is refused.
"""

from infsplign.prompts.parsing import Entry, parse_prompt, parse_relation, scene_from

__all__ = ["Entry", "parse_prompt", "parse_relation", "scene_from"]
