"""How a prompt is read, as HTML: its objects and relations, or the prompt with a mark under what is not understood."""

from collections.abc import Sequence
from html import escape

from infsplign.core.relations import SceneRelation
from infsplign.core.scenes import Scene
from infsplign.generation.options import GenerateOptions
from infsplign.generation.vocabulary import unknown_words
from infsplign.prompts.parsing import counted_in
from infsplign.prompts.refusing import MarkedError
from infsplign.visuals.style import colour_of

EMPTY = "Type a prompt, such as <em>a cat to the left of a dog</em>, or press the buttons below."


def relations_of(text: str | None) -> tuple[str, ...]:
    """Returns the relations of a text, one a line or separated by semicolons."""
    return tuple(part.strip() for line in (text or "").splitlines() for part in line.split(";") if part.strip())


def read_prompt(prompt: str | None, relations: str | None, model: str) -> str:
    """Describes how a prompt is read.

    Args:
        prompt: as typed so far.
        relations: by hand, one a line; read from the prompt where it is empty.
        model: words that it was trained without are named.

    Returns:
        HTML, with all text from outside escaped.
    """
    prompt = prompt or ""  # gradio gives None for a field that was never open
    if not prompt.strip():
        return _box("empty", EMPTY)
    try:
        scene, _ = GenerateOptions(prompt=prompt, relations=relations_of(relations)).scene()
    except MarkedError as error:
        return _box("unread", _marked(error))
    except ValueError as error:
        return _box("unread", f'<pre class="is-message">{escape(str(error).strip())}</pre>')
    notes = [*_counts(prompt, relations), *_strangers(prompt, model)]
    return _box("read", _objects(scene) + _relations(scene) + "".join(f'<div class="is-note">{note}</div>' for note in notes))


def _box(kind: str, inner: str) -> str:
    return f'<div class="is-reading is-{kind}" role="status">{inner}</div>'


def _marked(error: MarkedError) -> str:
    start, stop = error.span
    before, wrong, after = error.text[:start], error.text[start:stop], error.text[stop:]
    mark = f"<mark>{escape(wrong)}</mark>" if wrong.strip() else '<mark class="is-gap" aria-label="here">&nbsp;</mark>'
    problem = f"{error.problem[:1].upper()}{error.problem[1:]}"
    remedy = f"{'' if problem.endswith('?') else ':'} {error.remedy}" if error.remedy else ""
    return f'<div class="is-quote">{escape(before)}{mark}{escape(after)}</div><div class="is-problem">{escape(problem + remedy)}.</div>'


def _objects(scene: Scene) -> str:
    return (
        f'<div class="is-line"><span class="is-head">objects</span>{" ".join(map(_chip, scene.objects, range(len(scene.objects))))}</div>'
    )


def _relations(scene: Scene) -> str:
    if not scene.relations:
        return '<div class="is-line"><span class="is-head">relations</span>none</div>'
    lines = "".join(f'<span class="is-relation">{in_chips(scene, edge)}</span>' for edge in scene.relations)
    return f'<div class="is-line"><span class="is-head">relations</span>{lines}</div>'


def in_chips(scene: Scene, edge: SceneRelation) -> str:
    """Writes a relation with its objects in their colours."""
    first, *others = (_chip(scene.objects[number], number) for number in edge.objects)
    return " ".join(filter(None, (first, escape(edge.relation.name), " and ".join(others))))


def _chip(name: str, number: int) -> str:
    return f'<span class="is-chip" style="--colour: {colour_of(number)}">{escape(name)}</span>'


def _counts(prompt: str, relations: str | None) -> Sequence[str]:
    if relations_of(relations):
        return ()
    return [f"The number of <em>{escape(counted)}</em> is not guided, only where they are." for counted in counted_in(prompt)]


def _strangers(prompt: str, model: str) -> Sequence[str]:
    words = unknown_words(model, prompt)
    if not words:
        return ()
    told, them = ", ".join(f"<em>{escape(word)}</em>" for word in words), "it" if len(words) == 1 else "them"
    return [f"The model <em>{escape(model)}</em> was trained without {told} and will ignore or misread {them}."]
