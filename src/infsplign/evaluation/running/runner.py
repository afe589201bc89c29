"""Makes the images of a list of tasks, whatever they are for; started again, it makes those that are missing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from PIL import Image
from tqdm import tqdm

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.files import OutputError
from infsplign.evaluation.running.job import ImageResult, Job, JobResult, Sampler, Task, run_job
from infsplign.evaluation.running.method_folder import MethodFolder, Record, png

Inspect = Callable[[str, Image.Image], Record]
"""Key and image to what is recorded about it."""
InspectedBy = str | Callable[[str], str]
"""What tells two ways of inspecting apart, of all images or by their keys: the detector, and what is asked of the image."""
HOPELESS = 8
"""Images that may fail before the first one succeeds, not counting those whose prompt cannot be read."""


class FailedError(ValueError):
    """Images that could not be made; the others are kept."""


class Workers(Protocol):
    """Those who make images: this process, or others. Outcomes come in any order. Those with a true `keep_traces` send traces too."""

    def work(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]: ...


class Local:
    """This process."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def settings(self) -> Mapping[str, Any]:
        """What decides the images, as the sampler tells it."""
        return self.sampler.settings()

    @property
    def keep_traces(self) -> bool:
        """Whether it keeps what guidance did at each step."""
        return bool(getattr(self.sampler, "keep_traces", False))

    def work(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]:
        for job in jobs:
            yield job, run_job(self.sampler, job)


def make_images(
    folder: MethodFolder,
    tasks: Sequence[Task],
    workers: Workers,
    config: GuidanceConfig | None,
    inspect: Inspect | None = None,
    *,
    inspected_by: InspectedBy = "",
    batch: int,
    bar: Any = None,
) -> None:
    """Makes and inspects what is not in `folder` yet. What fails is recorded in `folder.failures` and tried again the next time.

    Groups of `batch` tasks are cut from the whole list and made whole: an image resumed has the neighbours that it would have had, so
    that even the rounding of batched matrix products is the same. Where traces are kept, a guided image without one is made again.

    Args:
        folder: of the method.
        tasks: in order; keys must differ.
        workers: make the images.
        config: the method's options.
        inspect: what to record of an image, besides its prompt, seed and hash.
        inspected_by: tells `inspect`; images that another one inspected are inspected again, not made again.
        batch: images at once, >= 1.
        bar: moved on by the images that are there.

    Raises:
        FailedError: the first images failed, all of them.
        OutputError: the disk is full, or takes nothing.
    """
    folder.keep_failures(task.key for task in tasks)
    known = {task.key: record for task in tasks if (record := folder.records.get(task.key)) and _same(record, task)}
    if config is not None and getattr(workers, "keep_traces", False):
        known = {key: record for key, record in known.items() if folder.has_trace(key)}
    stale = [key for key, record in known.items() if inspect and record["inspected_by"] != _by(inspected_by, key)]
    folder.add(known[key] | _inspected(folder, key, inspect, inspected_by) for key in stale)
    _move(bar, len(known))
    succeeded, failed, strange = bool(known), 0, 0
    for job, outcome in workers.work(_jobs(folder, tasks, known, config, batch)):
        good = [made for made in outcome.made if made.error is None]
        bad = [made for made in outcome.made if made.error is not None]
        if outcome.size < min(job.size, folder.reduced or batch):
            folder.reduce(outcome.size)
        folder.add(_record(folder, made, inspect, inspected_by) for made in good)
        folder.fail(_facts(made.task) | {"error": made.error} for made in bad)
        _move(bar, len(outcome.made), folder)
        succeeded, failed = succeeded or bool(good), failed + len(bad)
        strange += sum(not made.unreadable for made in bad)
        if not succeeded and (strange >= HOPELESS or failed == len(tasks)):
            raise FailedError(f"none of the first {failed} images could be made. {bad[0].error}")
    folder.compact()
    if gone := folder.gone():
        where = f"{len(gone)} images of {str(folder.images)!r}"
        raise OutputError(f"{where} were removed while the run went on; the same command makes them again")


def run_tasks(
    folder: MethodFolder,
    tasks: Sequence[Task],
    sampler: Sampler,
    config: GuidanceConfig | None,
    inspect: Inspect | None = None,
    *,
    inspected_by: InspectedBy = "",
    batch: int,
    label: str,
    progress: bool = True,
) -> list[Record]:
    """`make_images` in this process with a bar of its own: the record of each task, in order.

    Raises:
        FailedError: an image could not be made; the others have been.
    """
    with tqdm(total=len(tasks), desc=label, unit="image", disable=not progress) as bar:
        make_images(folder, tasks, Local(sampler), config, inspect, inspected_by=inspected_by, batch=batch, bar=bar)
    if failures := [folder.failures[task.key] for task in tasks if task.key in folder.failures]:
        raise FailedError(f"{len(failures)} of {len(tasks)} images could not be made; {failures[0]['key']}: {failures[0]['error']}")
    return [folder.records[task.key] for task in tasks]


def _jobs(
    folder: MethodFolder, tasks: Sequence[Task], known: dict[str, Record], config: GuidanceConfig | None, batch: int
) -> Iterator[Job]:
    """Groups in which something is missing. Asked for one by one: memory may have run out since the last one."""
    for start in range(0, len(tasks), batch):
        group = tuple(tasks[start : start + batch])
        wanted = frozenset(task.key for task in group if task.key not in known)
        if wanted:
            together = [known[task.key]["batch"] for task in group if task.key in known]  # as its neighbours were made
            yield Job(group, wanted, config, max([folder.reduced or batch, *together]))


def _record(folder: MethodFolder, made: ImageResult, inspect: Inspect | None, inspected_by: InspectedBy) -> Record:
    data = made.image if isinstance(made.image, bytes) else png(made.image)
    if made.trace is not None:
        folder.save_trace(made.task.key, made.trace)
    facts = _facts(made.task) | {"sha256": folder.save(made.task.key, data), "batch": made.batch}
    return facts | _inspected(folder, made.task.key, inspect, inspected_by)


def _inspected(folder: MethodFolder, key: str, inspect: Inspect | None, by: InspectedBy) -> Record:
    """Looks at an image as its file has it, so that it does not matter who made it."""
    return (inspect(key, folder.load(key)) if inspect else {}) | {"inspected_by": _by(by, key)}


def _by(by: InspectedBy, key: str) -> str:
    return by if isinstance(by, str) else by(key)


def _facts(task: Task) -> Record:
    return {"key": task.key, "prompt": task.text, "seed": task.seed}


def _same(record: Record, task: Task) -> bool:
    return record.get("prompt") == task.text and record.get("seed") == task.seed and "inspected_by" in record


def _move(bar: Any, count: int, folder: MethodFolder | None = None) -> None:
    if bar is None or bar.disable:
        return
    if folder is None:
        bar.initial += count  # there before: it must not count for the time left
        bar.n += count
        bar.refresh()
    else:
        notes = {"failed": len(folder.failures) or None, "batch": folder.reduced}
        bar.set_postfix({name: value for name, value in notes.items() if value}, refresh=False)
        bar.update(count)
