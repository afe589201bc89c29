"""What the buttons do. Each visitor has a `Session`, kept by the server until the page is closed; nothing is shared between visitors."""

import math
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from PIL import Image

from infsplign.app import views
from infsplign.app.folder import zipped
from infsplign.app.reading import relations_of
from infsplign.app.results import Result
from infsplign.app.workshop import METHODS, News, Workshop
from infsplign.generation.options import GenerateOptions

MOST = 100
"""Results that a session keeps; the oldest is forgotten."""


class Session:
    """Of one open page. No dataclass: gradio would take one apart.

    Attributes:
        results: what was made, the latest last; at most `MOST`.
        first: number of the first of them, from 1: those that are forgotten keep theirs.
        chosen: index of the result that is shown; None while a sampling is, and after one that has ended early.
        stop: of the latest sampling; None before it.
        folder: of the zip file; made with the first result.
    """

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.first = 1
        self.chosen: int | None = None
        self.stop: Event | None = None
        self.folder: Path | None = None

    @property
    def shown(self) -> Result | None:
        return None if self.chosen is None else self.results[self.chosen]

    def begin(self) -> Event:
        """Begins a sampling: nothing of an earlier one is shown. Returns what stops it."""
        if self.stop is not None:
            self.stop.set()  # of a sampling whose page has lost it
        self.stop, self.chosen = Event(), None
        return self.stop

    def add(self, result: Result) -> None:
        """Keeps a result and chooses it."""
        made = [*self.results, result]
        self.results, self.first = made[-MOST:], self.first + max(0, len(made) - MOST)
        self.chosen = len(self.results) - 1

    def zip(self) -> Path:
        """Writes all results to a zip file."""
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="infsplign-"))
        return zipped(self.results, self.folder, first=self.first)

    def close(self) -> None:
        """Ends the sampling and removes the files, when the page is closed or has lost its connection, after which it may go on."""
        if self.stop is not None:
            self.stop.set()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


@dataclass(frozen=True)
class View:
    """What the page shows of a sampling; None leaves a part as it is. `begins` removes what there is of an earlier one."""

    status: str
    bars: str
    images: dict[str, Image.Image]
    result: Result | None = None
    archive: Path | None = None
    running: bool = True
    begins: bool = False


def asked(values: dict[str, Any], workshop: Workshop) -> GenerateOptions:
    """Makes the options from the values of the page's fields; empty fields, and a strength that was not moved, are the model's own values.

    Raises:
        ValueError: a field with an invalid value.
    """
    strength, own = values["strength"], workshop.strength(values["model"])
    return replace(
        workshop.base,
        prompt=values["prompt"] or "",
        model=values["model"],
        relations=relations_of(values["relations"]),
        seed=_seed(values["seed"]),
        steps=_whole("steps", values["steps"], least=1),
        guidance_scale=values["guidance_scale"],
        strength=None if strength == own else strength,
        negative_prompt=(values["negative_prompt"] or "").strip() or None,
        height=_whole("height", values["height"], least=8),
        width=_whole("width", values["width"], least=8),
    )


def _seed(value: float | None) -> int:
    found = _whole("seed", value, least=0)
    if found is None:
        raise ValueError("`seed` must be a whole number >= 0, got none")
    return found


def _whole(name: str, value: float | None, *, least: int) -> int | None:
    if value is None:
        return None
    if not math.isfinite(value) or value != int(value) or value < least:
        raise ValueError(f"`{name}` must be a whole number >= {least}, got {value:g}")
    return int(value)


def generate(workshop: Workshop, session: Session, values: dict[str, Any]) -> Iterator[View]:
    """Samples what the fields ask for, and yields what the page shows meanwhile. Invalid input ends it with a message, not an exception."""
    progress: dict[str, tuple[int, int]] = {}
    try:
        options = asked(values, workshop)
        options.scene()
        options.check()
    except ValueError as error:
        yield View(views.message(str(error).strip("\n"), "failure"), "", {}, running=False)
        return
    stop = session.begin()
    yield View("", views.bars(progress), {}, begins=True)
    for news in workshop.make(options, stop):
        view = _view(news, progress)
        if news.result is not None:
            session.add(news.result)
            view = _archived(view, session)
        elif session.shown is not None:  # chosen in the gallery meanwhile: a preview beside its attention would be of another prompt
            view = replace(view, images={})
        yield view


def _archived(view: View, session: Session) -> View:
    try:
        return replace(view, archive=session.zip())
    except OSError as error:  # the images are there, only the file is not
        return replace(view, status=views.message(str(error), "failure"))


def _view(news: News, progress: dict[str, tuple[int, int]]) -> View:
    if news.failure:
        return View(views.message(news.failure, "failure"), views.bars(progress) if progress else "", {}, running=False)
    if news.method:
        progress[news.method] = (news.step, news.steps)
    if news.result is not None:
        return View("", "", {method: views.shown(news.result.images[method]) for method in METHODS}, news.result, running=False)
    images = {news.method: views.shown(news.image)} if news.image is not None else {}
    return View(views.message(news.text), views.bars(progress), images)
