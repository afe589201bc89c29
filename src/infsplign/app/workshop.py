"""One loaded pipeline, and one sampling at a time, in a thread of its own: the page gets its news one by one."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from PIL import Image
from torch import Tensor

from infsplign.app.previews import preview, watched
from infsplign.app.results import Result, result_of
from infsplign.generation.job import Job
from infsplign.generation.messages import message_of
from infsplign.generation.models import defaults_for, image_size, load_pipeline, quiet
from infsplign.generation.options import GenerateOptions, Pair

PREVIEWS = 8
"""Pictures of a sampling before it is finished."""
METHODS = ("unguided", "guided")
UNBOUND = 0.15
"""`max_shift` of `RECOMMENDED`: where the slider of the strength begins for a preset without a bound; only moving it sets one."""


@dataclass(frozen=True)
class News:
    """What happened.

    Attributes:
        text: what is being done.
        method: "unguided" or "guided"; empty before both.
        step, steps: how far it is.
        image: a preview, or the finished image; None where there is no new one.
        result: at the end.
        failure: why it ended early; empty when it did not.
    """

    text: str = ""
    method: str = ""
    step: int = 0
    steps: int = 0
    image: Image.Image | None = None
    result: Result | None = None
    failure: str = ""

    @property
    def last(self) -> bool:
        return self.result is not None or bool(self.failure)


class StoppedError(Exception):
    """The user has stopped the sampling."""


class Workshop:
    """Loads pipelines and samples with them; whoever comes second waits.

    Args:
        base: options of all images that the page does not change: preset, plan, offload, device, dtype.
        load: makes the pipeline of a model.
    """

    def __init__(self, base: GenerateOptions | None = None, *, load: Callable[..., Any] = load_pipeline) -> None:
        self.base, self._load = base or GenerateOptions(), load
        self._lock, self._loaded = Lock(), ("", None)

    def bound(self, model: str) -> float | None:
        """Returns the bound of a model's preset; None where the preset has none, or where there is none before the model is loaded."""
        own = self.base.loaded or defaults_for(model).config
        return own.max_shift if own is not None else None

    def strength(self, model: str) -> float:
        """Returns where the page's slider begins: at the bound of the model's preset, else at `UNBOUND`."""
        return self.bound(model) or UNBOUND

    def make(self, options: GenerateOptions, stop: Event) -> Iterator[News]:
        """Samples a prompt without and with guidance, and yields what happens; the last news has the result or the failure.

        Args:
            options: with one image.
            stop: ends the sampling when it is set, after the step that is under way.
        """
        news: SimpleQueue[News] = SimpleQueue()
        worker = Thread(target=self._work, args=(options, news.put, stop), daemon=True, name="infsplign sampling")
        worker.start()
        try:
            while True:
                latest = news.get()
                yield latest
                if latest.last:
                    break
        finally:
            stop.set()  # the page was left
            worker.join()

    def _work(self, options: GenerateOptions, tell: Callable[[News], None], stop: Event) -> None:
        try:
            scene, triples = options.scene()
            options.check()
            with self._lock:
                tell(News(f"loading the model {options.model}"))
                pipe = self._pipeline(options.model)
                with quiet():
                    job = Job(pipe, options, scene, triples)
                pair = _sample(job, tell, stop)
                tell(News("judging the images"))
                result = result_of(job, pair)
            tell(News("done", result=result))
        except StoppedError:
            tell(News(failure="Stopped."))
        except BaseException as error:
            message = message_of(error)
            if message is None:
                traceback.print_exc()
                message = f"a fault of the program, whose traceback is in the terminal: {type(error).__name__}: {error}"
            tell(News(failure=message.strip()))

    def _pipeline(self, model: str) -> Any:
        """The pipeline of a model. Only one is kept, because two may not fit into memory."""
        if self._loaded[0] != model:
            self._loaded = ("", None)
            self._loaded = (model, self._load(model, device=self.base.device, dtype=self.base.dtype, offload=self.base.offload))
        return self._loaded[1]


def _sample(job: Job, tell: Callable[[News], None], stop: Event) -> Pair:
    """Samples both images; the pipeline's own progress stays in the terminal."""
    with watched(job.pipe.scheduler, _teller(job, "unguided", tell, stop)):
        unguided = job.sample(0, "unguided")
    tell(News("", "unguided", job.steps, job.steps, unguided))
    guidance = job.guide(keep_maps=True)
    with watched(job.pipe.scheduler, _teller(job, "guided", tell, stop)), guidance:
        guided = job.sample(0, "guided")
    job.token_indices = next(iter(guidance.token_indices), ())
    tell(News("", "guided", job.steps, job.steps, guided))
    return Pair(job.options.seed, guided, unguided, guidance.trace)


def _teller(job: Job, method: str, tell: Callable[[News], None], stop: Event) -> Callable[[int, int, Callable[[], Tensor]], None]:
    def told(step: int, steps: int, clean: Callable[[], Tensor]) -> None:
        if stop.is_set():
            raise StoppedError
        wanted = step == 1 or step % max(1, round(steps / PREVIEWS)) == 0
        size = image_size(job.pipe, job.options.height, job.options.width)
        image = preview(job.pipe, clean(), (size["height"], size["width"]) if size else None) if wanted and step < steps else None
        tell(News("", method, step, steps, image))

    return told
