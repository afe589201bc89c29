"""Progress of the denoising: a bar in a terminal, a line every few seconds elsewhere, such as in a log file."""

import sys
from typing import Any, TextIO

EVERY = 5.0
"""Seconds between two lines where the output is no terminal."""


class Lines:
    """A stream for `tqdm` that writes each state of the bar on a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        if line := text.strip():
            self.stream.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        self.stream.flush()


def bar_options(description: str) -> dict[str, Any]:
    """Options of `tqdm` for the bar of one image on stderr."""
    shared = {"desc": description, "unit": "step", "disable": False}
    if sys.stderr.isatty():
        return shared | {"file": sys.stderr, "mininterval": 0.1}
    return shared | {
        "file": Lines(sys.stderr),
        "mininterval": EVERY,
        "bar_format": "{desc}: step {n_fmt} of {total_fmt}, {elapsed}, {remaining} left",
    }
