"""The support table: what people do to a pipeline around guidance, one row each, produced by running it.

A row is a function that raises when its claim is false. A row of `refused` states the error that it must meet.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

HEADER = "| what | tried on | with guidance | how, or why not |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Row:
    """One line of the table. `error` is None where it works."""

    what: str
    tried_on: str
    note: str
    run: Callable[[], None]
    error: type[Exception] | None = None
    message: str = ""

    def check(self) -> None:
        """Runs the row.

        Raises:
            AssertionError: its claim is false.
        """
        try:
            self.run()
        except Exception as error:
            if self.error is None or not isinstance(error, self.error):
                raise
            if not re.search(self.message, str(error)):
                raise AssertionError(f"the error does not say {self.message!r}: {error}") from error
        else:
            assert self.error is None, f"expected {self.error} with {self.message!r}, but nothing was refused"

    def line(self) -> str:
        """The row as markdown."""
        outcome = "works" if self.error is None else f'refused: `{self.error.__name__}`, "{self.message}"'
        return f"| {self.what} | {self.tried_on} | {outcome} | {self.note} |"


ROWS: list[Row] = []
Register = Callable[[Callable[[], None]], Callable[[], None]]


def works(what: str, tried_on: str, note: str = "") -> Register:
    """Registers a row that works."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        ROWS.append(Row(what, tried_on, note, function))
        return function

    return register


def refused(what: str, tried_on: str, note: str, error: type[Exception], message: str) -> Register:
    """Registers a row that is refused with an error."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        ROWS.append(Row(what, tried_on, note, function, error, message))
        return function

    return register


def markdown() -> str:
    """The whole table."""
    return HEADER + "\n".join(row.line() for row in ROWS) + "\n"
