"""Makes the images of one group of tasks, and gets what can be had when memory runs out or an image fails.

A group is always cut at the same places: whole, or into parts of a power of two counted from its first task. Which neighbours an
image was made with decides how batched sums are rounded, so the number of images made together is told with each of them.
"""

import errno
import gc
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.memory_errors import is_out_of_memory
from infsplign.prompts.refusing import MarkedError

LONGEST = 500
"""Characters of an error's text that are kept."""


@dataclass(frozen=True)
class Task:
    """One image to make: `key` names its file, `seed` is its own."""

    key: str
    text: str
    seed: int


class Sampler(Protocol):
    """Makes one image a text, from its seed; `config` None is unguided."""

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> Sequence[Image.Image]: ...


@dataclass(frozen=True)
class Job:
    """A group of neighbouring tasks.

    Attributes:
        tasks: the whole group, also what is there already: it decides the rounding of the rest.
        wanted: keys that are missing.
        config: of the method.
        size: how many images to make together.
    """

    tasks: tuple[Task, ...]
    wanted: frozenset[str]
    config: GuidanceConfig | None
    size: int


@dataclass(frozen=True)
class ImageResult:
    """An image, or why there is none; `batch` images were made together.

    Attributes:
        trace: what guidance did, where the sampler keeps it.
        unreadable: its prompt cannot be read, which tells nothing of the others.
    """

    task: Task
    image: Any = None
    error: str | None = None
    batch: int = 1
    trace: Any = None
    unreadable: bool = False


@dataclass(frozen=True)
class JobResult:
    """What came of a job; `size` is below the job's when memory was too small for that."""

    made: tuple[ImageResult, ...]
    size: int


def run_job(sampler: Sampler, job: Job) -> JobResult:
    """Makes the wanted images of a group.

    Out of memory: what is left is made in smaller batches. Another error: the batch that it came from is made in smaller parts, until the
    image that fails is alone; it comes back with its error.

    Raises:
        Exception: of a device that is of no use any more, or a full disk: see `is_fatal`.
    """
    made: list[ImageResult] = []
    size = allowed = job.size if job.size >= len(job.tasks) else _below(job.size + 1)
    parts = deque(_cut(range(len(job.tasks)), size))
    while parts:
        part = parts.popleft()
        if len(part) > size:  # memory ran out since it was cut
            parts.extendleft(reversed(_cut(part, size)))
            continue
        tasks = [job.tasks[number] for number in part]
        if not any(task.key in job.wanted for task in tasks):
            continue
        found = _together(sampler, tasks, job.config)
        if not isinstance(found, _Failure):
            traces = getattr(sampler, "traces", None) or [None] * len(tasks)
            made += [ImageResult(t, image, batch=len(part), trace=trace) for t, image, trace in zip(tasks, found, traces, strict=True)]
            continue
        smaller = _below(len(part))
        if found.memory:
            free_memory()
            size = min(size, smaller or 1)
        if smaller:
            parts.extendleft(reversed(_cut(part, smaller)))
        else:
            made.append(ImageResult(tasks[0], error=found.text, unreadable=found.unreadable))
    return JobResult(tuple(m for m in made if m.task.key in job.wanted), size if size < allowed else job.size)


@dataclass(frozen=True)
class _Failure:
    text: str
    memory: bool
    unreadable: bool


def _together(sampler: Sampler, tasks: Sequence[Task], config: GuidanceConfig | None) -> Sequence[Any] | _Failure:
    """The images of tasks, or how it failed: as text, since the error itself keeps its tensors alive."""
    try:
        images = list(sampler([task.text for task in tasks], [task.seed for task in tasks], config))
        if len(images) != len(tasks):
            raise ValueError(f"the sampler returned {len(images)} images for {len(tasks)} texts")
    except Exception as error:
        if is_fatal(error):
            raise
        return _Failure(describe_error(error), is_out_of_memory(error), isinstance(error, MarkedError))
    return images


def describe_error(error: BaseException) -> str:
    """An error as one text."""
    return f"{type(error).__name__}: {error}"[:LONGEST].encode("utf-8", "backslashreplace").decode()


def is_fatal(error: BaseException) -> bool:
    """Tells errors after which no further image can be made: a full disk, and a GPU whose context is lost."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    lost = type(error).__name__ == "AcceleratorError" or (isinstance(error, RuntimeError) and "CUDA error" in str(error))
    return lost and not is_out_of_memory(error)


def free_memory() -> None:
    """Gives back what a failed call has left."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _cut(part: range, size: int) -> list[range]:
    return [range(start, min(start + size, part.stop)) for start in range(part.start, part.stop, size)]


def _below(count: int) -> int:
    """The largest power of two below `count`, 0 for 1: cuts by it fall on those of every larger one."""
    return 1 << (count - 1).bit_length() - 1 if count > 1 else 0
