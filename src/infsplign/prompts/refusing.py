"""Errors about a prompt: the place first, then what is wrong there and what to write, with the user's own words."""

from collections.abc import Sequence

from infsplign.errors import PromptError
from infsplign.prompts.phrases import underline

WIDTH = 100
"""Characters of a prompt that an error shows."""


class UnreadError(PromptError):
    """What cannot be read, and where.

    Attributes:
        problem: what is wrong, without a full stop.
        span: characters of the prompt.
        remedy: what to write; "" where only relations by hand help.
        meant: the word that was probably meant at `span`; "" if none is known.
    """

    def __init__(self, problem: str, span: tuple[int, int], remedy: str = "", meant: str = "") -> None:
        super().__init__(problem)
        self.problem, self.span, self.remedy, self.meant = problem, span, remedy, meant

    def corrected(self, prompt: str) -> str:
        """The prompt with the word that was meant, or unchanged."""
        start, stop = self.span
        return f"{prompt[:start]}{self.meant}{prompt[stop:]}" if self.meant else prompt


class MarkedError(PromptError):
    """The same as a user sees it: the message shows the place in the prompt, with a marker under it.

    Attributes:
        text: the prompt, or the relation by hand, that `span` is a part of.
        problem, span, remedy: of the `UnreadError`.
    """

    def __init__(self, message: str, *, text: str = "", problem: str = "", span: tuple[int, int] = (0, 0), remedy: str = "") -> None:
        super().__init__(message)  # the only positional argument, so that copies and pickles can be made
        self.text, self.problem, self.span, self.remedy = text, problem, span, remedy


def explained(prompt: str, error: UnreadError, names: Sequence[str] = (), relation: str = "") -> MarkedError:
    """The error that a user sees: the place, what is wrong there and what to write, and the same by hand.

    Args:
        names: objects of the prompt as far as they are known, for the example.
        relation: of two objects, for the example; "" where it is not known what is meant: one of them, copied, could be the reverse.
    """
    problem = f"{error.problem[:1].upper()}{error.problem[1:]}"
    remedy = f"{'' if problem.endswith('?') else ':'} {error.remedy}" if error.remedy else ""
    told = "By hand, with the relation that is meant" if names and not relation else "By hand"
    message = f"\n{marked(prompt, *error.span)}\n{problem}{remedy}.\n{told}: {example(names, relation)}"
    return MarkedError(message, text=prompt, problem=error.problem, span=error.span, remedy=error.remedy)


def example(names: Sequence[str], relation: str = "") -> str:
    """Relations by hand in Python and on the command line, about the first two of these objects; "..." stands for an unknown relation."""
    relation = relation or ("..." if names else "left of")
    known = [*dict.fromkeys(names), "cat", "dog"]
    first = known[0]
    second = next(name for name in known[1:] if name != first)
    entry = f'({_quoted(first)}, "{relation}", {_quoted(second)})'
    return f"`relations=[{entry}]` or `--relation {_quoted(f'{first} {relation} {second}')}`"


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def marked(prompt: str, start: int, stop: int) -> str:
    """The part of a prompt around a span on one line, with a marker under the span."""
    stop = min(stop, start + WIDTH)
    if len(prompt) <= WIDTH:
        return underline(prompt, start, stop)
    begin = max(0, min(start - (WIDTH - (stop - start)) // 2, len(prompt) - WIDTH))
    end = min(len(prompt), max(begin + WIDTH, stop))
    before, after = "\u2026" * (begin > 0), "\u2026" * (end < len(prompt))
    return underline(before + prompt[begin:end] + after, start - begin + len(before), stop - begin + len(before))
